"""``mediamirror report``: what was mirrored, set by set, with thumbnails decoded from the stored bytes.

    catalog: sets, a page at a time ──> their objects, each once: read, hash, decode ──> SetResult

Memory holds one page of sets and its thumbnails, whatever the size of the mirror.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.stored_sets import MirroredSet, count_mirrored, read_mirrored, store_names
from mediamirror.errors import (
    FetchError,
    ImageError,
    ImageOverBudget,
    InputMissing,
    NotAnImage,
    ObjectMissing,
    StoreError,
    UsageError,
)
from mediamirror.fetch.body import Spool
from mediamirror.fetch.request import discard
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.jobs.catalog.catalogs import Where, locate, tells_itself
from mediamirror.jobs.run.destination import place_of_identity
from mediamirror.jobs.run.pipeline import as_they_come, run_window
from mediamirror.jobs.run.session import Needs, open_run
from mediamirror.jobs.run.tally import Emit, Tally, nobody_listens
from mediamirror.lint import choose_codes
from mediamirror.lint.stored import StoredSubject, check_mirrored, check_stored
from mediamirror.model import (
    Body,
    Finding,
    Held,
    ItemError,
    Outcome,
    Planned,
    SetResult,
    SetRow,
    Status,
    Summary,
    Variant,
)
from mediamirror.settings import JobOptions, ReportOptions
from mediamirror.store.base import Store

_IN_MEMORY = 1024 * 1024
_LARGEST = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of one object: a thumbnail, or why there is none."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    thumbnail: bytes | None = None


async def report(
    dest: str | None = None,
    *,
    options: ReportOptions | None = None,
    catalog: Path | None = None,
    on_event: Emit = nobody_listens,
) -> Summary:
    """Tell every image set that was mirrored to ``dest``, with what was found then, and thumbnails of the stored bytes.

    Without ``dest`` the catalog says which place it is about. Emits `Planned`, an `Outcome` per object read, a `SetResult` per
    set, the `Summary`. An object that is missing, was changed or can't be decoded makes the exit code 1. Raises `UsageError`,
    `CatalogError`, `StoreRefused`.
    """
    run = _Report(options or ReportOptions(), on_event)
    return await run.run(dest, catalog)


class _Report:
    """One run: its options, and its running totals."""

    def __init__(self, options: ReportOptions, emit: Emit) -> None:
        self._options = options
        self._codes = choose_codes()
        self._tally = Tally(emit)
        self._counted: set[int] = set()
        self._sets = 0
        self._objects = 0
        self._documents: set[int] = set()

    async def run(self, dest: str | None, path: Path | None) -> Summary:
        options = self._options
        if dest is None and path is None:
            raise UsageError("report needs a DEST, or --catalog FILE, or both.")
        where = locate(dest, path, options.store)
        moved = await tells_itself(where)
        if not moved:
            _prove_there(where.path, dest)
        identity = where.identity if moved and where.identity is not None else await _chosen(where)
        place, endpoint = place_of_identity(identity)
        needs = Needs(
            command="report",
            to=dest or place,
            store=replace(options.store, endpoint_url=options.store.endpoint_url or endpoint),
            connections=2 * options.concurrency,
            reads=options.thumbnails,
            catalog=where.path,
            existing=True,
            adopts=moved,
        )
        async with open_run(needs, conclude=self._summary, emit=self._tally.emit) as session:
            viewer = None
            if options.thumbnails:
                pool = await session.stack.enter_async_context(DecoderPool(options.check))
                viewer = _Viewer(session.store, pool, session.scratch, self._codes)
            await self._all(session.catalog, identity, viewer)
        return session.summary

    async def _all(self, catalog: Catalog, identity: str, viewer: _Viewer | None) -> None:
        sets, objects = await catalog.read(count_mirrored, identity)
        self._objects = objects
        self._tally.emit(Planned(0, sets, objects if viewer is not None else 0, 0))
        async for page in catalog.pages(read_mirrored, identity):
            seen = await self._look(page, viewer)
            for each in page:
                self._tell(_shown(each.result, seen, self._codes))

    async def _look(self, page: Sequence[MirroredSet], viewer: _Viewer | None) -> dict[str, _Seen]:
        """Read the objects of a page of sets, each once."""
        seen: dict[str, _Seen] = {}
        if viewer is None:
            return seen
        objects = {held.key: held for each in page for held in each.objects}

        async def record(batch: Sequence[_Seen]) -> None:
            for one in batch:
                seen[one.outcome.key or ""] = one
                self._tally.tell(one.outcome)

        await run_window(as_they_come(objects.values()), viewer.view, record, width=self._options.concurrency)
        return seen

    def _tell(self, result: SetResult) -> None:
        self._sets += 1
        self._documents.add(hash(result.document))
        for finding in (*result.findings, *(f for row in result.rows for f in row.findings)):
            mark = hash((finding.rule, finding.url, finding.message))
            if mark not in self._counted:
                self._counted.add(mark)
                self._tally.add_finding(finding)
        self._tally.emit(result)

    def _summary(self, interrupted: bool) -> Summary:
        self._tally.planned = Planned(len(self._documents), self._sets, self._objects, self._objects)
        # What the mirror's own run found is old news; that an object can't be shown is not.
        return self._tally.summary(JobOptions(fail_on="never", command="report"), interrupted=interrupted)


def _prove_there(path: Path, dest: str | None) -> None:
    if path.exists():  # whether it is a catalog is told where it is opened
        return
    if dest is None:
        raise InputMissing(
            f"There is no catalog {path}: check its path, or give the DEST of the mirror (the file does not exist)."
        )
    raise InputMissing(
        f"Nothing is recorded of {dest}: there is no catalog {path}. Name the one it was mirrored with by --catalog FILE, or make "
        f"one of what lies there: `mediamirror catalog rebuild {dest}`."
    )


async def _chosen(where: Where) -> str:
    """The place that the report is about: the one that was named, else the only one that the catalog knows."""
    async with await Catalog.open_existing(where.path, read_only=True) as catalog:
        stores = await catalog.read(store_names)
    if where.identity is not None and where.identity in stores:
        return where.identity
    if where.identity is None and len(stores) == 1:
        return stores[0]
    known = ", ".join(stores[:5]) or "nothing"
    if where.identity is None and stores:
        raise UsageError(f"The catalog {where.path} contains several places ({known}): give one of them as DEST.")
    what = where.identity if where.identity is not None else "any mirror"
    raise UsageError(f"The catalog {where.path} does not contain {what}; it contains {known}.")


def _shown(result: SetResult, seen: dict[str, _Seen], codes: frozenset[str]) -> SetResult:
    rows = tuple(_row(row, seen.get(row.key) if row.key else None) for row in result.rows)
    return replace(result, rows=rows, findings=(*result.findings, *check_mirrored(result, codes)))


def _row(row: SetRow, seen: _Seen | None) -> SetRow:
    if seen is None:
        return row
    findings = tuple(replace(finding, url=row.url, reference=None) for finding in seen.findings)
    error = row.error or (None if seen.findings else seen.outcome.error)
    return replace(row, thumbnail=seen.thumbnail, findings=(*row.findings, *findings), error=error)


class _Viewer:
    """Reads one object whole, compares it with the record, and decodes it."""

    def __init__(self, store: Store, pool: DecoderPool, folder: Path, codes: frozenset[str]) -> None:
        self._store = store
        self._pool = pool
        self._folder = folder
        self._codes = codes

    async def view(self, held: Held) -> _Seen:
        """Return what was seen; only cancellation leaves this function as an exception."""
        try:
            body = await self._body(held.key)
        except ObjectMissing:
            return self._judged(held, None, None)
        except (StoreError, FetchError) as error:
            return _Seen(_outcome(held, Status.FAILED, None, ItemError(error.code, error.message)))
        try:
            _, look = await self._pool.look(body)
        except ImageOverBudget:  # taken in under a higher limit, or by its header: the bytes are judged all the same
            return self._judged(held, body, None)
        except ImageError as error:
            if (
                isinstance(error, NotAnImage) and error.kind == "svg"
            ):  # taken in by --keep-svg: there are no pixels to show
                return self._judged(held, body, None)
            return self._judged(held, body, None, ItemError(error.code, error.message))
        finally:
            discard(body)
        return self._judged(held, body, look.thumbnail if look is not None else None)

    async def _body(self, key: str) -> Body:
        spool = Spool(self._folder, spool_over=_IN_MEMORY, limit=_LARGEST, href=key)
        try:
            async for chunk in self._store.get(key):
                if spool.take(chunk):
                    await spool.spill()
            return await spool.finish()
        except BaseException:
            await spool.abandon()
            raise

    def _judged(self, held: Held, body: Body | None, thumbnail: bytes | None, error: ItemError | None = None) -> _Seen:
        subject = StoredSubject(
            held.key, self._store.name, body is not None, held.sha256, body.sha256 if body is not None else None
        )
        findings = check_stored(subject, self._codes)
        if findings:
            error = ItemError(findings[0].rule, findings[0].message)
        status = Status.CHECKED if error is None else Status.REJECTED
        return _Seen(_outcome(held, status, body, error), findings, thumbnail)


def _outcome(held: Held, status: Status, body: Body | None, error: ItemError | None) -> Outcome:
    size = body.size if body is not None else None
    return Outcome(Variant(held.key), status, key=held.key, size=size, fetched_bytes=size or 0, error=error)

"""``catalog rebuild`` and ``catalog import``: what lies in a store becomes rows of a catalog.

    listing ── beside ── the manifest ──> same size and change token: as it says ──> catalog
                                     └──> window: metadata, else bytes and header ─┘

Every object is told of as it lies there now: what the manifest says of one that is gone or changed counts for nothing.
"""

from __future__ import annotations

import asyncio
import glob
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from mediamirror.catalog.adoption import (
    Adopted,
    adopted_of,
    begin_told,
    note_told,
    put_adopted,
    put_failures,
    put_manifest_sets,
    told_in_vain,
    told_of,
)
from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run, begin_run, comes_from, finish_run, is_empty
from mediamirror.catalog.manifest import (
    ManifestObject,
    Origin,
    begin_manifest,
    manifest_rows_of,
    note_results,
    read_manifest,
    read_untaken,
)
from mediamirror.catalog.stored_sets import read_holdings
from mediamirror.errors import (
    CatalogDamaged,
    ImageError,
    ObjectCorrupt,
    ObjectMissing,
    SourceChanged,
    StoreError,
    UsageError,
)
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.imaging.header import read_header
from mediamirror.jobs.mirror.results import RESULTS, object_rows, read_results
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.manifest import (
    LOST,
    SEGMENTS,
    adopt,
    checked_row,
    load_manifest,
    manifest_object,
    set_damaged_aside,
)
from mediamirror.jobs.run.pipeline import as_they_come, pages, run_window
from mediamirror.jobs.run.session import INTERRUPTED, Access, Needs, Session, open_run
from mediamirror.jobs.sync.local import content_type_of
from mediamirror.jobs.sync.plan import joined
from mediamirror.model import ItemError, MendEvent, MendSummary, ObjectEvent, Problem, StoredObject
from mediamirror.redact import is_redacted
from mediamirror.scratch import scratch_folder
from mediamirror.settings import AdoptOptions
from mediamirror.store.base import Entry, Store, bounded, summed
from mediamirror.store.layout import url_of

Told = list[tuple[str, str | None]]

_PIXELS = pattern(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Task:
    """An object that a store lists, with what the manifest and a list say of it (URL, and sha256 where it is told)."""

    row: StoredObject
    manifest: ManifestObject | None
    told: Told


@dataclass(frozen=True, slots=True)
class Done:
    """What was learnt of one object: what is told of it, and what can be recorded, if anything."""

    event: ObjectEvent
    adopted: Adopted | None = None


class Looker:
    """Learns what an object is. Safe to call concurrently."""

    def __init__(self, store: Store, base_url: str | None, *, rebuild: bool) -> None:
        self._store = store
        self._base_url = base_url
        self._rebuild = rebuild

    async def look(self, task: Task) -> Done:
        """Return what can be recorded of one object; its failure is a result."""
        key = task.row.key
        try:
            adopted, reason = await self._learn(task)
        except StoreError as error:
            return Done(ObjectEvent("record", key, "failed", error=ItemError(error.code, error.message)))
        if isinstance(reason, ItemError):
            return Done(ObjectEvent("record", key, "differs from the manifest", error=reason), adopted)
        said = next((sha for _, sha in task.told if sha is not None and sha != adopted.sha256), None)
        if said is not None:
            message = f"The list says its sha256 is {said}, and it is {adopted.sha256}: it was not recorded."
            return Done(ObjectEvent("record", key, "failed", error=ItemError("object-corrupt", message)))
        return Done(ObjectEvent("record", key, reason, adopted.size), adopted)

    async def _learn(self, task: Task) -> tuple[Adopted, str | ItemError]:
        row, said = task.row, tuple(Origin(url) for url, _ in task.told)
        known = None if task.manifest is None else adopted_of(task.manifest, task.manifest.token)
        if known is not None and (known.size, known.token) == (row.size, row.token):
            return self._as_told(known, row, said), "as the manifest says"
        head = await self._store.head(row.key)
        if head is None:
            raise ObjectMissing(f"{self._store.name}/{row.key} was removed meanwhile. Run the same command again.")
        origins = said or self._guess(row.key, head.metadata)
        metadata = dict(head.metadata)
        if head.sha256 is not None and all(_PIXELS.fullmatch(metadata.get(name, "")) for name in ("width", "height")):
            kind = (head.content_type or "").removeprefix("image/") or None
            pixels = (kind, int(metadata["width"]), int(metadata["height"]))
            found = Adopted(
                row.key, head.sha256, head.size, head.token, head.content_type, origins, *pixels, head.modified
            )
            return found, "as its metadata say"
        found = await self._read(head, origins)
        if known is not None and known.sha256 == found.sha256:
            # Copied from another disk: its state there means nothing, and its bytes are proved.
            return self._as_told(known, head, said), "as the manifest says, its bytes compared"
        if known is not None:
            # What damaged it must not become what is right: a record of the manifest's bytes finds it again, and mends it.
            return replace(self._as_told(known, row, said), token=known.token, size=known.size), _differs(known, found)
        return found, "as its bytes are"

    def _as_told(self, known: Adopted, row: StoredObject, said: tuple[Origin, ...]) -> Adopted:
        origins = said or known.origins or self._guess(known.key, ())
        return replace(known, token=row.token, origins=origins, modified=row.modified)

    async def _read(self, head: StoredObject, origins: tuple[Origin, ...]) -> Adopted:
        seen = await summed(bounded(self._store.get(head.key), head.size, f"{self._store.name}/{head.key}"))
        again = await self._store.head(head.key)
        if again is None or (again.size, again.token) != (seen.size, head.token):
            raise SourceChanged(f"{self._store.name}/{head.key} changed while it was read. Run the same command again.")
        try:
            facts = read_header(seen.prefix)
        except ImageError:
            facts = None
        kind = head.content_type or content_type_of(head.key, seen.prefix)
        found = Adopted(head.key, seen.sha256, seen.size, head.token, kind, origins, modified=head.modified)
        if facts is None:
            return found
        return replace(found, format=facts.format, width=facts.width, height=facts.height)

    def _guess(self, key: str, metadata: Iterable[tuple[str, str]]) -> tuple[Origin, ...]:
        """The URL as the object's metadata say, else from the key: under --base-url, or as the path layout made it."""
        recorded = dict(metadata).get("source-url", "")
        if (
            recorded.startswith(("http://", "https://"))
            and not is_redacted(recorded)
            and not recorded.endswith("%E2%80%A6")
        ):
            return (Origin(recorded),)
        if self._base_url is not None:
            return (Origin(f"{self._base_url.rstrip('/')}/{quote(key, safe='/~!$&()*+,;=:@')}"),)
        url = url_of(key) if self._rebuild else None
        return (Origin(url),) if url is not None else ()


def _differs(known: Adopted, found: Adopted) -> ItemError:
    return ItemError(
        "object-corrupt",
        f"Its bytes are not those of the manifest (sha256 {found.sha256[:16]}…, recorded {known.sha256[:16]}…): the "
        "catalog has the sha256 of the manifest. `verify --mirror DEST --repair` puts those bytes back.",
    )


Listen = Callable[[MendEvent], None]
_ENDINGS = ("", "-wal", "-shm")
"""Of the files that a catalog is made of."""


async def rebuild(
    dest: str, *, options: AdoptOptions | None = None, catalog: Path | None = None, on_event: Listen = lambda _: None
) -> MendSummary:
    """Make the catalog of a store anew from the store alone, and put it in the place of the old one, which is kept beside it.

    Raises `UsageError` (also for a catalog that is sound, without ``options.force``), `CatalogError`, `StoreError`.
    """
    run = _Adoption(dest, options or AdoptOptions(), on_event, "rebuild")
    async with run.opened(catalog, keeps=False) as session:
        await _refuse_sound(session.path, run.options)
        fresh = session.path.with_name(session.path.name + ".rebuilding")
        _remove(fresh)
        try:
            await _make(fresh, run, session)
        except BaseException:
            _remove(fresh)
            raise
        aside = _put_in_place(fresh, session.path)
        if aside is not None:
            on_event(Problem("catalog-kept", f"The old catalog is kept as {aside}.", document=dest))
    return session.summary


async def _make(fresh: Path, run: _Adoption, session: Session[MendSummary]) -> None:
    """Make the new catalog, whole, beside the old one."""
    async with await Catalog.open(fresh) as catalog:
        row = await catalog.write(begin_run, "catalog rebuild", session.identity, now().isoformat(timespec="seconds"))
        await run.take(catalog, row, session.store, ())
        await catalog.write(finish_run, row, now().isoformat(timespec="seconds"), int(run.failed))


async def import_(
    dest: str,
    *,
    list_: BinaryIO | None = None,
    options: AdoptOptions | None = None,
    catalog: Path | None = None,
    on_event: Listen = lambda _: None,
) -> MendSummary:
    """Take a store's objects into its catalog, which is made where there is none; what is known already is left as it is.

    ``list_`` is JSON Lines with ``url``, ``key`` and, where known, ``sha256``. Raises `UsageError`, `CatalogError`, `StoreError`.
    """
    run = _Adoption(dest, options or AdoptOptions(), on_event, "import")
    rows = _read_list(list_) if list_ is not None else ()
    async with run.opened(catalog, keeps=True) as session:
        await run.take(session.catalog, session.run, session.store, rows)
    return session.summary


async def _refuse_sound(path: Path, options: AdoptOptions) -> None:
    if not await asyncio.to_thread(path.exists):
        return
    try:
        async with await Catalog.open_existing(path, read_only=True) as catalog:
            loses_nothing = await catalog.read(comes_from, "catalog rebuild") or await catalog.read(is_empty)
    except CatalogDamaged:
        return
    # One that comes from the store alone may be this very command's, killed when all was done: nothing is lost by making it again.
    if not options.force and not loses_nothing:
        raise UsageError(
            f"The catalog {path} is intact: nothing was changed. It holds more than a store can give back (what failed, when and how "
            "everything was fetched); to make a new one anyway, add --force."
        )


def _remove(path: Path) -> None:
    for ending in _ENDINGS:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _put_in_place(fresh: Path, path: Path) -> Path | None:
    """Move the old catalog aside, and its log before the new one comes, since a log beside another file would damage that.

    The file goes before its log: without the log a damaged one may look sound, to the same command after a kill in between.
    """
    stamp, there = f"{path.name}.old-{now():%Y%m%dT%H%M%SZ}", path.exists()
    # Two within one second must not write over each other.
    names = itertools.chain([stamp], (f"{stamp}-{n}" for n in itertools.count(2)))
    aside = next(path.with_name(name) for name in names if not list(path.parent.glob(f"{glob.escape(name)}*")))
    for ending in _ENDINGS:
        old = path.with_name(path.name + ending)
        if old.exists():
            old.replace(aside.with_name(aside.name + ending))
    fresh.replace(path)
    return aside if there else None


def _read_list(file: BinaryIO) -> Iterable[tuple[str, str, str | None]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key, url, sha256 = row["key"], row["url"], row.get("sha256")
        except (ValueError, KeyError, TypeError, AttributeError):
            key = url = sha256 = None
        if not isinstance(key, str) or not isinstance(url, str) or not isinstance(sha256, str | None):
            raise UsageError(
                f'Line {number} of the list is not of the form {{"url": "https://…", "key": "…"}} (sha256 may follow): nothing was '
                "recorded."
            )
        yield key, url, sha256.lower() if sha256 else None


class _Adoption:
    """One run: its options, and its running totals."""

    def __init__(self, dest: str, options: AdoptOptions, emit: Listen, command: str) -> None:
        self._dest = dest
        self._emit = emit
        self._command = command
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._started = time.monotonic()
        self._newest = ""
        self.options = options
        self.failed = False

    def opened(self, catalog: Path | None, *, keeps: bool) -> AbstractAsyncContextManager[Session[MendSummary]]:
        """Open the run; with ``keeps`` the catalog too."""
        needs = Needs(
            command=f"catalog {self._command}",
            access=Access.RECORDS,
            to=self._dest,
            store=self.options.store,
            connections=32,
            catalog=catalog,
            keeps=keeps,
            begins=True,
        )
        return open_run(needs, conclude=self._summary, emit=self._emit)

    def _summary(self, interrupted: bool) -> MendSummary:
        counts = dict(sorted(self._counts.items()))
        code = INTERRUPTED if interrupted else int(self.failed)
        seconds = time.monotonic() - self._started
        return MendSummary(self._command, self._dest, counts, self._bytes, seconds, exit_code=code)

    async def take(self, catalog: Catalog, run: Run, store: Store, told: Iterable[tuple[str, str, str | None]]) -> None:
        """Take everything in."""
        await catalog.write(begin_told)
        async for page in pages(as_they_come(told)):
            await catalog.write(note_told, page)
        readable = await self._load(catalog, store)
        await self._load_results(catalog, store, run)

        async def record(done: Sequence[Done]) -> None:
            await catalog.write(put_adopted, run.store_id, run.id, [d.adopted for d in done if d.adopted])
            for one in done:
                self._tell(one)

        await run_window(
            self._tasks(catalog, store, run),
            Looker(store, self.options.base_url, rebuild=self._command == "rebuild").look,
            record,
            width=self.options.concurrency,
        )
        await self._in_vain(catalog)
        if self._command == "rebuild":
            await self._missing(catalog, store, run)
            async for sets in pages(_sets(catalog)):
                await catalog.write(put_manifest_sets, run.store_id, run.id, sets)
                self._counts["sets recorded"] += len(sets)
        if readable:
            await adopt(catalog, store, run.store_id, records=False)

    async def _load(self, catalog: Catalog, store: Store) -> bool:
        """Read the manifest, if the store has one. `rebuild` sets damaged segments aside, and believes those that are whole.

        Where that can't be done, and for `import`, nothing of a damaged manifest is believed: the objects are looked at instead.
        """
        try:
            self._newest = max(await load_manifest(catalog, store), default="")
        except ObjectCorrupt as error:
            self.failed = True
            await catalog.write(begin_manifest)
            if self._command == "rebuild" and await self._set_aside(store):
                return await self._load(catalog, store)
            message = f"{error.message} The objects were looked at one by one instead; the image sets are not known."
            self._emit(Problem(error.code, message, document=self._dest))
            return False
        return True

    async def _set_aside(self, store: Store) -> bool:
        """Set damaged segments aside, and tell of each; False where none was."""
        try:
            told = await set_damaged_aside(store)
        except StoreError as error:
            message = f"A damaged segment of the manifest was not set aside: {error.message}"
            self._emit(Problem(error.code, message, document=self._dest))
            return False
        for said in told:
            message = (
                f"{said} {LOST} If another copy of the mirror has the segment, put that one back in its old place and run "
                "`mediamirror catalog rebuild` again; else remove it when you like: nothing reads it any more."
            )
            self._emit(Problem(ObjectCorrupt.code, message, document=self._dest))
        return bool(told)

    async def _load_results(self, catalog: Catalog, store: Store, run: Run) -> None:
        """Read the results that shared runs have left: of what the manifest does not tell, and of what failed."""
        try:
            with scratch_folder() as scratch:
                async for key, rows in read_results(store, scratch):
                    newer = key.removeprefix(RESULTS) > self._newest.removeprefix(SEGMENTS)
                    told = [row for each in object_rows(rows) if (row := checked_row(json.dumps(each))) is not None]
                    self._counts["results read"] += len(rows)
                    await catalog.write(note_results, told, newer=newer)
                    failed = [
                        (row["url"], row["status"], row.get("error_code"))
                        for row in rows
                        if row.get("status") in {"failed", "rejected"} and not is_redacted(row["url"])
                    ]
                    await catalog.write(put_failures, run.store_id, run.id, failed)
        except (ObjectCorrupt, ValueError, KeyError, TypeError) as error:
            self.failed = True
            message = (
                error.message if isinstance(error, ObjectCorrupt) else f"Results in {store.name} are none ({error})."
            )
            self._emit(Problem(ObjectCorrupt.code, message, document=self._dest))

    async def _tasks(self, catalog: Catalog, store: Store, run: Run) -> AsyncIterator[Task]:
        async for page in joined(pages(_entries(store)), catalog.pages(read_holdings, run.store_id)):
            keys = [each.key for each in page]
            said = await catalog.write(told_of, keys)
            manifest = await catalog.read(manifest_rows_of, keys)
            for each in page:
                key = each.key
                if each.sha256 is not None and key not in said:
                    self._counts["known already"] += 1
                    continue
                told = manifest.get(key)
                yield Task(each.row, manifest_object(told) if told else None, said.get(key, []))

    async def _in_vain(self, catalog: Catalog) -> None:
        async for key in catalog.rows(told_in_vain):
            error = ItemError("object-missing", f"It is in the list, but not in {self._dest}.")
            self._tell(Done(ObjectEvent("record", key, "failed", error=error)))

    async def _missing(self, catalog: Catalog, store: Store, run: Run) -> None:
        """Record what the manifest tells of and the store does not hold: that it is missing is found again, and can be mended."""
        async for page in pages(catalog.rows(read_untaken, run.store_id)):
            gone = [manifest_object(row) for row in page if await store.head(row["key"]) is None]
            await catalog.write(put_adopted, run.store_id, run.id, [adopted_of(each, each.token) for each in gone])
            for each in gone:
                said = "The manifest tells of it, and it is not there: it was recorded so."
                error = ItemError("object-missing", f"{said} `verify --mirror DEST --repair` brings it back.")
                self._tell(Done(ObjectEvent("record", each.key, "missing", error=error)))

    def _tell(self, done: Done) -> None:
        failed = done.event.error is not None
        self.failed = self.failed or failed
        self._counts["failed" if failed else "objects recorded"] += 1
        self._bytes += done.event.size or 0
        self._emit(done.event)


async def _sets(catalog: Catalog) -> AsyncIterator[dict[str, Any]]:
    async for row in catalog.rows(read_manifest):
        if row["type"] == "set":
            yield row


async def _entries(store: Store) -> AsyncIterator[Entry]:
    async for row in store.list():
        yield row.key, row.size, row.token, None

"""Compare two places key by key and say what differs. Nothing is written: no object, no catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.errors import FetchError, StoreError, UsageError
from mediamirror.first_use import dataclass
from mediamirror.jobs.run.pipeline import run_window
from mediamirror.jobs.run.session import open_run
from mediamirror.jobs.sync.listing import Between, LentCatalog, Listed, Listen, Sorter, pairs
from mediamirror.jobs.sync.places import Place
from mediamirror.jobs.sync.plan import (
    ATTRIBUTES,
    OTHER_ATTRIBUTES,
    SAME_ATTRIBUTES,
    CompareHashes,
    Copy,
    Pair,
    Rules,
    Skip,
    decide,
)
from mediamirror.jobs.sync.transfer import Task, alike_served
from mediamirror.model import Compared, Held, Mark, Problem, SyncSummary, Workload
from mediamirror.settings import CompareOptions, StoreOptions, SyncOptions
from mediamirror.store.base import Store

_STATUS = {
    Mark.SAME: "same",
    Mark.DIFFERS: "differ",
    Mark.NOT_IN_DEST: "not in DEST",
    Mark.NOT_IN_SRC: "not in SRC",
    Mark.ERROR: "failed",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """A comparison, and the bytes read for it."""

    event: Compared
    bytes_in: int = 0


async def check(
    source: str | Store,
    destination: str | Store,
    *,
    options: SyncOptions | None = None,
    catalog: Path | None = None,
    on_event: Listen | None = None,
) -> SyncSummary:
    """Compare two places, each a directory or ``s3://bucket/prefix``; emit a `Compared` for every key of either.

    Of the options, ``compare``, ``store``, ``source`` and ``concurrency`` count. Recorded hashes of ``catalog`` (default: that
    of the destination, if there is one) are trusted where the listing shows the recorded state, unless ``compare.download``
    wants the bytes of both sides. Returns the `SyncSummary`, exit code 1 on any difference or failure. Raises `UsageError`
    when a side can't be read at all.
    """
    run = _CheckRun(source, destination, options or SyncOptions(), on_event or (lambda _: None))
    return await run.run(catalog)


class _CheckRun(Between):
    def __init__(self, source: str | Store, destination: str | Store, options: SyncOptions, emit: Listen) -> None:
        super().__init__(source, destination, options, emit)
        self._bytes = self._planned = 0
        closer = self._compare.checksum or self._compare.download or self._compare.attributes
        if self._compare.size_only and closer:
            raise UsageError("--size-only excludes --checksum, --download and --attributes. Give one of them.")

    async def run(self, catalog_path: Path | None) -> SyncSummary:
        async with open_run(self._needs("check", catalog_path), conclude=self._summary, emit=self._emit) as session:
            await self._all(session.catalog, *await self._sides(session, 0, self._notice, self._notice))
        return session.summary

    async def _all(self, catalog: Catalog, lent: LentCatalog, left: Listed, right: Listed) -> None:
        rules = Rules(size_only=self._compare.size_only, attributes=self._compare.attributes)
        sorter = Sorter(left, rules, self._same)
        looker = _Looker(left.place, right.place, self._compare)
        with sorter.work, sorter.extra:
            async for page in pairs(left, right, catalog, lent, self._compare):
                for pair in page:
                    sorter.add(_unknown(pair) if self._compare.download else pair)
            self._planned = len(sorter.work)
            self._emit(Workload(sorter.sources + len(sorter.extra), self._planned, sorter.bytes))

            async def record(seen: Sequence[_Seen]) -> None:
                for one in seen:
                    self._count(one)

            await run_window(aiter(sorter.work), looker.handle, record, width=self._options.concurrency)
            if not self._compare.one_way:
                async for key in sorter.extra:
                    self._count(_Seen(Compared(Mark.NOT_IN_SRC, key, "not in the source")))
        if not self._statuses:
            chosen = " that --include and --exclude choose" if self._compare.include or self._compare.exclude else ""
            holder = "SRC holds no object" if self._compare.one_way else "Neither SRC nor DEST holds an object"
            self._emit(
                Problem("no-objects", f"Nothing was compared: {holder}{chosen}. Check their paths and prefixes.")
            )
            self._failed = True

    def _same(self, pair: Pair, decision: Skip) -> None:
        size = pair.source.size if pair.source else None
        self._count(_Seen(Compared(Mark.SAME, pair.key, decision.reason, size)))

    def _count(self, seen: _Seen) -> None:
        self._statuses[_STATUS[seen.event.mark]] += 1
        self._bytes += seen.bytes_in
        self._emit(seen.event)

    def _summary(self, interrupted: bool) -> SyncSummary:
        differs = bool(self._statuses.keys() - {"same"})
        return self._ended(interrupted, failed=differs or self._failed, bytes_in=self._bytes)


def _unknown(pair: Pair) -> Pair:
    """Forget what is recorded: the bytes alone count."""
    source, destination = pair.source, pair.destination
    sides = [each._replace(sha256=None, twin=None) if each else None for each in (source, destination)]
    return Pair(pair.key, *sides)


class _Looker:
    """Finds the hashes that are missing. Safe to call concurrently."""

    def __init__(self, source: Place, destination: Place, compare: CompareOptions) -> None:
        self._source = source
        self._destination = destination
        self._read = (compare.checksum or compare.download, compare.download)
        self._rules = Rules(attributes=compare.attributes)

    async def handle(self, task: Task) -> _Seen:
        """Return what is to be said of the key; only cancellation leaves this function as an exception."""
        pair = task.pair
        size = pair.source.size if pair.source else None
        if isinstance(task.decision, Copy):
            return _Seen(_difference(pair, task.decision, size))
        try:
            return await self._look(pair, size)
        except (StoreError, FetchError) as error:
            return _Seen(Compared(Mark.ERROR, pair.key, error.message, size))
        except Exception as error:  # a defect of ours in one item must not end the run for the others
            return _Seen(
                Compared(Mark.ERROR, pair.key, f"an unexpected {type(error).__name__}; please report it", size)
            )

    async def _look(self, pair: Pair, size: int | None) -> _Seen:
        read = 0
        sides: list[Held] = []
        for held, place, whole in zip(
            (pair.source, pair.destination), (self._source, self._destination), self._read, strict=True
        ):
            if held is None:
                raise ValueError("one side alone needs no look")
            if held.sha256 is None:
                digest = await place.digest(held.row, read=whole)
                read += digest.bytes_read
                held = held.knowing(digest.sha256)  # noqa: PLW2901
            sides.append(held)
        decision = decide(sides[0], sides[1], self._rules)
        if decision == ATTRIBUTES:
            alike = await alike_served(self._source, self._destination, sides[0], sides[1], StoreOptions())
            decision = SAME_ATTRIBUTES if alike else OTHER_ATTRIBUTES
        if isinstance(decision, Skip):
            return _Seen(Compared(Mark.SAME, pair.key, decision.reason, size), read)
        return _Seen(_difference(pair, decision, size), read)


def _difference(pair: Pair, decision: object, size: int | None) -> Compared:
    reason = decision.reason if isinstance(decision, Copy | CompareHashes) else "differs"
    return Compared(Mark.NOT_IN_DEST if pair.destination is None else Mark.DIFFERS, pair.key, reason, size)

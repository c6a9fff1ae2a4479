"""One item of a sync: look closer where that is needed, then copy by the shortest way. Failures become results.

Objects that only extra ones keep from being files (in a directory ``a`` and ``a/b`` can't both be) are set aside: what is in the
way is deleted first, and the copy is tried again.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from pathlib import Path

from mediamirror.errors import FetchError, NameTaken, ObjectCorrupt, SourceChanged, StoreDenied, StoreError
from mediamirror.first_use import dataclass, replace
from mediamirror.jobs.sync.local import Content, LocalPlace
from mediamirror.jobs.sync.places import Place, drop
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
    same_attributes,
)
from mediamirror.model import Held, ItemError, ObjectEvent, StoredObject
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Store
from mediamirror.store.s3.headers import MOST_COPIED

_DONE = {"upload": "uploaded", "download": "downloaded", "copy": "copied"}

log = logging.getLogger("mediamirror")


@dataclass(frozen=True, slots=True)
class Task:
    """A key that needs more than its listing."""

    pair: Pair
    decision: Copy | CompareHashes


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one key: the event, what may be recorded of either side, and the bytes that went in and out.

    ``status`` counts it: ``uploaded``, ``downloaded``, ``copied`` (by the server, or between directories), ``skipped``,
    ``deleted``, ``failed``.
    """

    event: ObjectEvent
    status: str
    source: Held | None = None
    destination: Held | None = None
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where. ``op`` is what a copy through here is called: ``upload``, ``download``, or ``copy``."""

    source: Place
    source_store: Store
    source_name: str
    destination: Place
    store: Store
    op: str
    spool: Path


class Transfer:
    """Handles tasks; safe to call concurrently."""

    def __init__(self, route: Route, *, rules: Rules, checksum: bool, given: StoreOptions) -> None:
        self._route = route
        self._rules = rules
        self._checksum = checksum
        self._given = given
        self._by_server = route.store.copies_from(route.source_store)

    async def handle(self, task: Task) -> Done:
        """Return what became of the key; only cancellation leaves this function as an exception."""
        return await self.guarded(task.pair.key, self._route.op, lambda: self._handle(task))

    async def delete(self, key: str) -> Done:
        """Remove one object of the destination."""

        async def work() -> Done:
            await self._route.store.delete(key)
            return Done(ObjectEvent("delete", key, "not in the source"), "deleted")

        return await self.guarded(key, "delete", work)

    async def guarded(self, key: str, op: str, work: Callable[[], Awaitable[Done]]) -> Done:
        """Await ``work``; an error of ours, or a defect, becomes a failed result."""
        try:
            return await work()
        except (StoreError, FetchError) as error:
            return _failed(key, op, error.code, error.message)
        except Exception as error:
            log.exception("unexpected error for %s", key)
            return _failed(
                key, op, "internal", f"An unexpected {type(error).__name__} stopped this item; please report it."
            )

    async def _handle(self, task: Task) -> Done:
        source, destination = task.pair.source, task.pair.destination
        if source is None:
            raise ValueError("a task without source")
        if isinstance(task.decision, CompareHashes) and destination is not None:
            return await self._look(task, source, destination)
        return await self._copy(source, task.decision.reason, recorded=source.sha256)

    async def _look(self, task: Task, source: Held, destination: Held) -> Done:
        """Learn what is missing of the two hashes, or how both are served, and act on it."""
        key, read, there, recorded = task.pair.key, None, None, source.sha256
        same = task.decision == ATTRIBUTES
        if source.sha256 is None and not same:
            read = await self._route.source.digest(source.row, read=self._checksum)
            source = source.knowing(read.sha256)
        if destination.sha256 is None and not same:
            there = await self._route.destination.digest(destination.row, read=False)
            destination = destination.knowing(there.sha256)
        bytes_in = sum(digest.bytes_read for digest in (read, there) if digest)
        known = read.holding if read else None
        decision = ATTRIBUTES if same else decide(source, destination, self._rules)
        if decision == ATTRIBUTES:
            alike = await alike_served(self._route.source, self._route.destination, source, destination, self._given)
            decision = SAME_ATTRIBUTES if alike else OTHER_ATTRIBUTES
        if isinstance(decision, Skip):
            event = ObjectEvent("skip", key, decision.reason, source.size)
            return Done(event, "skipped", known, there.holding if there else None, bytes_in)
        done = await self._copy(source, decision.reason, recorded=recorded)
        return replace(done, source=done.source or known, bytes_in=done.bytes_in + bytes_in)

    async def _copy(self, source: Held, reason: str, *, recorded: str | None) -> Done:
        """Copy an object; ``recorded`` is what was known of its bytes before they were looked at."""
        event = ObjectEvent(self._route.op, source.key, reason, source.size)
        by_server = self._by_server and source.token is not None and source.size <= MOST_COPIED
        if by_server and (done := await self._copy_by_server(source, replace(event, op="copy"))) is not None:
            return done
        if self._route.store.previews:
            return Done(event, _DONE[self._route.op])
        content = await self._route.source.load(source.row)
        try:
            _refuse_rot(source, recorded, content)
            stored = await self._put(source.key, content)
        finally:
            drop(content.body, spool=self._route.spool)
        return Done(
            replace(event, size=stored.size),
            _DONE[self._route.op],
            content.holding,
            stored.held(content.body.sha256),
            content.body.size,
            content.body.size,
        )

    async def _put(self, key: str, content: Content) -> StoredObject:
        try:
            return await self._route.store.put(key, content.body, content.attributes)
        except ObjectCorrupt as error:
            # A large file is read twice, for its hash and on its way: a second reading that differs is a change.
            if content.body.path is not None and content.body.path.parent != self._route.spool:
                raise SourceChanged(
                    f"{content.body.path} changed while it was read; nothing was stored. Run the same command again."
                ) from error
            raise

    async def _copy_by_server(self, source: Held, event: ObjectEvent) -> Done | None:
        """Let the server copy; None when it may not (then the bytes go through here)."""
        store = self._route.store
        try:
            stored = await store.copy_from(self._route.source_store, source.row, source.sha256)
        except StoreDenied:
            self._by_server = False
            return None
        known = source.row.held(stored.sha256) if stored.sha256 else None
        twin = source.state(self._route.source_name)
        there = stored.held(stored.sha256, twin)
        return Done(event, "copied", known, there)


async def alike_served(source: Place, destination: Place, one: Held, other: Held, given: StoreOptions) -> bool:
    """Whether two objects of the same bytes have the same attributes too; a directory keeps none."""
    if isinstance(destination, LocalPlace):
        return True
    wanted, there = await source.attributes(one.row), await destination.attributes(other.row)
    return same_attributes(wanted, there, given, whole=not isinstance(source, LocalPlace))


def _refuse_rot(source: Held, recorded: str | None, content: Content) -> None:
    """Raise `ObjectCorrupt` when nobody wrote to an object and its bytes are others than those recorded of it."""
    seen = content.holding
    if recorded is None or seen is None or seen.sha256 == recorded or seen.token != source.token:
        return
    raise ObjectCorrupt(
        f"{source.key} in the source holds other bytes than those recorded for it, and nothing has written to it since: it was not "
        "copied. Restore it from another copy; if the bytes are right, add --checksum."
    )


def _failed(key: str, op: str, code: str, message: str) -> Done:
    return Done(ObjectEvent(op, key, "failed", error=ItemError(code, message)), "failed")


MOST = 10_000
"""Copies that are set aside; more of them fail, and the next run goes on with them."""

Handled = tuple[Task, Done]


class SetAside:
    """Keeps at most ``most`` copies that failed since a name is taken."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.tasks: list[Task] = []
        self.failures: list[Done] = []
        """What would be told of them, were they not tried again."""

    def around(self, handle: Callable[[Task], Awaitable[Done]]) -> Callable[[Task], Awaitable[Handled]]:
        """Return ``handle`` with the task beside what became of it."""

        async def both(task: Task) -> Handled:
            return task, await handle(task)

        return both

    def before(
        self, record: Callable[[Sequence[Done]], Awaitable[None]]
    ) -> Callable[[Sequence[Handled]], Awaitable[None]]:
        """Return ``record`` for what is not set aside."""

        async def rest(batch: Sequence[Handled]) -> None:
            await record([done for task, done in batch if not self._takes(task, done)])

        return rest

    def _takes(self, task: Task, done: Done) -> bool:
        error = done.event.error
        if error is None or error.code != NameTaken.code or len(self.tasks) >= self._most:
            return False
        self.tasks.append(task)
        self.failures.append(done)
        return True

    def is_in_the_way(self, key: str) -> bool:
        """Whether a copy that was set aside lies under ``key``, or ``key`` under one of them. Ask when all are known."""
        if not self.tasks:
            return False
        at = bisect_left(self._keys, key + "/")
        below = at < len(self._keys) and self._keys[at].startswith(key + "/")
        return below or any(self._has(key[:end]) for end, letter in enumerate(key) if letter == "/")

    @cached_property
    def _keys(self) -> list[str]:
        return sorted(task.pair.key for task in self.tasks)

    def _has(self, key: str) -> bool:
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key

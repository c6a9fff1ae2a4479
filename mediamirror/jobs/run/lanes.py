"""The sliding window over many hosts: none is asked more than it bears, and none holds up the others.

    source ──> a lane per host ──> ready lanes in turn ──> tasks, ``width`` of them under way ──> recorder
                    └── parked while the host is quiet, spaced or not there

A task that only waits (for its host's turn, for the next try) steps aside and lets another host's run. A lane with as many
tasks aside as its host takes requests at once hands out no more until one of them goes on. So memory is bounded by the
number of tasks, the pages read ahead and the number of hosts, not by the number of items.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from itertools import count
from typing import Generic, Protocol, TypeVar

from mediamirror.fetch.hosts import Outlook, step_aside_by
from mediamirror.first_use import dataclass
from mediamirror.jobs.run.pipeline import run_recorded

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)

READ_AHEAD = 1024
"""Items read ahead over all lanes, about."""

OPEN_LANES = 1024
"""Lanes that hold items or tasks at once, at most."""

MOST_ASIDE = 2048
"""Tasks that wait aside at once, at most."""

PER_REQUEST = 2
"""Items under way for each request that may run: while one is being stored, another can be fetched."""

ROUNDS = 3
"""Times that an item is re-queued because of its host."""


@dataclass(frozen=True, slots=True)
class Later(Generic[R]):
    """A provisional result: the host backs off or can't be reached. The item is re-queued; the result stands if that is in vain."""

    result: R


class Source(Protocol[T_co]):
    """A queue of any length whose items lie host by host."""

    def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        """Yield each host with its first and last place."""
        ...

    async def read(self, after: int, last: int, limit: int) -> Sequence[tuple[int, T_co]]:
        """Return up to ``limit`` items from the places after ``after`` up to ``last``, each with its place."""
        ...


async def run_lanes(
    source: Source[T],
    handle: Callable[[T], Awaitable[R | Later[R]]],
    record: Callable[[Sequence[R]], Awaitable[None]],
    *,
    width: int,
    host_width: int,
    outlook: Callable[[str], Outlook],
) -> None:
    """Handle every item, ``width`` at a time besides those that wait aside, and record every result.

    What `pipeline.run_window` says of results, errors and cancellation holds here too. ``host_width`` is how many requests a
    host takes at once; ``outlook`` says when it may be asked. What is not worth waiting for any more, when nothing else is
    left, is handled all the same, so that it gets a result of its own; what was re-queued keeps its provisional result.
    """
    await run_recorded(
        lambda finished: _Window(source, handle, finished.put, width, host_width, outlook).run(), record, width=width
    )


@dataclass(slots=True, eq=False)
class _Lane(Generic[T, R]):
    host: str
    place: int
    last: int
    page: list[tuple[int, T]] = field(default_factory=list)
    """Read ahead, the next one last."""
    again: list[tuple[T, R, int]] = field(default_factory=list)
    """Re-queued: the item, its provisional result, how often it was re-queued."""
    tasks: int = 0
    aside: int = 0
    final: bool = False
    """Whether nothing is waited for any more."""
    listed: bool = False
    """Whether it stands among the ready."""
    waiting: int = 0
    """The number of its parking, 0 when it is not parked."""

    @property
    def empty(self) -> bool:
        return not self.again and not self.page and self.place >= self.last


class _Window(Generic[T, R]):
    def __init__(
        self,
        source: Source[T],
        handle: Callable[[T], Awaitable[R | Later[R]]],
        finish: Callable[[R], Awaitable[None]],
        width: int,
        host_width: int,
        outlook: Callable[[str], Outlook],
    ) -> None:
        self._source = source
        self._handle = handle
        self._finish = finish
        self._host_width = host_width
        self._outlook = outlook
        self.under_way = asyncio.Semaphore(width)
        self._ready: deque[_Lane[T, R]] = deque()
        self._parked: list[tuple[float, int, _Lane[T, R]]] = []
        self._parkings = count(1)
        self._open = 0
        self._parked_lanes = 0
        self._tasks = 0
        self._aside = 0
        self._unread: AsyncIterator[tuple[str, int, int]] | None = source.lanes()
        self._changed = asyncio.Event()
        self._now = asyncio.get_running_loop().time

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while (lane := await self._next()) is not None:
                if lane.final and lane.again:
                    await self._finish(lane.again.pop(0)[1])
                    self._list(lane)
                    continue
                # Nothing is held while a lane is waited for: the last place may be what a task aside needs to go on.
                await self.under_way.acquire()
                if not self._may_go(lane):
                    self.under_way.release()
                    continue
                item, tries = await self._take(lane)
                lane.tasks += 1
                self._tasks += 1
                group.create_task(self._one(lane, item, tries))
                self._list(lane)

    async def _one(self, lane: _Lane[T, R], item: T, tries: int) -> None:
        place = _Seat(self, lane)
        step_aside_by(lambda: place)
        try:
            result = await self._handle(item)
            if not isinstance(result, Later):
                await self._finish(result)
            elif lane.final or tries >= ROUNDS:
                await self._finish(result.result)
            else:
                lane.again.append((item, result.result, tries + 1))
        finally:
            place.leave()
            lane.tasks -= 1
            self._tasks -= 1
            self._list(lane)
            self._changed.set()

    def step_aside(self, lane: _Lane[T, R]) -> None:
        lane.aside += 1
        self._aside += 1
        self.under_way.release()

    def step_in(self, lane: _Lane[T, R]) -> None:
        lane.aside -= 1
        self._aside -= 1
        self._list(lane)
        self._changed.set()

    async def _next(self) -> _Lane[T, R] | None:
        """Return the lane whose turn it is, waiting until there is one; None when all is done."""
        while True:
            self._changed.clear()
            await self._open_lanes()
            self._wake()
            while self._ready and self._aside < MOST_ASIDE:
                lane = self._ready.popleft()
                lane.listed = False
                if self._may_go(lane):
                    return lane
            if not self._ready and not self._tasks and not self._worth_waiting():
                if not self._parked_lanes:
                    return None
                self._give_up()
                continue
            await self._wait()

    def _may_go(self, lane: _Lane[T, R]) -> bool:
        if lane.empty or lane.final:
            return not lane.empty
        view = self._outlook(lane.host)
        if view.seconds > 0:
            self._park(lane, view)
            return False
        # Whoever steps in again, or ends, lists the lane anew.
        return lane.aside < self._host_width and not (view.probe and lane.tasks)

    def _list(self, lane: _Lane[T, R]) -> None:
        """Put a lane at the end of the ready ones, out of its parking if it is parked; close it when it is done."""
        if lane.listed:
            return
        self._unpark(lane)
        if not lane.empty:
            lane.listed = True
            self._ready.append(lane)
        elif not lane.tasks:
            self._open -= 1

    def _unpark(self, lane: _Lane[T, R]) -> None:
        if lane.waiting:
            lane.waiting = 0
            self._parked_lanes -= 1

    def _park(self, lane: _Lane[T, R], view: Outlook) -> None:
        if not view.hopeful:
            lane.page.clear()  # for long: what was read ahead can be read again
        self._unpark(lane)
        lane.waiting = next(self._parkings)
        self._parked_lanes += 1
        heapq.heappush(self._parked, (self._now() + view.seconds, lane.waiting, lane))

    def _wake(self) -> None:
        now = self._now()
        while self._parked and (self._parked[0][0] <= now or self._parked[0][1] != self._parked[0][2].waiting):
            _, number, lane = heapq.heappop(self._parked)
            if number == lane.waiting:
                self._list(lane)

    def _worth_waiting(self) -> bool:
        return any(number == lane.waiting and self._outlook(lane.host).hopeful for _, number, lane in self._parked)

    def _give_up(self) -> None:
        """Nothing is left but hosts that are not worth waiting for: their items are to get what results they can."""
        parked, self._parked = self._parked, []
        for _, number, lane in parked:
            if number == lane.waiting:
                lane.final = True
                self._list(lane)

    async def _wait(self) -> None:
        seconds = self._parked[0][0] - self._now() if self._parked else None
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _open_lanes(self) -> None:
        while self._unread is not None and self._open - self._parked_lanes < OPEN_LANES:
            try:
                host, first, last = await anext(self._unread)
            except StopAsyncIteration:
                self._unread = None
                return
            self._open += 1
            self._list(_Lane(host, first - 1, last))

    async def _take(self, lane: _Lane[T, R]) -> tuple[T, int]:
        if lane.again:
            item, _, tries = lane.again.pop(0)
            return item, tries
        if not lane.page:
            limit = max(1, min(256, READ_AHEAD // max(1, self._open)))
            lane.page.extend(reversed(await self._source.read(lane.place, lane.last, limit)))
        lane.place, item = lane.page.pop()
        return item, 0


class _Seat(AbstractAsyncContextManager[None]):
    """A task's seat among those under way. As a context it is given up, and taken again at the end."""

    def __init__(self, window: _Window[T, R], lane: _Lane[T, R]) -> None:
        self._window = window
        self._lane = lane
        self._held = True
        self._depth = 0

    async def __aenter__(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self._held = False
            self._window.step_aside(self._lane)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        self._window.step_in(self._lane)
        if kind is None:
            await self._window.under_way.acquire()
            self._held = True

    def leave(self) -> None:
        if self._held:
            self._window.under_way.release()

"""A run that several workers share: shards go to an engine, results come back while it works, what a dead worker had is done again.

    work list ──> planner ──> shard ──> engine: one of the workers ──> results, a few at a time ──> the run's recorder
                     ^          └── its worker died: what has no result yet goes to others in pieces
                     └────── seconds that a request of each host took ──────┘

Workers publish into DEST themselves; the run that shares its work holds DEST and the catalog, plans, records and tells. An engine
only runs, and tries nothing again: what is run again, when, and what is said of it is decided here. A shard that is run again is read
anew from the catalog, so that nothing is asked for that has come back already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

from mediamirror.catalog.results import Record
from mediamirror.catalog.work import WorkItem
from mediamirror.errors import WorkerLost
from mediamirror.fetch.hosts import KnownHost
from mediamirror.first_use import dataclass
from mediamirror.jobs.mirror.publish import Stripper
from mediamirror.jobs.run.lanes import Source
from mediamirror.jobs.run.pipeline import BATCH, run_recorded
from mediamirror.jobs.run.shards import Limits, Planner, Shard
from mediamirror.model import ItemError, Outcome, Problem, Status
from mediamirror.settings import MirrorOptions

TRIES = 8
"""How many workers an image may have been with when they died: fewer may die by chance where workers are killed all the time."""
PIECES = 8
"""Into how many pieces what a worker died of is cut."""
MOST_LOST = 40
"""How many workers may be lost without a single result between: then it is not the images that they die of."""
GUESS = 0.2
"""Seconds that a request takes, as long as none was made."""
SILENCE = 900.0
"""Seconds without a result after which a worker counts as lost; a host that is asked seldom gets more."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker has to know. It travels: plain data, and no secret that its environment could give it."""

    to: str
    options: MirrorOptions
    own_origins: frozenset[str]
    was_empty: bool
    """Whether DEST held nothing when the run began."""
    folds_case: bool
    first: int
    """The first of the runs that this one goes on with."""
    resumes: bool
    """Whether that run was cut off: its workers may be at it for a moment still."""
    level: int
    """From which level on a worker logs."""


@dataclass(frozen=True, slots=True)
class Work:
    """A shard as a worker gets it: its items lie host by host.

    ``known`` is what other workers have learnt of its hosts, ``goes_on`` those that have more items than these.
    """

    number: int
    items: tuple[WorkItem, ...]
    keep_short: bool
    known: Mapping[str, KnownHost]
    goes_on: frozenset[str]


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a shard: seconds that a request took, by host, what stripping left as it was, and what was learnt of hosts."""

    paces: Mapping[str, float]
    stripper: Stripper | None
    known: Mapping[str, KnownHost]


Said: TypeAlias = "Sequence[Record] | Mapping[str, KnownHost] | Finished"
"""Results, or hosts that must not be asked for a while, or the end."""
Told: TypeAlias = AsyncGenerator[Said, None]


class Engine(Protocol):
    """Runs shards, each call once, ``workers`` of them at the same time. It never tries anything again.

    ``run`` yields results as they come, what they speak of being durable in DEST, and `Finished` last of all. It raises `WorkerLost`
    when there is no worker for the shard any more; the engine then has another one for the next call. Closing the iterator early
    ends the work. `MediamirrorError` is for what the user has to change: it ends the run.
    """

    @property
    def workers(self) -> int:
        """How many calls of ``run`` may be open at the same time."""
        ...

    def run(self, work: Work) -> Told:
        """Run one shard."""
        ...


def pause(attempt: int) -> float:
    """Seconds from a worker's death to the next try of its shard: 1, 3, 7, and then 10."""
    return float(min(10, 2**attempt - 1))


class Crew:
    """Shares the work of one run. ``tell`` takes what there is to say of the workers; ``stripper`` what they left unstripped."""

    def __init__(
        self, engine: Engine, options: MirrorOptions, tell: Callable[[Problem], None], stripper: Stripper | None
    ) -> None:
        self.engine = engine
        self.limits = Limits(options.fetch.concurrency, options.fetch.host_concurrency)
        self.patience = SILENCE + 10 * options.fetch.delay
        self.tell = tell
        self.stripper = stripper
        self._seconds = self._least = 0.0
        self._shards = self._lost = self._failed = self._in_a_row = 0
        self._slowest: str | None = None
        self._known: dict[str, tuple[float, KnownHost]] = {}
        """What is known of hosts, and when it was told: what the next worker that asks them goes on with."""

    async def share(
        self,
        source: Source[WorkItem],
        record: Callable[[Sequence[Record]], Awaitable[None]],
        *,
        keep_short: bool = False,
    ) -> None:
        """Have every item of the work list handled, and record every result; ends as `run_lanes` does."""
        lanes = [lane async for lane in source.lanes()]
        planner = Planner(lanes, self.limits, workers=self.engine.workers, guess=GUESS)
        began = asyncio.get_running_loop().time()
        await run_recorded(
            lambda finished: _Sharing(self, planner, source, finished.put, keep_short).run(), record, width=BATCH
        )
        self._seconds += asyncio.get_running_loop().time() - began
        bound = planner.bound()
        self._least, self._slowest = self._least + bound.seconds, bound.host or self._slowest

    def lost(self, shard: Shard, why: str, left: int, *, again: bool) -> None:
        """Count a worker that died, and name its shard. Raises `WorkerLost` when no worker gets anything done any more."""
        self._lost += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_LOST:
            raise WorkerLost(
                f"{MOST_LOST} workers were lost one after another, with nothing done (the last: {why}). Fix that, and run the "
                "same command again."
            )
        self._failed += 0 if again else left
        then = "they are given to another" if again else f"after {TRIES} workers they have failed"
        message = f"Shard {shard.number} lost its worker ({why}) with {left:,} of {shard.count:,} images left: {then}."
        self.tell(Problem(WorkerLost.code, message))

    def learn(self, known: Mapping[str, KnownHost]) -> None:
        """Keep what a worker has learnt of hosts."""
        now = asyncio.get_running_loop().time()
        self._known |= {host: (now, each) for host, each in known.items()}

    def known(self, hosts: Iterable[str]) -> dict[str, KnownHost]:
        """Return what holds now of what is known of hosts."""
        now = asyncio.get_running_loop().time()
        told = ((host, self._known[host]) for host in hosts if host in self._known)
        return {host: each.after(now - at) for host, (at, each) in told}

    def forget(self, hosts: Iterable[str]) -> None:
        """Let go of hosts of which nothing is left to do, but for those that must not be asked yet: there may be another turn."""
        for host, known in self.known(hosts).items():
            if not known.waits:
                del self._known[host]

    def got(self) -> None:
        """Take note that a worker got something done."""
        self._in_a_row = 0

    def began(self) -> None:
        """Count a shard."""
        self._shards += 1

    def conclude(self) -> None:
        """Say how the work was shared, and how fast it could have been."""
        if not self._shards:
            return
        why = f", the time of {self._slowest} alone: more workers can't help" if self._slowest else ""
        lost = f"; workers lost: {self._lost}, images that failed because of that: {self._failed}" if self._lost else ""
        self.tell(
            Problem(
                "work-shared",
                f"{self._shards:,} shards on {self.engine.workers} workers took {self._seconds:.1f} s{lost}. With the limits of the "
                f"hosts it takes at least {self._least:.1f} s{why}.",
            )
        )


class _Sharing:
    """One turn of a crew: as many shards under way as there are workers, until nothing is left."""

    def __init__(
        self,
        crew: Crew,
        planner: Planner,
        source: Source[WorkItem],
        finish: Callable[[Record], Awaitable[None]],
        keep_short: bool,
    ) -> None:
        self._crew = crew
        self._planner = planner
        self._source = source
        self._finish = finish
        self._keep_short = keep_short
        self._under_way = 0
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._crew.engine.workers):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        while (shard := await self._next()) is not None:
            paces = await self._handle(shard)
            async with self._changed:
                self._planner.finished(shard, paces)
                self._crew.forget(host for host in shard.hosts if not self._planner.has_more(host))
                self._under_way -= 1
                self._changed.notify_all()

    async def _next(self) -> Shard | None:
        async with self._changed:
            while (shard := self._planner.next()) is None:
                if not self._under_way:
                    return None
                await self._changed.wait()
            self._under_way += 1
            self._crew.began()
            return shard

    async def _handle(self, shard: Shard) -> Mapping[str, float]:
        """Run a shard until each of its items has a result. What a worker died of is run again in pieces, so that the rest gets
        through; what `TRIES` workers died of has failed.
        """
        done: set[int] = set()
        paces: Mapping[str, float] = {}
        pieces: deque[tuple[frozenset[int] | None, int]] = deque([(None, 1)])
        losses = 0
        while pieces:
            wanted, attempt = pieces.popleft()
            items = await self._items(shard, wanted, done)
            if not items:
                continue
            try:
                known, goes_on = self._crew.known(shard.hosts), frozenset(filter(self._planner.has_more, shard.hosts))
                paces = await self._run(Work(shard.number, items, self._keep_short, known, goes_on), done)
            except WorkerLost as lost:
                losses += 1
                again = attempt < TRIES
                left = [item for item in items if item.variant_id not in done]
                self._crew.lost(shard, str(lost), len(left), again=again)
                if again:
                    pieces.extendleft((piece, attempt + 1) for piece in _cut(left))
                    await asyncio.sleep(pause(losses))
                else:
                    await self._fail(shard, left, str(lost), done)
        return paces

    async def _fail(self, shard: Shard, items: Sequence[WorkItem], why: str, done: set[int]) -> None:
        for item in items:
            message = (
                f"Every worker that took shard {shard.number} was lost (the last: {why}). Run the same command again."
            )
            done.add(item.variant_id)
            failed = Outcome(item.variant, Status.FAILED, error=ItemError(WorkerLost.code, message))
            await self._finish(Record(item.variant_id, failed, None))

    async def _items(self, shard: Shard, wanted: frozenset[int] | None, done: set[int]) -> tuple[WorkItem, ...]:
        """The items of a shard that have no result yet, with what the catalog knows of each now; with ``wanted`` those alone."""
        items: list[WorkItem] = []
        for part in shard.slices:
            after = part.first - 1
            while page := await self._source.read(after, part.last, BATCH):
                items += [item for _, item in page if item.variant_id not in done]
                after = page[-1][0]
        return tuple(item for item in items if wanted is None or item.variant_id in wanted)

    async def _run(self, work: Work, done: set[int]) -> Mapping[str, float]:
        async with contextlib.aclosing(self._crew.engine.run(work)) as results:
            while True:
                try:
                    async with asyncio.timeout(self._crew.patience):
                        told = await anext(results)
                except TimeoutError:
                    raise WorkerLost(f"no result in {self._crew.patience:.0f} s") from None
                except StopAsyncIteration:
                    raise WorkerLost("it ended early") from None
                if isinstance(told, Mapping):
                    self._crew.learn(told)
                    continue
                if isinstance(told, Finished):
                    self._crew.learn(told.known)
                    if not done.issuperset(item.variant_id for item in work.items):
                        raise WorkerLost("it gave no result for some of them")
                    if self._crew.stripper is not None and told.stripper is not None:
                        self._crew.stripper.add(told.stripper)
                    return told.paces
                self._crew.got()
                for record in told:
                    done.add(record.variant_id)
                    await self._finish(record)


def _cut(items: Sequence[WorkItem]) -> Iterator[frozenset[int]]:
    """Cut into `PIECES`, the last first."""
    size = -(-len(items) // PIECES)
    for start in reversed(range(0, len(items), size)):
        yield frozenset(item.variant_id for item in items[start : start + size])

"""Which work is handed to which worker, when several share a run: the planner of shards. Pure: no clock, no I/O.

    lanes (host, first place, last place) ──> Planner.next() ──> Shard ──> a worker
                                                  ^                           │
                                                  └── finished(shard, paces) ─┘

A host is in one unfinished shard at most, so that its limits hold whoever works for it. The plan is made while the run goes on: how
long a request of a host takes is only known when some were made.

| host                            | its part of the next shard                                             |
|---------------------------------|------------------------------------------------------------------------|
| huge                            | as many items as its limit allows in the shard's time; the rest comes later |
| small                           | all of it; many hosts to a shard, until the shard's width is full       |
| not measured yet                | little, in a short shard: one that is three times as slow as guessed    |
|                                 | holds up nobody                                                         |
| in a shard that is not finished | nothing                                                                |

Whoever has the most time left comes first: one huge host is then never what everybody waits for in the end, unless its own limit
makes it so, which `Bound` tells.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping

from mediamirror.fetch.hosts import without_port
from mediamirror.first_use import dataclass

SHARDS_A_WORKER = 10
"""At least so many: with fewer the last ones end far apart."""
_FIRST = 0.25
"""How long a shard of hosts not measured yet is, beside one of others."""
_UNKNOWN = 1 / 3
"""The part of that which such a host may fill by the guess."""
_LEAST = 1e-6
_BRIEFEST = 0.5
"""Seconds: of a request, and of a shard, which takes a moment to hand over and to end."""
_ENDING = 3.0
"""Near the end a shard takes this part of what is left for each worker, so that all end together."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a shard may do: ``width`` requests at once, ``host_width`` of them to one host, and how many seconds it may take."""

    width: int = 64
    host_width: int = 6
    shortest: float = 5.0
    longest: float = 60.0
    most: int = 4096
    """Items in a shard, about: it is held in memory."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive places of one host in the work list, the last one included."""

    host: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many places."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Shard:
    """The unit of work. ``number`` counts from 1 in a run."""

    number: int
    slices: tuple[Slice, ...]

    @property
    def hosts(self) -> frozenset[str]:
        """Whose items these are."""
        return frozenset(part.host for part in self.slices)

    @property
    def count(self) -> int:
        """How many items."""
        return sum(part.count for part in self.slices)


@dataclass(frozen=True, slots=True)
class Bound:
    """The least seconds that work can take. ``host`` is the one whose own limit says so; None: there are too few workers."""

    seconds: float
    host: str | None


class Planner:
    """Hands out shards. ``guess`` is the seconds that a request takes where nobody knows it yet.

    Memory grows with the number of hosts, not with that of items.
    """

    def __init__(self, lanes: Iterable[tuple[str, int, int]], limits: Limits, *, workers: int, guess: float) -> None:
        self._limits = limits
        self._workers = workers
        self._guess = guess
        self._paces: dict[str, float] = {}
        self._gaps: dict[str, deque[tuple[int, int]]] = {}
        self._counts: dict[str, int] = {}
        self._sum = 0.0
        self._number = 0
        for authority, first, last in lanes:
            self._add(without_port(authority), first, last)
        self._totals = dict(self._counts)
        self._free = sum(self._counts.values())
        self._left = self._whole = self._free * guess
        """Seconds of requests: of the items that are in no shard yet, and of all."""
        self._heap = [self._entry(host) for host in self._counts]
        heapq.heapify(self._heap)

    def next(self) -> Shard | None:
        """Return the next shard; None when nothing is left but what belongs to hosts under way."""
        seconds = self._length()
        first = seconds * _FIRST
        if self._heap and self._heap[0][1] not in self._paces:
            seconds = first
        room = self._limits.width * seconds
        slices: list[Slice] = []
        while self._heap and room > 0:
            _, host = self._heap[0]
            pace = self._pace(host)
            share = seconds if host in self._paces else first * _UNKNOWN
            wanted = min(share * self._limits.host_width, self._seconds(host))
            if slices and wanted > room:
                break  # a crumb would keep its host from a shard where it has its whole part
            heapq.heappop(self._heap)
            for part in self._take(host, max(1, int(wanted / pace + 0.5))):
                slices.append(part)
                room -= part.count * pace
        if not slices:
            return None
        self._number += 1
        return Shard(self._number, tuple(slices))

    def has_more(self, host: str) -> bool:
        """Whether a host has items that are in no shard yet."""
        return self._counts[host] > 0

    def finished(self, shard: Shard, paces: Mapping[str, float]) -> None:
        """Give the hosts of a shard free again. ``paces`` are the seconds that a request took of each."""
        for host in shard.hosts:
            if host in paces:
                self._learn(host, max(paces[host], _LEAST))
            if self._counts[host]:
                heapq.heappush(self._heap, self._entry(host))
        mean = self._sum / len(self._paces) if self._paces else self._guess
        if not 0.9 < mean / self._guess < 1.1:
            self._guess = mean  # what is not measured yet takes as long as the others
            self._left = sum(map(self._seconds, self._counts))
            self._whole = sum(count * self._pace(host) for host, count in self._totals.items())
            self._heap = [self._entry(host) for _, host in self._heap]
            heapq.heapify(self._heap)

    def bound(self) -> Bound:
        """The least seconds that all the work takes, by what is known of the hosts' paces."""
        shared = self._whole / (self._workers * self._limits.width)
        alone, host = max(
            ((count * self._pace(host) / self._limits.host_width, host) for host, count in self._totals.items()),
            default=(0.0, ""),
        )
        return Bound(alone, host) if alone > shared else Bound(shared, None)

    def _length(self) -> float:
        """Seconds of the next shard: less and less towards the end, and a tenth of what a worker has to do at most."""
        at_once = self._workers * self._limits.width
        held = self._limits.most * self._left / max(1, self._free) / self._limits.width
        most = min(self._limits.longest, self._whole / at_once / SHARDS_A_WORKER, held)
        return max(min(max(self._left / at_once / _ENDING, self._limits.shortest), most), _BRIEFEST)

    def _add(self, host: str, first: int, last: int) -> None:
        self._gaps.setdefault(host, deque()).append((first, last))
        self._counts[host] = self._counts.get(host, 0) + last - first + 1

    def _take(self, host: str, most: int) -> Iterable[Slice]:
        gaps = self._gaps[host]
        while most and gaps:
            first, last = gaps.popleft()
            if last - first + 1 > most:
                gaps.appendleft((first + most, last))
                last = first + most - 1
            part = Slice(host, first, last)
            most -= part.count
            self._counts[host] -= part.count
            self._free -= part.count
            self._left -= part.count * self._pace(host)
            yield part

    def _learn(self, host: str, pace: float) -> None:
        more = pace - self._pace(host)
        self._left += more * self._counts[host]
        self._whole += more * self._totals[host]
        self._sum += pace - self._paces.get(host, 0.0)
        self._paces[host] = pace

    def _pace(self, host: str) -> float:
        return self._paces.get(host, self._guess)

    def _seconds(self, host: str) -> float:
        return self._counts[host] * self._pace(host)

    def _entry(self, host: str) -> tuple[float, str]:
        return -self._seconds(host), host

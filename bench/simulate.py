"""Simulate a run that several workers share, and say how far it is from the least time it could take.

python -m bench.simulate                       the table of docs/scale.md: Zipf worlds of a million images
python -m bench.simulate --images 1e8 --hosts 20000 --workers 64
python -m bench.simulate --cost                the cost model of docs/scale.md; its prices are assumed: bench/prices.toml
"""

from __future__ import annotations

import argparse
import heapq
import random
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mediamirror.jobs.run.shards import Limits, Planner, Shard


@dataclass(frozen=True)
class World:
    """Hosts, how many images each has, and the seconds that a request of each really takes."""

    counts: Mapping[str, int]
    paces: Mapping[str, float]

    def least(self, limits: Limits, workers: int) -> float:
        """The least seconds that a run can take: by all the work, or by the limit of the slowest host."""
        work = [count * self.paces[host] for host, count in self.counts.items()]
        return max(sum(work) / workers / limits.width, max(work) / limits.host_width)


@dataclass(frozen=True)
class Simulated:
    """What came of it: seconds, beside the least; how many shards; and the most shards that a host was in at once."""

    seconds: float
    least: float
    shards: int
    most_at_once: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.least


def zipf(images: int, hosts: int, exponent: float, *, off_by: float = 3.0, pace: float = 0.2, seed: int = 7) -> World:
    """A world in which the n-th host has 1/n^exponent of the images, and paces are up to ``off_by`` times off ``pace``."""
    luck = random.Random(seed)
    names = [f"h{n}.example" for n in range(1, hosts + 1)]
    weights = [1 / n**exponent for n in range(1, hosts + 1)]
    shares = {name: max(1, round(images * weight / sum(weights))) for name, weight in zip(names, weights, strict=True)}
    return World(shares, {name: pace * off_by ** luck.uniform(-1, 1) for name in names})


def lanes(counts: Mapping[str, int]) -> Iterable[tuple[str, int, int]]:
    """The stretches of a work list in which each host's items lie in a row."""
    place = 1
    for host, count in counts.items():
        yield host, place, place + count - 1
        place += count


def duration(shard: Shard, world: World, limits: Limits) -> float:
    """Seconds of a shard: its width and each host's limit are what it can't go beyond."""
    work: dict[str, float] = {}
    for part in shard.slices:
        work[part.host] = work.get(part.host, 0.0) + part.count * world.paces[part.host]
    return max(sum(work.values()) / limits.width, max(work.values()) / limits.host_width)


def simulate(world: World, limits: Limits, workers: int, *, guess: float = 0.2, learns: bool = True) -> Simulated:
    """Let the planner hand out all of a world; each shard takes exactly as long as its limits make it."""
    planner = Planner(lanes(world.counts), limits, workers=workers, guess=guess)
    running: list[tuple[float, int, Shard]] = []
    at_once = dict.fromkeys(world.counts, 0)
    clock, shards, most = 0.0, 0, 0
    while True:
        while len(running) < workers and (shard := planner.next()) is not None:
            for host in shard.hosts:
                at_once[host] += 1
                most = max(most, at_once[host])
            heapq.heappush(running, (clock + duration(shard, world, limits), shard.number, shard))
            shards += 1
        if not running:
            return Simulated(clock, world.least(limits, workers), shards, most)
        clock, _, shard = heapq.heappop(running)
        for host in shard.hosts:
            at_once[host] -= 1
        planner.finished(shard, {host: world.paces[host] for host in shard.hosts} if learns else {})


COMMAND_MS = 0.45
"""CPU of an image in the command itself: planned, handed out, recorded, told. It is one process's, and can't be shared."""
WORKER_MS = 0.85
"""CPU of an image in a worker, checked by its header."""
CATALOG_BYTES = 1_410
MANIFEST_BYTES = 61
"""Bytes an image; how these four were measured stands in docs/scale.md."""


def cost(images: float, cores: int, prices: dict[str, float]) -> str:
    """Return a row of the cost model: by CPU alone, as if nobody waited for origins or the network."""
    hour = images / 1000 / 3600
    hours = max(hour * COMMAND_MS, hour * WORKER_MS / cores)
    dollars = (
        images / 1000 * prices["put_per_1000"],
        hour * (COMMAND_MS + WORKER_MS) * prices["core_hour"],
        images * prices["image_kb"] / 1e6 * prices["storage_gb_month"],
    )
    sizes = (images * CATALOG_BYTES / 1e9, images * MANIFEST_BYTES / 1e9)
    told = [f"{images:,.0f}", str(cores), f"{hours:,.1f} h", *(f"{size:,.1f} GB" for size in sizes)]
    return f"| {' | '.join([*told, *(f'{each:,.0f}' for each in dollars)])} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=float, default=1e6)
    parser.add_argument("--hosts", type=int, default=3000)
    parser.add_argument("--workers", type=int, action="append")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--prices", type=Path, default=Path(__file__).with_name("prices.toml"))
    o = parser.parse_args()
    if o.cost:
        prices = tomllib.loads(o.prices.read_text(encoding="utf-8"))
        print("| images | cores | least time | catalog | manifest | PUTs, $ | CPU, $ | storage, $ a month |")
        print("|---|---|---|---|---|---|---|---|")
        for images, cores in ((1e6, 8), (1e8, 64), (1e9, 256)):
            print(cost(images, cores, prices))
        return
    print("| Zipf | workers | least | took / least | shards | without learning |")
    print("|---|---|---|---|---|---|")
    for exponent in (0.5, 1.0, 1.5):
        for workers in o.workers or (2, 8, 16, 32):
            world = zipf(int(o.images), o.hosts, exponent)
            got = simulate(world, Limits(), workers)
            static = simulate(world, Limits(), workers, learns=False)
            print(
                f"| {exponent} | {workers} | {got.least:,.0f} s | {got.ratio:.3f} | {got.shards} | {static.ratio:.2f} |"
            )


if __name__ == "__main__":
    main()

"""What the decode sandbox costs: the same images through the pool with its filter, without it, and through plain processes.

    python -m bench.sandbox [--images 400] [--rounds 7] [--workers 2]

The ways take turns, round by round, and the medians are compared: images a second, and CPU milliseconds an image (of the workers
and of this process), which say more on a machine that others use too. ``plain`` is what one would write without a sandbox: a
ProcessPoolExecutor whose workers open each image with Pillow and load every frame. Processes are started before the clock is.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from fixtures.images import make_image
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.model import Body
from mediamirror.settings import CheckOptions

SHAPES = (("webp", 480), ("webp", 1280), ("jpeg", 1920), ("png", 640), ("avif", 1280))


@dataclass
class Cost:
    """Seconds of one run: by the clock, and of CPU."""

    wall: float = 0.0
    cpu: float = 0.0


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    made = [make_image(width, width * 2 // 3, kind) for kind, width in SHAPES]
    images = [made[at % len(made)] for at in range(told.images)]
    ways: dict[str, Callable[[], Cost]] = {
        "plain": lambda: _plain(images, told.workers),
        "limits": lambda: asyncio.run(_pool(images, told.workers, sandbox=False)),
        "syscalls": lambda: asyncio.run(_pool(images, told.workers, sandbox=True)),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for at in range(told.rounds + 1):
        for name in (*ways,) if at % 2 else reversed((*ways,)):
            cost = ways[name]()
            if at:  # The first round warms the machine up.
                costs[name].append(cost)
    _print(costs, told)


def _print(costs: dict[str, list[Cost]], told: argparse.Namespace) -> None:
    wall = {name: statistics.median(cost.wall for cost in found) for name, found in costs.items()}
    cpu = {name: statistics.median(cost.cpu for cost in found) for name, found in costs.items()}
    print(f"{told.images} images, {told.workers} workers, medians of {told.rounds} rounds in turns")
    print("  way        images/s  of plain   CPU ms/image  of plain")
    for name in costs:
        rate, each = told.images / wall[name], 1000 * cpu[name] / told.images
        print(
            f"  {name:9} {rate:9.1f}  {100 * wall['plain'] / wall[name]:7.1f}%  {each:13.2f}  {100 * cpu[name] / cpu['plain']:7.1f}%"
        )
    starts = {name: 1000 * statistics.median(asyncio.run(_start(on)) for _ in range(5)) for name, on in _LEVELS}
    print(f"  from the start of a worker to its first answer: {starts['syscalls']:.0f} ms", end="")
    print(f" ({starts['limits']:.0f} ms without the filter)")


_LEVELS = (("limits", False), ("syscalls", True))


@contextmanager
def _measured(cost: Cost, pids: Iterable[int]) -> Iterator[None]:
    processes = (*pids, os.getpid())
    started, used = time.perf_counter(), sum(map(_cpu, processes))
    yield
    cost.wall, cost.cpu = time.perf_counter() - started, sum(map(_cpu, processes)) - used


def _cpu(pid: int) -> float:
    """User and system time of a process, in seconds."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


async def _pool(images: list[bytes], workers: int, *, sandbox: bool) -> Cost:
    bodies = [Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:65536]) for data in images]
    cost = Cost()
    async with DecoderPool(CheckOptions(workers=workers, sandbox=sandbox)) as pool:
        await asyncio.gather(*(pool.decode(body) for body in bodies[: 4 * workers]))
        with _measured(cost, pool.pids):
            await asyncio.gather(*(pool.decode(body) for body in bodies))
    return cost


async def _start(sandbox: bool) -> float:
    data = make_image(64, 48, "webp")
    started = time.perf_counter()
    async with DecoderPool(CheckOptions(workers=1, sandbox=sandbox)) as pool:
        await pool.decode(Body(len(data), "", data=data, prefix=data))
        return time.perf_counter() - started


def _load(data: bytes) -> int:
    from PIL import Image  # noqa: PLC0415 - in the workers only

    with Image.open(io.BytesIO(data)) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()
    return os.getpid()


def _plain(images: list[bytes], workers: int) -> Cost:
    cost = Cost()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pids = set(pool.map(_load, images[: 16 * workers]))
        with _measured(cost, pids):
            list(pool.map(_load, images))
    return cost


if __name__ == "__main__":
    main()

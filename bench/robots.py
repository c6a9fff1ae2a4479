"""``python -m bench.robots``: what the largest robots.txt files cost in memory and in time, for docs/measurements/networks.md.

``--hosts`` origins each give out 500 KiB of rules, of the kind that takes most memory; then the paths of one origin whose
rules are all wildcards are matched while another task counts how long the event loop stands still.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from itertools import pairwise
from pathlib import Path

from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Request, parse_target
from mediamirror.fetch.robots import MAX_BYTES, Robots
from mediamirror.model import Body, Download


class _Site:
    """Gives every origin the same robots.txt."""

    def __init__(self, rule: str) -> None:
        count = (MAX_BYTES - 20) // len(rule.format(0xFFFFF) + "\n")
        text = "\n".join(["User-agent: *", *(rule.format(n) for n in range(count))])
        self._data = text.encode()

    async def fetch(self, request: Request) -> Download:
        body = Body(len(self._data), "", data=self._data, prefix=self._data)
        return Download(request.url, request.url, 200, (), body, None)  # type: ignore[arg-type]


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


async def _memory(hosts: int) -> float:
    robots = Robots(_Site("Disallow: /{:05x}"), token="mediamirror")
    before = _resident()
    for number in range(hosts):
        await robots.require(parse_target(f"http://h{number}.example/~", Guard()))
    return _resident() - before


async def _longest_pause(paths: int) -> tuple[float, float]:
    robots = Robots(_Site("Disallow: *{:05x}z"), token="mediamirror")
    times = [time.perf_counter()]

    async def watch() -> None:
        while True:
            times.append(time.perf_counter())
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    for number in range(paths):
        await robots.require(parse_target(f"http://wild.example/images/2025/picture-{number}.webp", Guard()))
    watcher.cancel()
    times.append(time.perf_counter())
    return 1000 * max(b - a for a, b in pairwise(times)), 1000 * (times[-1] - times[0]) / paths


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--paths", type=int, default=20)
    chosen = parser.parse_args()
    grown = asyncio.run(_memory(chosen.hosts))
    pause, each = asyncio.run(_longest_pause(chosen.paths))
    print(f"{chosen.hosts} hosts with 500 KiB of rules each: {grown:.0f} MiB more are resident")
    print(f"500 KiB of wildcards: the loop stands still for {pause:.1f} ms at most, {each:.0f} ms for each path")
    return 0


if __name__ == "__main__":
    sys.exit(main())

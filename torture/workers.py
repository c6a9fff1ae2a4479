"""A large run that several workers share, and that are killed at random; the origin's own counts are the witness.

    python -m torture.workers                                  20,000 images on 300 hosts, 8 kills, processes
    python -m torture.workers --images 2000 --hosts 30 --engine ray

Every image has to be asked for and stored, nothing may fail, no host may be asked for more at once than it bears (a dead worker's
last requests may still be answered beside those of the next), and what is asked for twice is what was under way at a death.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fixtures.processes import descendants
from fixtures.servers.many_hosts import ManyHosts, many_hosts

HOST_WIDTH, WIDTH = 6, 64


def workers_among(pid: int) -> list[int]:
    """The processes below a run that have a shard, or wait for one."""
    return [each for each, name in descendants(pid).items() if "mirror.worker" in name or "ray::shard" in name]


def run(origin: ManyHosts, folder: Path, engine: str, kills: int, luck: random.Random) -> tuple[int, int]:
    """Run to the end while killing workers; returns the exit code and how many were killed."""
    urls = origin.write_list(folder / "urls.txt")
    words = ("mirror", str(urls), "--as", "urls", "--to", str(folder / "m"), "--allow-private", "--check", "header")
    more = ("--engine", engine, "--workers", "2", "--format", "summary")
    environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
    child = subprocess.Popen([sys.executable, "-m", "mediamirror", *words, *more], env=environment, cwd=folder)
    killed = 0
    while child.poll() is None:
        time.sleep(luck.uniform(1, 6))
        if killed < kills and origin.asked and (workers := workers_among(child.pid)):
            os.kill(luck.choice(workers), signal.SIGKILL)
            killed += 1
    return child.returncode, killed


def main() -> None:
    """Run, and say what the origin saw; exit 1 where that is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--hosts", type=int, default=300)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--engine", choices=("processes", "ray"), default="processes")
    parser.add_argument("--seed", type=int, default=3)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as name, many_hosts(o.images, o.hosts, delay=0.03) as origin:
        code, killed = run(origin, Path(name), o.engine, o.kills, random.Random(o.seed))
        stored = sum(1 for _ in (Path(name) / "m").rglob("*.webp"))
    lost = len(set(origin.urls) - set(origin.asked))
    twice = origin.asked.total() - len(origin.asked)
    most = max(origin.most.values(), default=0)
    print(
        f"{len(origin.urls):,} images on {o.hosts} hosts, {killed} workers killed: exit {code}, {stored:,} stored, {lost} never "
        f"asked for, {twice} requests more than images, {most} at once at one host at most"
    )
    sound = (code, lost, stored) == (0, 0, len(origin.urls)) and twice <= killed * WIDTH and most <= 2 * HOST_WIDTH
    sys.exit(not sound)


if __name__ == "__main__":
    main()

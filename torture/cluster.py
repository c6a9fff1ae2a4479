"""A run on a Ray cluster of two nodes into a bucket, of which a node and then the command itself are killed.

    python -m torture.cluster [--images 3000]

Three things are asked for. A node that has no credentials is found before the first image, and said once. A node that dies costs
nothing but time. A command that is killed goes on where it was when it is given again: every object is there, none was uploaded
twice but what was under way at a kill, and no host was asked for more at once than it bears. The origin and a relay before the
bucket are the witnesses.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fixtures.processes import descendants
from fixtures.relay import Relay, running_relay
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.many_hosts import ManyHosts, many_hosts
from fixtures.servers.seaweed import running_seaweed
from torture.workers import HOST_WIDTH, WIDTH

BUCKET = "media"
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


class Run:
    """The command on a cluster, into the bucket."""

    def __init__(self, origin: ManyHosts, folder: Path, address: str, environment: dict[str, str]) -> None:
        words = ("mirror", str(origin.write_list(folder / "urls.txt")), "--as", "urls", "--to", f"s3://{BUCKET}/m")
        more = (
            "--allow-private",
            "--check",
            "header",
            "--engine",
            "ray",
            "--ray-address",
            address,
            "--format",
            "summary",
        )
        self._words = [sys.executable, "-m", "mediamirror", *words, *more]
        self._how = {"env": environment | {"XDG_STATE_HOME": str(folder / "state")}, "cwd": folder, "text": True}

    def start(self) -> subprocess.Popen[str]:
        """Start it; what it says is printed."""
        return subprocess.Popen(self._words, **self._how)  # type: ignore[call-overload, no-any-return]

    def refused(self) -> subprocess.CompletedProcess[str]:
        """Run it to its end, and return what it said."""
        return subprocess.run(self._words, **self._how, capture_output=True, check=False)  # type: ignore[call-overload, no-any-return]


def wait_until(what: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    """Wait for something that happens while a run is at it."""
    while not what() and child.poll() is None:
        time.sleep(0.02)


def kill_node(node: object) -> None:
    """Kill a node at once: its raylet, and all that this has started."""
    for info in node.all_processes["raylet"]:  # type: ignore[attr-defined]
        for pid in (info.process.pid, *descendants(info.process.pid)):
            os.kill(pid, signal.SIGKILL)


def scenes(origin: ManyHosts, relay: Relay, server: S3Endpoint, folder: Path) -> list[str]:
    """Play all of it; returns what was not as it has to be."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 -- nothing else here needs Ray

    wrong: list[str] = []
    server.create_bucket(BUCKET)
    credentials = server.environment() | {"AWS_ENDPOINT_URL_S3": relay.url}
    os.environ.update(credentials)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        run = Run(origin, folder, cluster.address, dict(os.environ))
        poor = cluster.add_node(num_cpus=1, env_vars=NO_CREDENTIALS)
        done = run.refused()
        said = [line for line in done.stderr.splitlines() if "can't work for this run" in line]
        print(*said, sep="\n", flush=True)
        if done.returncode != 2 or len(said) != 1 or origin.asked:
            wrong.append(
                f"a node without credentials: exit {done.returncode}, {origin.asked.total()} asked: {done.stderr}"
            )
        cluster.remove_node(poor)
        other = cluster.add_node(num_cpus=1)
        child = run.start()
        wait_until(lambda: origin.asked.total() > len(origin.urls) // 4, child)
        kill_node(other)
        wait_until(lambda: origin.asked.total() > len(origin.urls) // 2, child)
        child.kill()
        child.wait()
        print(f"killed the command after {origin.asked.total():,} requests", flush=True)
        if (code := run.start().wait()) != 0:
            wrong.append(f"the command given again: exit {code}")
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]
    return wrong


def main() -> None:
    """Play it, and say what the witnesses saw; exit 1 where that is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--hosts", type=int, default=60)
    o = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as name,
        running_seaweed(Path(name) / "weed") as server,
        running_relay(server.url) as relay,
        many_hosts(o.images, o.hosts, delay=0.05) as origin,
    ):
        wrong = scenes(origin, relay, server, Path(name))
        pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="m/")
        stored = sum(each["Key"].endswith(".webp") for page in pages for each in page.get("Contents", ()))
        puts = Counter(each.target for each in relay.passed() if each.method == "PUT" and ".webp" in each.target)
    twice = puts.total() - len(puts)
    most = max(origin.most.values(), default=0)
    told = f"{len(origin.urls):,} images: {stored:,} stored, {twice} uploaded twice, {most} at once at one host at most"
    print(told, *wrong, sep="\n")
    sound = stored == len(origin.urls) and twice <= 3 * WIDTH and most <= 2 * HOST_WIDTH
    sys.exit(bool(wrong) or not sound)


if __name__ == "__main__":
    main()

"""Sync a directory to a bucket: ours beside rclone, s5cmd and the AWS CLI, in turns, in one run.

Three times each round: a first sync into a new prefix, the same again with nothing changed, and again after one file in a
hundred was changed. Figures of one run are compared with each other only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import Cost, measure
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed

OUT = Path(__file__).resolve().parent / "out"
BUCKET = "bench"
PHASES = ("first", "nothing changed", "1% changed")
LIMIT = 600.0
"""Seconds after which one command is given up."""

Words = Callable[[Path, str], list[str]]
"""Source and prefix to a command line."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The files, the bucket, and where logs and catalogs go."""

    source: Path
    bucket: S3Endpoint
    scratch: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of every tool: credentials, rclone's remote, and nothing of the user's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_", "RCLONE_", "S3_"))}
        remote = {
            "TYPE": "s3",
            "PROVIDER": "SeaweedFS",
            "ACCESS_KEY_ID": self.bucket.access_key,
            "SECRET_ACCESS_KEY": self.bucket.secret_key,
            "ENDPOINT": self.bucket.url,
            "REGION": self.bucket.region,
            "NO_CHECK_BUCKET": "true",
        }
        return {
            **kept,
            **self.bucket.environment(),
            **{f"RCLONE_CONFIG_BENCH_{name}": value for name, value in remote.items()},
            "RCLONE_CONFIG": os.devnull,
            "XDG_STATE_HOME": str(self.scratch / "state"),
        }


def tools(ground: Ground, concurrency: int) -> dict[str, Words]:
    """Return the command of each tool that is installed; s5cmd and aws only if they are on the PATH."""
    url, many = ground.bucket.url, str(concurrency)

    def ours(source: Path, prefix: str) -> list[str]:
        words = [executable("mediamirror"), "sync", str(source), f"s3://{BUCKET}/{prefix}", "--endpoint-url", url]
        return [*words, "--concurrency", many, "--quiet"]

    def rclone(source: Path, prefix: str) -> list[str]:
        words = [executable("rclone"), "sync", str(source), f"bench:{BUCKET}/{prefix}", "--checksum"]
        return [*words, "--transfers", many, "--checkers", many]

    def s5cmd(source: Path, prefix: str) -> list[str]:
        words = [
            shutil.which("s5cmd") or "s5cmd",
            "--endpoint-url",
            url,
            "--numworkers",
            many,
            "--log",
            "error",
            "sync",
        ]
        return [*words, f"{source}/", f"s3://{BUCKET}/{prefix}/"]

    def aws(source: Path, prefix: str) -> list[str]:
        words = [shutil.which("aws") or "aws", "s3", "sync", str(source), f"s3://{BUCKET}/{prefix}"]
        return [*words, "--endpoint-url", url, "--only-show-errors"]

    found: dict[str, Words] = {"mediamirror": ours, "rclone": rclone}
    found |= {name: words for name, words in (("s5cmd", s5cmd), ("aws", aws)) if shutil.which(name)}
    return found


def write_files(root: Path, count: int, mean: int, seed: int = 1) -> None:
    """Write ``count`` files of random bytes around ``mean`` bytes, a hundred in a directory."""
    chance = random.Random(seed)
    for number in range(count):
        path = root / f"set-{number // 100:04}" / f"image-{number:06}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF\0\0\0\0WEBP" + chance.randbytes(chance.randint(mean // 3, mean * 5 // 3)))


def change_some(root: Path, seed: int) -> None:
    """Flip a byte of one file in a hundred and keep its size; its time changes, or no peer would see it."""
    paths = sorted(root.rglob("*.webp"))
    for path in random.Random(seed).sample(paths, max(1, len(paths) // 100)):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)


def one_round(ground: Ground, commands: dict[str, Words], number: int) -> dict[str, dict[str, Cost]]:
    """Run the three phases with every tool, the tools in turns, in another order each round."""
    costs: dict[str, dict[str, Cost]] = {name: {} for name in commands}
    order = list(commands)
    for phase in PHASES:
        if phase == PHASES[2]:
            change_some(ground.source, seed=number)
        random.Random(f"{number}-{phase}").shuffle(order)
        for name in order:
            log = ground.scratch / f"{name}-{number}.log"
            words = commands[name](ground.source, f"{name}-{number}")
            costs[name][phase] = measure(words, environment=ground.environment(), log=log, limit=LIMIT)
    for name in commands:
        _check_arrived(ground, f"{name}-{number}")
    return costs


def _check_arrived(ground: Ground, prefix: str) -> None:
    pages = ground.bucket.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    found = sum("/_mediamirror/" not in row["Key"] for page in pages for row in page.get("Contents", []))
    expected = sum(1 for _ in ground.source.rglob("*.webp"))
    if found != expected:
        raise RuntimeError(f"{prefix}: {found} of {expected} objects arrived.")


def summarise(rounds: Sequence[dict[str, dict[str, Cost]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Reduce to medians by tool and phase, and the median of each peer's seconds over ours, taken round by round."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in rounds[0]:
        result[name] = {}
        for phase in PHASES:
            costs = [each[name][phase] for each in rounds]
            ratio = statistics.median(each[name][phase].seconds / each["mediamirror"][phase].seconds for each in rounds)
            result[name][phase] = {
                "seconds": round(statistics.median(c.seconds for c in costs), 3),
                "cpu": round(statistics.median(c.cpu for c in costs), 3),
                "peak_rss_mib": round(statistics.median(c.peak_rss for c in costs) / 2**20, 1),
                "times_ours": round(ratio, 2),
            }
    return result


def show(summary: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the table."""
    print(f"\n{'':<14}{'phase':<18}{'seconds':>9}{'CPU s':>8}{'RSS MiB':>9}{'x ours':>8}")
    for name, phases in summary.items():
        for phase, row in phases.items():
            print(
                f"{name:<14}{phase:<18}{row['seconds']:>9.2f}{row['cpu']:>8.2f}{row['peak_rss_mib']:>9.0f}"
                f"{row['times_ours']:>8.2f}"
            )


@contextmanager
def prepared(count: int, mean: int) -> Iterator[Ground]:
    """Write the files, start the server, and take everything away in the end."""
    with tempfile.TemporaryDirectory(prefix="mediamirror-bench-") as folder:
        scratch = Path(folder)
        write_files(scratch / "source", count, mean)
        with running_seaweed(scratch / "seaweed") as bucket:
            bucket.create_bucket(BUCKET)
            yield Ground(scratch / "source", bucket, scratch)


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.sync", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=2000, help="2000, or 50000 for the long list")
    parser.add_argument("--mean", type=int, default=67_000, help="mean size in bytes")
    parser.add_argument(
        "--concurrency", type=int, default=32, help="transfers under way at once, where a tool can be told"
    )
    parser.add_argument("--only", default="", help="tools, separated by commas")
    options = parser.parse_args()
    try:
        with prepared(options.objects, options.mean) as ground:
            wanted = set(options.only.split(",")) if options.only else None
            commands = {n: w for n, w in tools(ground, options.concurrency).items() if not wanted or n in wanted}
            rounds = []
            for number in range(1, options.rounds + 1):
                rounds.append(one_round(ground, commands, number))
                said = {name: {p: round(c.seconds, 2) for p, c in costs.items()} for name, costs in rounds[-1].items()}
                print(f"round {number} of {options.rounds}: {said}", flush=True)
            summary = summarise(rounds)
            show(summary)
            OUT.mkdir(exist_ok=True)
            raw = [{n: {p: asdict(c) for p, c in costs.items()} for n, costs in each.items()} for each in rounds]
            report = {"objects": options.objects, "summary": summary, "rounds": raw}
            (OUT / f"sync-{options.objects}.json").write_text(json.dumps(report, indent=2) + "\n")
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

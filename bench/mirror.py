"""``make bench``: 2,000 images from nginx into SeaweedFS, ours beside rclone and Scrapy; then into a directory, beside six tools.

Figures of one run are compared with each other only; see bench/README.md for what they mean and leave out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import directory, peers
from bench.measure import Cost, OutOfTime, measure
from bench.origin import ensure_nginx, running_nginx
from bench.variants import COUNT, SETS, SIZES, ensure_variants, names, variant_name
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed

OUT = Path(__file__).resolve().parent / "out"
BUCKET = "bench"
RUN_LIMIT = 120.0
"""Seconds after which one run is given up."""
MEMORY_LIMIT = 200.0
"""The same for the one run of 20,000."""
ROUNDS_BUDGET = 240.0
"""Seconds after which no further round starts: the whole benchmark stays under ten minutes."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What both tools run on, and how many transfers each may have under way."""

    origin: str
    bucket: S3Endpoint
    scratch: Path
    concurrency: int

    def environment(self) -> dict[str, str]:
        """Return the environment of both tools: credentials, rclone's remote, and nothing of the user's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_", "PYTHON", "RCLONE_"))}
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


def run_ours(ground: Ground, label: str, copies: int = 1, sets: int = SETS) -> Cost:
    """Mirror a text dump of srcset lines into a new prefix with a new catalog; check what arrived."""
    dump = ground.scratch / f"{label}.txt"
    dump.write_text("".join(srcset_lines(ground.origin, copies, sets)))
    command = [
        *(executable("mediamirror"), "mirror", str(dump), "--to", f"s3://{BUCKET}/{label}"),
        *("--endpoint-url", ground.bucket.url, "--catalog", str(ground.scratch / f"{label}.sqlite")),
        *("--check", "header", "--allow-private", "--format", "jsonl"),
        *("--concurrency", str(ground.concurrency), "--host-concurrency", str(ground.concurrency)),
    ]
    return _checked(ground, label, command, copies * sets * len(SIZES))


def run_rclone(ground: Ground, label: str, sets: int = SETS) -> Cost:
    """Copy a list of URLs into a new prefix with rclone; check what arrived."""
    listing = ground.scratch / f"{label}.csv"
    paths = names()[: sets * len(SIZES)]
    with listing.open("w", newline="") as file:
        csv.writer(file).writerows((f"{ground.origin}/{path}", path) for path in paths)
    command = [
        *(executable("rclone"), "copyurl", "--urls", str(listing), f"bench:{BUCKET}/{label}"),
        *("--transfers", str(ground.concurrency)),
    ]
    return _checked(ground, label, command, len(paths))


def run_scrapy(ground: Ground, label: str) -> Cost:
    """Let Scrapy's FilesPipeline store the list of URLs under a new prefix; check what arrived."""
    listing = ground.scratch / f"{label}.urls"
    listing.write_text("".join(f"{ground.origin}/{path}\n" for path in names()))
    return _checked(
        ground, label, peers.scrapy(listing, f"s3://{BUCKET}/{label}/", ground.concurrency, ground.bucket), COUNT
    )


def srcset_lines(origin: str, copies: int, sets: int = SETS) -> Iterator[str]:
    """Yield a dump as a crawler leaves it: one line per image set, each candidate with its width."""
    for copy in range(copies):
        base = f"{origin}/copy-{copy}" if copy else origin
        for number in range(sets):
            candidates = ", ".join(f"{base}/{variant_name(number, width)} {width}w" for width in SIZES)
            yield f"date 2025-12-08 news.example {candidates}\n"


def _checked(ground: Ground, label: str, command: Sequence[str], expected: int) -> Cost:
    log = ground.scratch / f"{label}.log"
    limit = RUN_LIMIT if expected <= COUNT else MEMORY_LIMIT
    cost = measure(command, environment=ground.environment(), log=log, limit=limit)
    arrived = _arrived(ground, label)
    if arrived != expected:
        raise RuntimeError(f"{command[0]}: {arrived} of {expected} objects arrived:\n{log.read_text()[-1500:]}")
    return cost


def _arrived(ground: Ground, label: str) -> int:
    pages = ground.bucket.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{label}/")
    keys = (row["Key"] for page in pages for row in page.get("Contents", []))
    return sum(1 for key in keys if "/_mediamirror/" not in key)


def compare(ground: Ground, rounds: int) -> list[dict[str, Cost]]:
    """Run the tools in turns, after a short round that doesn't count (it makes the bucket's volumes)."""
    tools: dict[str, Callable[[str], Cost]] = {
        "mediamirror": lambda label: run_ours(ground, label),
        "rclone": lambda label: run_rclone(ground, label),
        "scrapy": lambda label: run_scrapy(ground, label),
    }
    peers.environment("scrapy", peers.SCRAPY)
    run_ours(ground, "warm-ours", sets=25)
    run_rclone(ground, "warm-rclone", sets=25)
    return in_turns(tools, rounds)


def compare_directories(ground: Ground, rounds: int) -> list[dict[str, Cost]]:
    """Fill a directory with each tool in turns."""
    (ground.scratch / "dump.txt").write_text("".join(srcset_lines(ground.origin, 1)))
    environment = ground.environment()

    def runner(command: directory.Command) -> Callable[[str], Cost]:
        given = (ground.origin, OUT / "site", ground.scratch, ground.concurrency, environment)
        return lambda _: directory.run(command, *given)

    return in_turns({name: runner(command) for name, command in directory.there().items()}, rounds, once=directory.SLOW)


def in_turns(
    tools: dict[str, Callable[[str], Cost]], rounds: int, *, once: Collection[str] = ()
) -> list[dict[str, Cost]]:
    """Let the tools take turns, each with a label of its own; those of ``once`` in the first round alone."""
    results: list[dict[str, Cost]] = []
    started = time.monotonic()
    for number in range(1, rounds + 1):
        if results and time.monotonic() - started > ROUNDS_BUDGET:
            print(f"Stopped after {number - 1} rounds: this machine is too slow or too busy for {rounds}.", flush=True)
            break
        turn = {name: run for name, run in tools.items() if number == 1 or name not in once}
        results.append({name: run(f"{name}-{number}") for name, run in turn.items()})
        speeds = ", ".join(f"{name} {COUNT / cost.seconds:,.0f} images/s" for name, cost in results[-1].items())
        print(f"round {number} of {rounds}: {speeds}", flush=True)
    return results


def summarise(results: Sequence[dict[str, Cost]], beside: str = "rclone") -> dict[str, object]:
    """Reduce the rounds to medians, and for ours and one ``beside`` it the ratio of medians, and the median of the rounds' ratios."""
    tools = {
        name: {
            "images_per_second": round(COUNT / statistics.median(r[name].seconds for r in results if name in r), 1),
            "cpu_ms_per_image": round(statistics.median(r[name].cpu for r in results if name in r) * 1000 / COUNT, 3),
            "peak_rss_mib": round(statistics.median(r[name].peak_rss for r in results if name in r) / 2**20, 1),
        }
        for name in results[0]
    }
    paired = [r[beside].seconds / r["mediamirror"].seconds for r in results]
    return {
        "tools": tools,
        "beside": beside,
        "ratio_of_medians": round(tools["mediamirror"]["images_per_second"] / tools[beside]["images_per_second"], 3),
        "median_of_paired_ratios": round(statistics.median(paired), 3),
        "paired_ratios": [round(ratio, 3) for ratio in paired],
    }


def memory(ground: Ground) -> dict[str, float]:
    """Peak memory of ours in MiB at 2,000 and at 20,000 URLs; at fewer, by count, where the time did not suffice."""
    peaks = {}
    for copies in (1, 10):
        label = f"rss-{copies}"
        try:
            peak, count = run_ours(ground, label, copies=copies).peak_rss, copies * COUNT
        except OutOfTime as stopped:
            peak, count = stopped.peak_rss, _arrived(ground, label)
            print(f"{stopped} It is counted as it stood then.")
        peaks[str(count)] = round(peak / 2**20, 1)
        print(f"{count:>6,} URLs: peak {peaks[str(count)]} MiB", flush=True)
    return peaks


def show(summary: dict[str, object]) -> None:
    """Print the table, in Markdown."""
    print("\n| | images/s | CPU ms/image | peak RSS MiB |\n|---|---|---|---|")
    tools = summary["tools"]
    assert isinstance(tools, dict)
    for name, row in tools.items():
        print(
            f"| {name} | {row['images_per_second']:,.0f} | {row['cpu_ms_per_image']:.2f} | {row['peak_rss_mib']:.0f} |"
        )
    print(
        f"\nours to {summary['beside']}: {summary['ratio_of_medians']} (ratio of medians), "
        f"{summary['median_of_paired_ratios']} (median of paired ratios)"
    )


def surroundings() -> dict[str, object]:
    """Say on what the figures were taken."""

    def said(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0] if lines else ""

    return {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rclone": said(executable("rclone"), "version"),
        "seaweedfs": said(executable("weed"), "version"),
        "nginx": said(ensure_nginx(), "-v"),
    }


@contextmanager
def prepared(concurrency: int) -> Iterator[Ground]:
    """Make the files, start both servers, and stop them in the end."""
    ensure_nginx()
    site = OUT / "site"
    ensure_variants(site)
    for path in names():  # into the page cache, so that no tool pays for the first read
        (site / path).read_bytes()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mediamirror-bench-")))
        origin = stack.enter_context(running_nginx(site, scratch / "nginx"))
        bucket = stack.enter_context(running_seaweed(scratch / "seaweed"))
        bucket.create_bucket(BUCKET)
        yield Ground(origin, bucket, scratch, concurrency)


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.mirror", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=32, help="transfers under way at once, for both tools")
    parser.add_argument("--rss", action="store_true", help="measure only our memory, at 2,000 and 20,000 URLs")
    options = parser.parse_args()
    try:
        with prepared(options.concurrency) as ground:
            if not options.rss:
                results = compare(ground, options.rounds)
                summary = summarise(results)
                show(summary)
                _write("mirror.json", ground, summary | {"rounds": _rounds(results)})
                results = compare_directories(ground, options.rounds)
                summary = summarise(results, beside="curl" if "curl" in results[0] else "rclone")
                show(summary)
                _write("directory.json", ground, summary | {"rounds": _rounds(results)})
            _write("rss.json", ground, {"peak_rss_mib_by_urls": memory(ground)})
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _rounds(results: Sequence[dict[str, Cost]]) -> list[dict[str, object]]:
    return [{name: asdict(cost) for name, cost in each.items()} for each in results]


def _write(name: str, ground: Ground, figures: dict[str, object]) -> None:
    report = {"surroundings": surroundings(), "concurrency": ground.concurrency} | figures
    target = OUT / name
    target.write_text(json.dumps(report, indent=2) + "\n")
    print(f"Written to {target}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())

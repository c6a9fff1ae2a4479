"""Variants verified a second, and CPU per variant: ``python -m bench.verify`` (needs nginx; Linux).

`verify` against a local nginx, in turns: the header check, the full decode with one worker and with two, all of it held to one
core (`taskset`), and as the peer plain Pillow, which loads the same files from disk in one process and does nothing else. Several
rounds; medians; ratios are taken within a round. What the second core gives is the ratio to one core: one worker on two cores has
the second for all that is not decoding. The load of the machine is printed: with other programs on the cores, two workers can't
be twice as fast.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Cost, measure
from bench.origin import running_nginx
from bench.variants import RUNGS, SIZES, ensure_variants, variant_name

OUT = Path(__file__).parent / "out"
PILLOW = """
import sys
from PIL import Image
for line in open(sys.argv[1]):
    with Image.open(line.strip()) as image:
        image.load()
"""


def commands(page: Path, listing: Path) -> dict[str, list[str]]:
    program = str(Path(sysconfig.get_path("scripts")) / "mediamirror")
    verify = [program, "verify", str(page), "--allow-private", "--no-progress", "-q", "--fail-on", "never"]
    fast = ["--host-concurrency", "32", "--ignore-robots"]
    return {
        "header": [*verify, *fast, "--check", "header"],
        "decode, 1 worker": [*verify, *fast, "--workers", "1"],
        "decode, 2 workers": [*verify, *fast, "--workers", "2"],
        "decode, one core": ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), *verify, *fast],
        "Pillow alone": [sys.executable, "-c", PILLOW, str(listing)],
    }


def written(folder: Path, site: Path, origin: str, sets: int) -> tuple[Path, Path]:
    """A page of the sets, and the list of their files."""
    page, listing = folder / "page.html", folder / "files.txt"
    with page.open("w") as html, listing.open("w") as files:
        for number in range(sets):
            urls = [f"{origin}/{variant_name(number, width)} {width}w" for width in SIZES]
            html.write(f'<img alt="{number}" sizes="100vw" src="{urls[0].split()[0]}" srcset="{", ".join(urls)}">\n')
            files.writelines(f"{site / variant_name(number, width)}\n" for width in RUNGS)
    return page, listing


def show(rounds: list[dict[str, Cost]], variants: int) -> None:
    print(f"\n{'':<20}{'variants/s':>12}{'CPU ms/variant':>16}{'peak RSS MiB':>14}")
    for name in rounds[0]:
        costs = [each[name] for each in rounds]
        rate = statistics.median(variants / cost.seconds for cost in costs)
        cpu = statistics.median(1000 * cost.cpu / variants for cost in costs)
        print(f"{name:<20}{rate:>12,.0f}{cpu:>16.2f}{max(c.peak_rss for c in costs) / 2**20:>14.0f}")
    busy = statistics.median(each["decode, 2 workers"].cpu / each["decode, 2 workers"].seconds for each in rounds)
    print(f"cores busy with two workers, start and end included: {busy:.2f} of {os.cpu_count()}")
    for name, one, other in (
        ("two cores to one core", "decode, one core", "decode, 2 workers"),
        ("two workers to one worker", "decode, 1 worker", "decode, 2 workers"),
        ("two workers to Pillow alone", "Pillow alone", "decode, 2 workers"),
    ):
        ratio = statistics.median(each[one].seconds / each[other].seconds for each in rounds)
        print(f"{name}: {ratio:.2f} times as fast (median of the rounds' ratios)")


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", type=int, default=100, help="image sets of four variants each, at most 500")
    options = parser.parse_args()
    site = OUT / "site"
    environment: Mapping[str, str] = os.environ
    try:
        ensure_variants(site)
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mediamirror-bench-")))
            origin = stack.enter_context(running_nginx(site, scratch / "nginx"))
            page, listing = written(scratch, site, origin, options.sets)
            rounds = []
            print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
            for _ in range(options.rounds):
                rounds.append(
                    {
                        name: measure(command, environment=environment, log=scratch / "log", limit=600)
                        for name, command in commands(page, listing).items()
                    }
                )
            print(f"load after: {os.getloadavg()[0]:.1f}")
            show(rounds, options.sets * len(SIZES))
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

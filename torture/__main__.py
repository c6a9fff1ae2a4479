"""``python -m torture [--kills N] [--minutes M] [--seed S]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from torture.jobs import KINDS
from torture.sweep import open_benches, plan, sweep, table


def main() -> int:
    """Run a sweep, print its table, and return 1 if a promise was broken."""
    words = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    words.add_argument(
        "--kills", type=int, default=0, metavar="N", help="as many kills as that; 0: what fits in --minutes"
    )
    words.add_argument(
        "--minutes", type=float, default=9.0, metavar="M", help="begin no further kill after that (default 9)"
    )
    words.add_argument("--seed", type=int, default=1, metavar="S", help="which kills, and in which order (default 1)")
    words.add_argument("--workers", type=int, default=2, metavar="N", help="kills at once (default 2)")
    words.add_argument("--kind", action="append", choices=KINDS, help="only this kind of job; may be repeated")
    given = words.parse_args()
    kinds = tuple(given.kind or KINDS)
    started, minutes = time.monotonic(), given.minutes if not given.kills else max(given.minutes, 240.0)
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as folder,
        open_benches(Path(folder), given.workers, kinds) as benches,
    ):
        os.environ.update(benches[0].bench.server.environment())  # for verify, which runs in this process
        kills = plan(benches[0].bench, given.seed, given.kills or 400, kinds)
        print(f"{len(kills):,} kills planned (seed {given.seed})", flush=True)
        report = sweep(benches, kills, most=given.kills or len(kills), until=started + 60 * minutes)
    print(table(report))
    return int(report.total().faults > 0)


if __name__ == "__main__":
    sys.exit(main())

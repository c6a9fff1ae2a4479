"""What a command costs from its start to its end: ``python -m bench.start [--before WORKTREE]`` (Linux).

CPU time of the process and its children, by the system's own accounting, as medians of rounds in turns. With ``--before``, a
checkout of another commit with its own ``.venv`` (``--before-commit`` makes one), each row is measured with both builds in the same
round, and the ratio of the two is printed: that one counts, since the machine is seldom quiet.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from threading import Thread

from bench.measure import Cost, measure
from fixtures.images import make_image

ROOT = Path(__file__).resolve().parents[1]
SEED = ROOT / "fixtures" / "seed" / "news-by-first-line.txt"
Row = tuple[str, list[str], int, dict[str, str]]
"""What is measured, the words of its command line, how many things it goes through, and its variables."""


def dense(candidates: int) -> str:
    """Crawled text that is nearly nothing but srcset strings: four candidates a set, 70 bytes each."""
    chance, lines = Random(1), []
    for number in range(candidates // 4):
        name = chance.randrange(10**9)
        stem = f"https://img{number % 7}.news{number % 23}.example/{name % 100}/photo-{name}"
        words = ", ".join(f"{stem}_{width}.webp {width}w" for width in (320, 480, 768, 1280))
        lines.append(f"date 2025-12-{number % 28 + 1:02d} Story {name} {words}")
    return "\n".join(lines)


def articles(many: int) -> str:
    """Crawled articles as JSON Lines: some paragraphs, a link here and there, one or two image sets."""
    chance = Random(3)
    words = [
        *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not"),
        *("he", "his", "but", "at", "are", "this", "have", "from", "or", "had", "story", "photograph", "yesterday"),
    ]
    rows = []
    for number in range(many):
        name, host = chance.randrange(10**9), f"site{number % 50}.example"
        text = []
        for place in range(chance.randrange(4, 9)):
            text.append(" ".join(chance.choice(words) for _ in range(45)))
            if place in {1, 3}:
                stem = f"https://cdn.{host}/{name % 100}/pic-{name}-{place}"
                text.append(", ".join(f"{stem}_{width}.jpg?w={width}&q=80 {width}w" for width in (320, 640, 960, 1280)))
        rows.append({"url": f"https://www.{host}/{name}.html", "title": f"Story {name}", "text": "\n\n".join(text)})
    return "\n".join(map(json.dumps, rows))


def rows(folder: Path, image_url: str, size: int) -> Iterator[Row]:
    """The rows. ``size`` is the number of candidates of the dense text."""
    (folder / "a.png").write_bytes(make_image(64, 48, "png"))
    page = folder / "page.html"
    page.write_text('<img src="a.png" srcset="a.png 64w" sizes="64px" alt="">')
    (folder / "image.html").write_text(f'<img src="{image_url}" alt="">')
    (folder / "dense.txt").write_text(dense(size))
    (folder / "dense-small.txt").write_text(dense(size // 10))
    (folder / "articles.jsonl").write_text(articles(size // 40))
    text = str(folder / "dense.txt")
    yield "start: parse of the seed", ["parse", str(SEED)], 1, {}
    yield "start: verify of one local image", ["verify", str(page), "--root", str(folder)], 1, {}
    away = ["--to", str(folder / "mirror"), "--allow-private", "--ignore-robots", "--layout", "hash"]
    yield "start: mirror of one image", ["mirror", str(folder / "image.html"), *away], 1, {}
    yield "--help", ["--help"], 1, {}
    yield "mirror --help", ["mirror", "--help"], 1, {}
    completing = {"_MEDIAMIRROR_COMPLETE": "bash_complete", "COMP_WORDS": "mediamirror m", "COMP_CWORD": "1"}
    yield "completion of a command", [], 1, completing
    yield "dense text, jsonl, a candidate", ["parse", text, "--format", "jsonl"], size, {}
    yield "dense text, -q, a candidate", ["parse", text, "-q"], size, {}
    yield (
        "articles in JSON Lines, a document",
        ["parse", str(folder / "articles.jsonl"), "--format", "jsonl"],
        size // 40,
        {},
    )
    dry = ["--to", str(folder / "nowhere"), "--dry-run", "--format", "jsonl"]
    yield "mirror --dry-run, a candidate", ["mirror", text, *dry], size, {}
    yield "the same of a tenth as many", ["mirror", str(folder / "dense-small.txt"), *dry], size // 10, {}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, and yield its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def measured(row: Row, build: Path, folder: Path) -> Cost:
    _, words, _, variables = row
    environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": ""} | variables
    command = [str(build / ".venv/bin/mediamirror"), *words]
    for stored in (folder / "state", folder / "mirror"):
        shutil.rmtree(stored, ignore_errors=True)
    return measure(command, environment=environment, log=folder / "log.txt", limit=600)


def worktree_of(commit: str) -> Path:
    """A checkout of a commit below ``bench/out`` with what it needs installed, made once."""
    place = ROOT / "bench" / "out" / f"before-{commit[:12]}"
    if not place.exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(place), commit], cwd=ROOT, check=True)
    if not (place / ".venv/bin/mediamirror").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place / ".venv")], check=True)
        subprocess.run([str(place / ".venv/bin/python"), "-m", "pip", "install", "-q", "-e", str(place)], check=True)
    return place


def told(name: str, many: int, costs: dict[str, list[Cost]]) -> str:
    """One line of the table: CPU, for things that are many by the thing, and the ratio within a round."""
    unit, factor = ("s", 1.0) if many == 1 else ("ms", 1000.0 / many)
    cells = [name]
    for taken in costs.values():
        if not taken:
            cells.append("–")
            continue
        cpu = statistics.median(cost.cpu for cost in taken) * factor
        memory = statistics.median(cost.peak_rss for cost in taken) / 2**20
        cells.append(f"{cpu:.3f} {unit}, {memory:.0f} MiB")
    if len(costs) == 2 and all(costs.values()):
        before, now = costs.values()
        cells.append(f"{statistics.median(b.cpu / a.cpu for a, b in zip(before, now, strict=True)):.2f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of another commit, with its .venv")
    parser.add_argument("--before-commit", help="a commit to make such a checkout of")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=200_000, help="candidates of the dense text")
    parser.add_argument("--only", default="", help="only rows whose name holds this")
    given = parser.parse_args()
    before = worktree_of(given.before_commit) if given.before_commit else given.before
    builds = {"before": before, "now": ROOT} if before else {"now": ROOT}
    print(f"| {' | '.join(['', *builds, *(['ratio'] if before else [])])} |")
    print("|---" * (len(builds) + 1 + bool(before)) + "|")
    with tempfile.TemporaryDirectory() as made, serving(Path(made)) as site:
        folder = Path(made)
        for row in rows(folder, f"{site}/a.png", given.size):
            if given.only not in row[0]:
                continue
            costs: dict[str, list[Cost]] = {name: [] for name in builds}
            for _ in range(given.rounds):
                for name, build in builds.items():
                    with suppress(RuntimeError):  # an older build may know no such command
                        costs[name].append(measured(row, build, folder))
            print(told(row[0], row[2], costs), flush=True)


if __name__ == "__main__":
    main()

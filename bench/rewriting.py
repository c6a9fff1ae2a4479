"""``python -m bench.rewriting``: what rewriting pages costs beside reading them, with a catalog and with a map of 100,000 URLs.

Figures of one run are compared with each other only: CPU of a command, in turns. lxml, which parses each page and writes it anew
with no URL changed, stands in an environment of its own, ``bench/out/lxml``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bench.extract import make_page
from bench.measure import measure
from mediamirror.catalog.catalog import Catalog
from mediamirror.markup.extract import extract

BASE = "https://news.example/2026/"
NEW = "https://media.example.org/"
LIMIT = 600.0
LXML = Path(__file__).resolve().parent / "out" / "lxml"
_ANEW = """
import pathlib, sys
from lxml import html
for page in pathlib.Path(sys.argv[1]).iterdir():
    pathlib.Path(sys.argv[2], page.name).write_bytes(html.tostring(html.fromstring(page.read_bytes()), encoding="utf-8"))
"""


def make_pages(folder: Path, pages: int) -> list[str]:
    """Write pages of 100 KB that have no URL in common; return the 300 URLs of each."""
    folder.mkdir()
    urls: dict[str, None] = {}
    for number in range(pages):
        page = make_page().replace(b"/media/", f"/media/{number}/".encode())
        (folder / f"{number}.html").write_bytes(page)
        urls.update(
            (c.url, None) for row in extract(page, media_type="text/html", base_url=BASE) for c in row.candidates
        )
    return list(urls)


def make_catalog(path: Path, urls: list[str]) -> None:
    """Write the catalog of a mirror that has a file for each URL."""

    async def create() -> None:
        async with await Catalog.open(path):
            pass

    asyncio.run(create())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO stores (id, name) VALUES (1, 's3://media/site')")
        rows = [(number, url) for number, url in enumerate(urls, 1)]
        db.executemany("INSERT INTO variants (id, url, host) VALUES (?, ?, 'news.example')", rows)
        db.executemany(
            "INSERT INTO standings (store_id, variant_id, run_id, status, settled_at) VALUES (1, ?, 1, 'stored', '2026')",
            [(number,) for number, _ in rows],
        )
        db.executemany(
            "INSERT INTO objects (store_id, variant_id, key, sha256, size, stored_at) VALUES (1, ?, ?, 'aa', 1, '2026')",
            [(number, f"news.example/{number}.webp") for number, _ in rows],
        )


def lxml_python() -> str:
    """Return the interpreter of an environment that has lxml; made when it is first asked for."""
    python = LXML / "bin" / "python"
    if not python.exists():
        venv.create(LXML, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "lxml==6.1.0"], check=True)
    return str(python)


def measured(folder: Path, *, pages: int, urls: int, rounds: int) -> Mapping[str, list[float]]:
    """Return the CPU seconds of each command in each round."""
    own = make_pages(folder / "site", pages)
    many = own + [f"https://other.example/{number}.jpg" for number in range(max(0, urls - len(own)))]
    make_catalog(folder / "catalog.sqlite", many)
    (folder / "map.csv").write_text("".join(f"{url},{NEW}{number}.webp\n" for number, url in enumerate(many)))
    program = [sys.executable, "-m", "mediamirror"]
    site, out = str(folder / "site"), folder / "out"
    rewrite = [*program, "rewrite", site, "--base-url", BASE, "--workers", "1", "--to", str(out), "-q"]
    public = ["--public-url", NEW]
    commands = {
        "parse": [*program, "parse", site, "--base-url", BASE, "--format", "jsonl"],
        "parse -q": [*program, "parse", site, "--base-url", BASE, "-q"],
        "rewrite, catalog": [*rewrite, "--catalog", str(folder / "catalog.sqlite"), *public],
        "rewrite, map": [*rewrite, "--map", str(folder / "map.csv")],
        "lxml, parse and serialise": [lxml_python(), "-c", _ANEW, site, str(folder / "anew")],
    }
    (folder / "anew").mkdir()
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            shutil.rmtree(out, ignore_errors=True)
            environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
            cost = measure(command, environment=environment, log=folder / "log", limit=LIMIT)
            found[name].append(cost.cpu)
            done = (out / "0.html").read_bytes().count(NEW.encode()) if out.exists() else 300
            if done < 300:
                raise RuntimeError(f"{name} moved {done} places of the first page, which has more than 300.")
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.rewriting", description=__doc__)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--urls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), pages=asked.pages, urls=asked.urls, rounds=asked.rounds)
    print(f"{asked.pages} pages of 100 KB, {asked.urls:,} URLs, CPU, medians of {asked.rounds} rounds in turns\n")
    print("| work | CPU s | paired with `parse` |\n|---|---|---|")
    for name, costs in found.items():
        paired = statistics.median(one / other for one, other in zip(costs, found["parse"], strict=True))
        print(f"| {name} | {statistics.median(costs):.2f} | {paired:.2f} |")


if __name__ == "__main__":
    main()

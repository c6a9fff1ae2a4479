"""``python -m bench.extract``: how long reading a page takes, beside selectolax with a naive srcset split; and text mode.

Figures of one run are compared with each other only; see bench/README.md for what they mean and leave out.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser

from mediamirror.markup.extract import extract

OUT = Path(__file__).resolve().parent / "out"
BASE = "https://news.example/2026/article.html"
SETS = 60
PAGE_BYTES = 100_000
WIDTHS = (480, 768, 1280, 1920)
TEXT_MIB = (1.25, 2.5, 5.0, 10.0)
PAGE_GOAL, TEXT_GOAL = 2.0, 2.5
WORDS = "The clock over the old station was set again on Monday, after eleven years at ten past four, and people stop. "


@dataclass(frozen=True, slots=True)
class PageResult:
    """Medians in milliseconds for one page; ``ratio`` is ours to theirs."""

    page_bytes: int
    sets: int
    urls: int
    ours_ms: float
    selectolax_ms: float
    ratio: float
    paired_ratio: float


@dataclass(frozen=True, slots=True)
class TextResult:
    """The median in seconds for one size of text; ``growth`` is the time beside that of half the size."""

    mib: float
    sets: int
    seconds: float
    growth: float | None


def make_page(sets: int = SETS, size: int = PAGE_BYTES) -> bytes:
    """An article page of about ``size`` bytes with so many image sets: a third are pictures, all have four widths."""
    figures = [_figure(number) for number in range(sets)]
    room = max(0, size - sum(map(len, figures))) // sets
    paragraph = (WORDS * (room // len(WORDS) + 1))[: max(0, room - 8)]
    body = "\n".join(f"{figure}<p>{paragraph}</p>" for figure in figures)
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title></head><body>{body}</body></html>'.encode()


def _figure(number: int) -> str:
    srcset = ", ".join(f"/media/{number}/clock-{width}.webp?v=2&amp;w={width} {width}w" for width in WIDTHS)
    img = f'<img src="/media/{number}/clock.jpg" alt="Clock {number}" width="1280" height="720" loading="lazy"'
    if number % 3:
        return f'<figure>{img} srcset="{srcset}" sizes="(max-width: 800px) 100vw, 800px"></figure>'
    return f'<picture><source type="image/webp" srcset="{srcset}" sizes="100vw">{img}></picture>'


def make_text(mib: float) -> bytes:
    """A dump of articles, each a line of srcset candidates between words."""
    lines: list[str] = []
    size = 0
    while size < mib * 1024 * 1024:
        n = len(lines)
        candidates = ", ".join(f"https://cdn.news.example/{n}/clock-{width}.webp {width}w" for width in WIDTHS)
        lines.append(f"Clock 2026-11-24 news.example {candidates}\n{WORDS * 8}\n")
        size += len(lines[-1])
    return "".join(lines).encode()


def ours(page: bytes) -> list[str]:
    """All candidate URLs, by `extract`: with spans, lines, problems and every carrier."""
    return [c.url for row in extract(page, media_type="text/html", base_url=BASE) for c in row.candidates]


def naive(page: bytes) -> list[str]:
    """The URLs of img and source, by selectolax and two splits; relative ones are resolved."""
    urls: list[str] = []
    for node in LexborHTMLParser(page).css("img, source"):
        attributes = node.attributes
        if attributes.get("src"):
            urls.append(urljoin(BASE, str(attributes["src"])))
        for part in (attributes.get("srcset") or "").split(","):
            if part.strip():
                urls.append(urljoin(BASE, part.split()[0]))
    return urls


def measure_page(rounds: int, repeats: int) -> PageResult:
    """Take turns, ours first: each turn is so many readings of the page. Raises RuntimeError if the URLs differ."""
    page = make_page()
    urls = ours(page)
    if sorted(urls) != sorted(naive(page)):
        raise RuntimeError("The two do not find the same URLs: nothing to compare.")
    pairs = [(_timed(ours, page, repeats), _timed(naive, page, repeats)) for _ in range(rounds)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    paired = statistics.median(a / b for a, b in pairs)
    return PageResult(len(page), SETS, len(urls), mine * 1000, theirs * 1000, mine / theirs, paired)


def measure_text(rounds: int) -> list[TextResult]:
    """Read dumps of growing size, the sizes in turns; without rounds, none."""
    if not rounds:
        return []
    texts = {mib: make_text(mib) for mib in TEXT_MIB}
    sets = {mib: len(extract(text, media_type="text/plain")) for mib, text in texts.items()}
    times: dict[float, list[float]] = {mib: [] for mib in TEXT_MIB}
    for _ in range(rounds):
        for mib, text in texts.items():
            times[mib].append(_timed(lambda data: extract(data, media_type="text/plain"), text, 1))
    medians = {mib: statistics.median(rows) for mib, rows in times.items()}
    return [
        TextResult(mib, sets[mib], medians[mib], medians[mib] / medians[mib / 2] if mib / 2 in medians else None)
        for mib in TEXT_MIB
    ]


def _timed(read: Callable[[bytes], object], data: bytes, repeats: int) -> float:
    """CPU seconds of this process for one reading: what else runs on the machine hardly counts."""
    started = time.process_time()
    for _ in range(repeats):
        read(data)
    return (time.process_time() - started) / repeats


def render(page: PageResult, texts: list[TextResult]) -> str:
    """The two tables."""
    rows = [
        f"A page of {page.page_bytes / 1000:.0f} KB with {page.sets} sets and {page.urls} URLs, median CPU time",
        "",
        "| reader | ms | ratio |",
        "|---|---|---|",
        f"| mediamirror extract | {page.ours_ms:.2f} | {page.ratio:.2f} (paired {page.paired_ratio:.2f}; goal: {PAGE_GOAL:g}) |",
        f"| selectolax and a naive split | {page.selectolax_ms:.2f} | 1 |",
    ]
    if texts:
        rows += [
            "",
            f"Text mode, median CPU time (goal: at most {TEXT_GOAL:g} times for twice the text)",
            "",
            "| MiB | sets | s | MiB/s | beside half the size |",
            "|---|---|---|---|---|",
        ]
    for row in texts:
        growth = "" if row.growth is None else f"{row.growth:.2f}"
        rows.append(f"| {row.mib:g} | {row.sets} | {row.seconds:.2f} | {row.mib / row.seconds:.1f} | {growth} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print the tables, keep the figures in ``bench/out/extract.json``."""
    parser = argparse.ArgumentParser(prog="python -m bench.extract", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=20, help="readings of the page in one turn")
    parser.add_argument("--text-rounds", type=int, default=3, help="0 leaves the text out")
    arguments = parser.parse_args()
    page, texts = measure_page(arguments.rounds, arguments.repeats), measure_text(arguments.text_rounds)
    print(render(page, texts))
    OUT.mkdir(exist_ok=True)
    tools = {name: version(name) for name in ("mediamirror", "turbohtml", "selectolax")}
    about = {"python": platform.python_version(), **tools, "page": asdict(page), "text": [asdict(row) for row in texts]}
    (OUT / "extract.json").write_text(json.dumps(about, indent=2) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

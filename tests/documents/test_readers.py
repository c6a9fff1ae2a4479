"""Documents that several processes read give what one gives, in the same order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mediamirror.documents.document import Document
from mediamirror.documents.reader import Reader
from mediamirror.documents.readers import Readers
from mediamirror.jobs.parse import parse
from mediamirror.model import Event, Extraction, ImageSet, Problem, Rendered
from mediamirror.settings import ParseOptions, ReadOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages, rows, style sheets that import one another, a text over 1 MiB, what is empty, what names nothing usable."""
    for number in range(40):
        page = (
            f'<link rel=stylesheet href="s.css"><img src="{number}.jpg" srcset="{number}-1.jpg 1x, {number}-2.jpg 2x">'
        )
        (tmp_path / f"page-{number:02}.html").write_text(page + "<p>word</p>" * 2000)
    rows = [
        {"url": f"https://a.example/{n}", "text": f"See /p/{n}-480.webp 480w, /p/{n}-960.webp 960w"} for n in range(900)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{broken\n")
    (tmp_path / "s.css").write_text('@import "there.css"; @import "not-there.css"; a { background: url(bg.png) }')
    (tmp_path / "there.css").write_text("b { background: url(there.png) }")
    line = "On https://a.example/{0}-480.webp 480w, https://a.example/{0}-960.webp 960w " + "it rained. " * 30 + "\n"
    (tmp_path / "much.txt").write_text("".join(line.format(n) for n in range(4000)))
    (tmp_path / "empty.html").write_text("")
    (tmp_path / "relative.md").write_text("![a](ftp://a.example/x.png) ![b](b.png)")
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "mediamirror", "parse", ".", "missing-not-really.urls", *words]
    (folder / "missing-not-really.urls").write_text("https://a.example/u.jpg\n")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "how", [("--format", "jsonl"), ("--format", "json"), (), ("-q",), ("--explain",)], ids=" ".join
)
def test_two_processes_print_what_one_prints(folder: Path, how: tuple[str, ...]) -> None:
    one, two = run(folder, *how), run(folder, *how, "--workers", "2")
    assert _timeless(two) == _timeless(one)
    assert "960.webp" in one[1] or "-q" in how


def _timeless(ran: tuple[int, str, str]) -> tuple[int, list[str], str]:
    lines = ran[1].splitlines()
    if lines and '"type":"summary"' in lines[-1]:
        summary = json.loads(lines[-1].strip().removesuffix("]"))
        lines[-1] = json.dumps(summary | {"seconds": 0})
    return ran[0], lines, ran[2].rpartition(",")[0] if "image sets" in ran[2] and ran[2].endswith(" s.\n") else ran[2]


@pytest.mark.parametrize("render", [None, str], ids=["sets", "rendered"])
async def test_two_processes_count_what_one_counts(folder: Path, render: type[str] | None) -> None:
    events: list[Event] = []
    one = await parse([str(folder)], options=ParseOptions(ReadOptions()))
    two = await parse(
        [str(folder)], options=ParseOptions(ReadOptions(), workers=2), on_event=events.append, render=render
    )
    assert (two.documents, two.sets, two.variants, two.problems, two.exit_code) == (
        *(one.documents, one.sets, one.variants),
        *(one.problems, one.exit_code),
    )
    assert any(isinstance(each, Rendered) for each in events) is (render is not None)


def document(number: int, size: int = 10) -> Document:
    return Document(
        f"https://a.example/{number}",
        f'<img src="{number}.jpg">'.encode() + b" " * size,
        None,
        "https://a.example/",
        "html",
    )


async def one_by_one(documents: Sequence[Document]) -> AsyncIterator[Document | Problem]:
    for each in documents:
        yield each


async def looked(documents: Sequence[Document], options: ReadOptions) -> list[tuple[str, list[str], list[str]]]:
    """The name of each document, the lines of its URLs, the codes of its problems."""
    rows = []
    async with Reader(options) as reader, Readers(options, reader, 2) as readers:
        async for found, parts in readers.look(one_by_one(documents)):
            seen = [part async for part in parts if isinstance(part, Extraction)]
            urls = [candidate.raw_url or "" for part in seen for each in part.sets for candidate in each.candidates]
            assert isinstance(found, Document)
            rows.append((found.name, urls, [each.code for part in seen for each in part.problems]))
    return rows


def _dies_of_the_third(sets: Sequence[ImageSet]) -> str:
    if any("3.jpg" in (candidate.raw_url or "") for each in sets for candidate in each.candidates):
        os.kill(os.getpid(), signal.SIGSEGV)
    return "".join(candidate.raw_url or "" for each in sets for candidate in each.candidates)


async def test_a_document_that_ends_its_process_is_told_of_by_name_and_the_others_are_read() -> None:
    told: list[tuple[str, str]] = []
    options = ReadOptions()
    async with Reader(options) as reader, Readers(options, reader, 2, _dies_of_the_third) as readers:
        async for found, parts in readers.look(one_by_one([document(number) for number in range(6)])):
            async for part in parts:
                assert isinstance(found, Document)
                if isinstance(part, Rendered):
                    told.append((found.name, part.text))
                else:
                    told += [(found.name, f"{problem.document} {problem.code}") for problem in part.problems]
    assert told == [
        *((f"https://a.example/{number}", f"{number}.jpg") for number in range(3)),
        ("https://a.example/3", "https://a.example/3 document-unread"),
        *((f"https://a.example/{number}", f"{number}.jpg") for number in (4, 5)),
    ]


async def test_a_run_that_is_cancelled_leaves_no_process_behind(folder: Path) -> None:
    before = children()
    job = asyncio.create_task(parse([str(folder)], options=ParseOptions(ReadOptions(), workers=3)))
    while len(children() - before) < 2:
        await asyncio.sleep(0.01)
        assert not job.done()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert not children() - before


def children() -> set[int]:
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(word) for path in found for word in path.read_text().split()}


async def test_documents_come_in_their_order_whatever_their_size() -> None:
    documents = [document(number, size=300_000 * (number % 3 == 0)) for number in range(30)]
    rows = await looked(documents, ReadOptions())
    assert rows == [(f"https://a.example/{n}", [f"{n}.jpg"], []) for n in range(30)]

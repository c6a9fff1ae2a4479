"""A large document is read in a process of its own: it gives what it gives here, and takes no more than it may."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mediamirror.documents import reader_process as it
from mediamirror.documents.document import HELD, Document, Stored, kept, weighed
from mediamirror.documents.look import look_through
from mediamirror.documents.read import read_inputs
from mediamirror.documents.reader import Reader, Unread
from mediamirror.model import Extraction, ImageSet, Problem
from mediamirror.settings import ReadOptions

MiB = 1024 * 1024


WORDS = "words " * 100


def page(images: int) -> bytes:
    """Of about 700 bytes an image: some repeat, some have a problem, some come with CRLF and two-byte characters."""
    rows = [
        f"<p>é<img srcset='a{n % 900}.webp 480w, b{n}.webp 960w'>\r\n<img src='{'ftp:' * (n % 50 == 0)}{n}.jpg'>{WORDS}\n"
        for n in range(images)
    ]
    return ("<!doctype html><title>t</title>" + "".join(rows)).encode()


def text(sets: int) -> bytes:
    """Of about 700 bytes a set."""
    rows = [
        f"été https://a.example/{n}-480.webp 480w, https://a.example/{n}-960.webp 960w\r\n{WORDS}.\n"
        for n in range(sets)
    ]
    return "".join(rows).encode()


RECORDS = b",".join(b'{"image":"/%d.jpg","words":"%s"}' % (n, b"word " * 200) for n in range(1500))


def document(data: bytes | Stored, kind: str = "html") -> Document:
    return Document(
        "https://a.example/d", data, None, "https://a.example/", kind, ("</x.webp>; rel=preload; as=image",)
    )


async def look(document: Document, **options: object) -> list[Extraction]:
    async with Reader(ReadOptions(**options)) as reader:  # type: ignore[arg-type]
        return [part async for part in reader.look(document)]


def sets_of(parts: list[Extraction]) -> list[ImageSet]:
    return [each for part in parts for each in part.sets]


def problems_of(parts: list[Extraction]) -> list[Problem]:
    return [each for part in parts for each in part.problems]


def codes(parts: list[Extraction]) -> list[str]:
    return [each.code for each in problems_of(parts)]


@pytest.mark.parametrize(("data", "kind"), [(page(2_000), "html"), (text(2_000), "text"), (RECORDS, "json")])
async def test_a_large_document_gives_what_it_gives_when_it_is_read_here(data: bytes, kind: str) -> None:
    assert len(data) > HELD
    parts = await look(document(data, kind))
    whole = list(look_through(document(data, kind), data))
    assert sets_of(parts) == sets_of(whole)
    assert problems_of(parts) == problems_of(whole)
    assert sum(not part.goes_on for part in parts) == len(whole), "how many readings there were can still be told"


async def test_one_process_reads_any_number_of_documents_and_is_gone_at_the_end() -> None:
    data = text(2_000)
    async with Reader(ReadOptions()) as reader:
        for _ in range(3):
            assert len(sets_of([part async for part in reader.look(document(data, "text"))])) == 2_001
        assert len(children()) == 1
    assert children() == []


def children() -> list[int]:
    """The reader processes that this one has."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread or a process that ends at this moment
            for pid in (task / "children").read_text().split():
                if b"reader_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return found


async def test_a_document_that_takes_too_much_memory_is_one_problem_and_the_next_is_read() -> None:
    costly = b"<!doctype html>" + b"<p>" * MiB
    async with Reader(ReadOptions(max_document_memory=64 * MiB)) as reader:
        parts = [part async for part in reader.look(replace(document(costly), link_headers=()))]
        assert [each.message for each in problems_of(parts)] == [
            "https://a.example/d takes more than 64 MiB of memory to read: it is left out; split it, or raise --max-document-memory."
        ]
        again = [part async for part in reader.look(document(page(2_000)))]
        assert len(sets_of(again)) > 2_000
    assert "document-over-memory" not in codes(await look(document(costly), max_document_memory=300 * MiB))


@pytest.mark.parametrize(("beside", "told"), [(24, 40), (500, 32)])
async def test_a_row_has_what_its_container_leaves_and_half_at_the_least(beside: int, told: int) -> None:
    costly = replace(document(b"<!doctype html>" + b"<p>" * MiB), link_headers=(), beside=beside * MiB)
    (problem,) = problems_of(await look(costly, max_document_memory=64 * MiB))
    assert f"takes more than {told} MiB of memory to read" in problem.message


async def test_a_text_of_any_size_is_read_whatever_memory_its_reading_may_take() -> None:
    data = text(16_000)
    assert len(data) > 8 * MiB
    parts = await look(document(data, "text"), max_document_memory=64 * MiB)
    assert (codes(parts), len(sets_of(parts))) == ([], 16_001)


async def test_of_a_text_that_ends_in_one_huge_line_all_before_is_read() -> None:
    data = text(2_000) + b"https://a.example/1.webp, " * MiB
    parts = await look(document(data, "text"), max_document_memory=64 * MiB)
    assert codes(parts) == ["document-over-memory"]
    assert "the rest of it is left out" in problems_of(parts)[0].message
    assert len(sets_of(parts)) > 1_500


async def test_a_reader_that_dies_costs_one_document() -> None:
    async with Reader(ReadOptions()) as reader:
        parts = []
        async for part in reader.look(document(text(8_000), "text")):
            parts.append(part)
            for pid in children():
                os.kill(pid, signal.SIGKILL)
        assert codes(parts) == ["document-unread"]
        assert len(sets_of([part async for part in reader.look(document(text(2_000), "text"))])) == 2_001


async def test_a_process_that_a_document_made_large_takes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import mediamirror.documents.reader_process as it; it._KEPT = -(1 << 40); it.main()"

    async def started(module: str, *words: str) -> asyncio.subprocess.Process:
        assert module == it.__name__
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, "-c", program, *words, stdin=pipe, stdout=pipe)

    monkeypatch.setattr("mediamirror.documents.reader.start", started)
    async with Reader(ReadOptions(), apart=True) as reader:
        for _ in range(8):
            parts = [part async for part in reader.look(document(page(3)))]
            assert (codes(parts), len(sets_of(parts))) == (["scheme-not-loaded"], 6)


async def test_a_reading_that_is_cancelled_leaves_no_process_behind() -> None:
    async with Reader(ReadOptions()) as reader:
        task = asyncio.ensure_future(anext(aiter(reader.look(replace(document(page(2_000)), link_headers=())))))
        while not children():  # noqa: ASYNC110 -- a process tells no event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == []


async def test_a_file_that_becomes_shorter_while_it_is_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(page(2_000))
    (found,) = [item async for item in read_inputs([str(path)])]
    assert isinstance(found, Document)
    path.write_bytes(b"<p>")
    assert codes(await look(found)) == ["document-unread"]
    path.unlink()
    assert codes(await look(found)) == ["document-unread"]


async def test_links_and_listings_of_large_documents_come_from_the_process_too() -> None:
    links = b"".join(b'<a href="/%d">x</a>' % n for n in range(9_000)) + b" " * MiB
    entries = b"".join(b"<url><loc>https://a.example/%d</loc></url>" % n for n in range(40_000))
    async with Reader(ReadOptions()) as reader:
        assert len((await reader.links(document(links))).urls) == 9_000
        listing = await reader.listing(document(b"<urlset>" + entries + b"</urlset>", "sitemap"))
        assert (len(listing.pages), listing.has_images, listing.is_sitemap) == (40_000, True, True)
    async with Reader(ReadOptions(max_document_memory=1)) as reader:
        with pytest.raises(Unread, match="raise --max-document-memory"):
            await reader.links(document(links))


@pytest.mark.parametrize("size", [0, 1, HELD, HELD + 1, 3 * HELD])
def test_bytes_that_are_too_many_to_be_held_can_be_read_again(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pieces = [data[:size][start : start + 1000] for start in range(0, size, 1000)]
    for found in (kept(iter(pieces), size), weighed(lambda: iter(pieces), size)):
        assert found is not None
        assert isinstance(found, bytes) == (size <= HELD)
        again = document(found)
        assert b"".join(again.chunks()) == b"".join(again.chunks()) == data[:size]
        assert (again.size, again.sha256) == (size, document(data[:size]).sha256)
    assert size == 0 or kept(iter(pieces), size - 1) is None

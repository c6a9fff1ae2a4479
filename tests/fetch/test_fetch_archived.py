"""What an archive of a run holds of each answer: the bytes that came, also of one that is of no use, and why it ends early."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from fixtures.images import make_image
from mediamirror.catalog.catalog import Catalog
from mediamirror.errors import FetchError, HTTPStatus
from mediamirror.fetch.client import Following
from mediamirror.fetch.request import Request
from mediamirror.jobs.run.archive import Target
from mediamirror.model import Body, Capture, Download, Outcome, Status, Variant
from mediamirror.store.memory import MemoryStore

PICTURE = make_image(40, 20, "jpeg")
BIG = PICTURE + bytes(200_000)
PACKED = gzip.compress(PICTURE)
ODD = b"HTTP/1.0 200 Fine, thanks\r\nContent-TYPE:image/jpeg\r\nX-Caf\xe9:  \xe9t\xe9 \r\n"
SECRETS = b"Set-Cookie: a=secret;\r\n b=hidden\r\n"
Start = Callable[..., Awaitable[Any]]
Make = Callable[..., Following]


def head(*fields: str, status: str = "200 OK") -> bytes:
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *fields, "")).encode()


def sized(size: int, *fields: str, status: str = "200 OK") -> bytes:
    return head(f"content-Length: {size}", *fields, status=status)


def chunks(*bodies: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies)


async def archived(
    serve: Start, make: Make, folder: Path, answer: Any, **options: Any
) -> tuple[str, bytes, str | None]:
    """The error, if there is one, the block of the response, and why that is cut, in the archive of one exchange."""
    held, code = io.BytesIO(), ""

    @contextmanager
    def opened(_: int) -> Iterator[IO[bytes]]:
        yield held

    url = (await serve(answer)).url()
    with Target("warc", opened, "test").open(folder) as out:
        try:
            download = await out.recorded(make(**options)).fetch(Request(url))
            assert isinstance(download.body, Body)
            given = download.body.data if download.body.path is None else download.body.path.read_bytes()
            assert given in {PICTURE, BIG}
        except FetchError as error:
            code = error.code
        else:
            if download.body.path is not None:
                download.body.path.unlink()
    assert not list(folder.rglob("*.part"))  # noqa: ASYNC240 - a test
    found = list[tuple[bytes, str | None]]()
    for record in ArchiveIterator(io.BytesIO(held.getvalue()), no_record_parse=True):
        if record.rec_type == "response":
            found.append((record.raw_stream.read(), record.rec_headers.get_header("WARC-Truncated")))
    for record in ArchiveIterator(io.BytesIO(held.getvalue()), check_digests="raise"):
        record.raw_stream.read()
    ((block, cut),) = found
    return code, block, cut


@pytest.mark.parametrize(
    ("answer", "block"),
    [
        (ODD + SECRETS + b"\r\n" + PICTURE, ODD + b"\r\n" + PICTURE),
        (head("transfer-encoding: chunked", "A: b") + chunks(BIG, b""), head("A: b") + BIG),
        (sized(len(PACKED), "content-encoding: GZIP") + PACKED, ...),
        (head(status="103 Early Hints") + sized(len(PICTURE)) + PICTURE, sized(len(PICTURE)) + PICTURE),
    ],
    ids=["odd head", "chunked", "gzip", "interim"],
)
async def test_the_record_has_the_bytes_of_the_head_and_of_the_body(
    serve: Start, client: Make, tmp_path: Path, answer: bytes, block: Any
) -> None:
    found = await archived(serve, client, tmp_path, answer, spool_over=1000)
    assert found == ("", answer if block is ... else block, None)


@pytest.mark.parametrize(
    ("code", "cut", "came", "options"),
    [
        ("bad-content-encoding", None, sized(9, "Content-Encoding: br") + b"so it was", {}),
        ("bad-content-encoding", None, sized(9, "Content-Encoding: gzip") + b"it is not", {}),
        ("transfer-truncated", None, sized(30, "Content-Encoding: gzip") + PACKED[:30], {}),
        ("empty-body", None, sized(0, "Content-Type: image/jpeg"), {}),
        ("http-status", None, sized(4, status="404 Gone Fishing") + b"gone", {}),
        ("transfer-truncated", "disconnect", sized(len(BIG)) + BIG[:100_000], {}),
        ("too-large", "length", sized(len(BIG)), {"max_size": 1000}),
        ("http-status", "length", sized(70_000, status="404 Not Found"), {}),
    ],
    ids=["br", "no gzip", "gzip cut", "empty", "404", "cut", "too large", "large 404"],
)
async def test_an_answer_of_no_use_is_there_as_far_as_it_came(
    serve: Start, client: Make, tmp_path: Path, code: str, cut: str | None, came: bytes, options: dict[str, Any]
) -> None:
    assert await archived(serve, client, tmp_path, came, spool_over=50_000, **options) == (code, came, cut)


async def test_of_a_body_that_turns_out_too_large_that_is_there_which_fits(
    serve: Start, client: Make, tmp_path: Path
) -> None:
    answer = head("Transfer-Encoding: chunked") + chunks(*(BIG[at : at + 50_000] for at in range(0, 200_000, 50_000)))
    code, block, cut = await archived(serve, client, tmp_path, answer, max_size=120_000)
    body = block.removeprefix(head())
    assert (code, cut, body == BIG[:120_000]) == ("too-large", "length", True)


async def test_a_refusal_in_chunks_is_there_whole(serve: Start, client: Make, tmp_path: Path) -> None:
    answer = head("Transfer-Encoding: chunked", status="404 Not Found") + chunks(b"not ", b"here", b"")
    found = await archived(serve, client, tmp_path, answer)
    assert found == ("http-status", head(status="404 Not Found") + b"not here", None)


async def test_of_what_takes_too_long_that_is_there_which_came(serve: Start, client: Make, tmp_path: Path) -> None:
    async def slowly(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(sized(len(PICTURE)) + PICTURE[:100])
        await writer.drain()
        await asyncio.sleep(60)

    found = await archived(serve, client, tmp_path, slowly, timeout=0.5)
    assert found == ("deadline", sized(len(PICTURE)) + PICTURE[:100], "time")


async def test_of_several_tries_the_last_one_is_there_and_no_file_of_the_others(
    serve: Start, client: Make, tmp_path: Path
) -> None:
    answers = iter([sized(len(BIG)) + BIG[:90_000], sized(len(BIG)) + BIG])

    async def answer(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))
        await writer.drain()
        writer.close()

    def twice(**options: Any) -> Any:
        inner = client(**options)

        class Twice:
            async def fetch(self, request: Request) -> Any:
                try:
                    return await inner.fetch(request)
                except FetchError:
                    return await inner.fetch(request)

        return Twice()

    found = await archived(serve, twice, tmp_path, answer, spool_over=1000)
    assert found == ("", sized(len(BIG)) + BIG, None)


async def test_a_page_that_came_in_a_coding_is_listed_by_its_title(serve: Start, client: Make, tmp_path: Path) -> None:
    held = io.BytesIO()

    @contextmanager
    def opened(_: int) -> Iterator[IO[bytes]]:
        yield held

    page = gzip.compress(b"<!doctype html><title>Boats &amp; more</title>")
    url = (await serve(sized(len(page), "Content-Type: text/html", "Content-Encoding: gzip") + page)).url("/")
    with Target("wacz", opened, "test").open(tmp_path) as out:
        await out.recorded(client()).fetch(Request(url))
    with zipfile.ZipFile(held) as box:
        _, row = map(json.loads, box.read("pages/pages.jsonl").splitlines())
    assert (row["url"], row["title"]) == (url, "Boats & more")


@pytest.mark.parametrize("ends", [200, 503])
async def test_the_answer_to_what_is_asked_for_again_is_there_when_that_was_the_last(tmp_path: Path, ends: int) -> None:
    held, url = io.BytesIO(), "https://site.example/a.jpg"
    statuses = [503, ends]

    @contextmanager
    def opened(_: int) -> Iterator[IO[bytes]]:
        yield held

    class Backing:
        async def fetch(self, request: Request) -> Download:
            assert request.trace is not None
            status, at = statuses.pop(0), datetime.now(UTC)
            seen = Capture(url, at, status, head(status=f"{status} {len(statuses)} left"), (), None, b"")
            request.trace.append(seen)
            if status == 200:
                return Download(url, url, 200, (), Body(0, ""), at)
            error = HTTPStatus("backs off", status=status)
            error.deferred = True
            raise error

    with Target("warc", opened, "test").open(tmp_path) as out:
        fetcher = out.recorded(Backing(), asks_again=True)
        for _ in range(2):
            with suppress(FetchError):
                await fetcher.fetch(Request(url))
        outcome = Outcome(Variant(url), Status.STORED if ends == 200 else Status.FAILED)
        async with await Catalog.open(tmp_path / "c.sqlite") as catalog:
            told = fetcher.keep_stored([outcome], catalog, MemoryStore(), lambda _: False)
            assert [problem async for problem in told] == []
    answers = [r for r in ArchiveIterator(io.BytesIO(held.getvalue())) if r.rec_type == "response"]
    assert [record.http_headers.statusline for record in answers] == [f"{ends} 0 left"]

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import random
from pathlib import Path

import pytest

from fixtures.crawls.warcs import chunked, compressed, http, record, response
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.bytes import Place
from mediamirror.documents.warc.index import Holds, Index, Located
from mediamirror.errors import BodyTooLarge, TooManyRedirects
from mediamirror.model import Download

CDN = "https://cdn.example"
JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 20


def write(path: Path, records: list[bytes]) -> Path:
    path.write_bytes(compressed(records) if path.name.endswith(".gz") else b"".join(records))
    return path


def image(name: str, body: bytes = JPEG, *, date: str = "2025-12-08T10:00:00Z", **more: object) -> bytes:
    return response(f"{CDN}/{name}", body, "image/jpeg", date=date, **more)  # type: ignore[arg-type]


def moved(name: str, to: str) -> bytes:
    head = http(b"", None, status="301 Moved Permanently", more=[("Location", to)])
    return record("response", f"{CDN}/{name}", head)


def revisit(name: str, *, date: str, more: list[tuple[str, str]]) -> bytes:
    profile = ("WARC-Profile", "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest")
    block = http(b"", "image/jpeg", more=[("X-Seen", "again")])
    return record("revisit", f"{CDN}/{name}", block, date=date, more=[profile, *more])


async def look(tmp_path: Path, records: list[bytes], *names: str, file: str = "a.warc.gz") -> list[Download | None]:
    with WarcArchive.open([write(tmp_path / file, records)], tmp_path) as archive:
        return [await archive.lookup(f"{CDN}/{name}") for name in names]


def body_of(download: Download | None) -> bytes:
    assert download is not None
    assert download.body is not None
    return download.body.data if download.body.data is not None else Path(str(download.body.path)).read_bytes()


@pytest.mark.parametrize("file", ["a.warc", "a.warc.gz"])
async def test_a_response_is_a_download_with_its_headers_date_and_hash(tmp_path: Path, file: str) -> None:
    more = [("ETag", '"x"'), ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]
    coded = image("a.jpg", chunked(gzip.compress(JPEG), 100), http_more=more)
    (found,) = await look(tmp_path, [image("0.jpg"), coded], "a.jpg#top", file=file)
    assert found is not None
    assert found.body is not None
    assert (found.url, found.final_url, found.http_status) == (f"{CDN}/a.jpg#top", f"{CDN}/a.jpg", 200)
    assert found.headers == (("content-type", "image/jpeg"), ("etag", '"x"'))
    assert found.fetched_at.isoformat() == "2025-12-08T10:00:00+00:00"
    assert (found.body.data, found.body.size, found.body.sha256) == (JPEG, len(JPEG), hashlib.sha256(JPEG).hexdigest())


async def test_what_is_not_there_or_no_whole_answer_is_none(tmp_path: Path) -> None:
    records = [
        response(f"{CDN}/404", JPEG, "image/jpeg", status="404 Not Found"),
        response(f"{CDN}/206", JPEG, "image/jpeg", status="206 Partial Content"),
        image("empty", b""),
        image("cut", more=[("WARC-Truncated", "length")]),
        record("request", f"{CDN}/request", b"GET / HTTP/1.1\r\n\r\n"),
        moved("away", "https://elsewhere.example/"),
    ]
    names = ["404", "206", "empty", "cut", "request", "away", "never"]
    assert await look(tmp_path, records, *names) == [None] * 7


async def test_of_several_captures_the_newest_counts_whatever_their_order(tmp_path: Path) -> None:
    records = [
        image("a", JPEG + b"2", date="2025-12-08T10:00:00.5Z"),
        image("a", JPEG + b"1", date="2025-12-08T10:00:00Z"),
        image("b", JPEG + b"1"),
        image("b", JPEG + b"2"),
    ]
    assert [body_of(found)[-1:] for found in await look(tmp_path, records, "a", "b")] == [b"2", b"2"]


async def test_a_damaged_capture_gives_way_to_the_one_before(tmp_path: Path) -> None:
    new = bytearray(compressed([image("a", random.Random(1).randbytes(300_000), date="2026-01-01")]))
    new[-2000:-1000] = b"\xff" * 1000
    path = tmp_path / "a.warc.gz"
    path.write_bytes(bytes(new) + compressed([image("a", b"old" * 100)]))
    with WarcArchive.open([path], tmp_path, spool_over=1000) as archive:
        assert archive.count == 2
        assert body_of(await archive.lookup(f"{CDN}/a")) == b"old" * 100
    assert os.listdir(tmp_path) == [path.name]


async def test_a_body_shorter_than_its_content_length_is_not_usable(tmp_path: Path) -> None:
    cut = image("a", JPEG[:-9], http_more=[("Content-Length", str(len(JPEG)))])
    assert await look(tmp_path, [cut], "a") == [None]


async def test_redirects_are_followed_within_the_archive(tmp_path: Path) -> None:
    records = [moved("a", "/b"), moved("b", f"{CDN}/c"), image("c")]
    (found,) = await look(tmp_path, records, "a")
    assert found is not None
    assert (found.final_url, found.redirects) == (f"{CDN}/c", (f"{CDN}/a", f"{CDN}/b"))
    with pytest.raises(TooManyRedirects, match="in a circle"):
        await look(tmp_path, [moved("a", "/b"), moved("b", "/a")], "a")


@pytest.mark.parametrize(
    "more",
    [
        [("WARC-Payload-Digest", "sha1:ABC")],
        [("WARC-Refers-To-Target-URI", f"{CDN}/a"), ("WARC-Refers-To-Date", "2025-01-01T00:00:00Z")],
    ],
    ids=["by digest", "by address"],
)
async def test_a_revisit_has_the_body_it_refers_to_and_headers_of_its_own(
    tmp_path: Path, more: list[tuple[str, str]]
) -> None:
    original = image("a", date="2025-01-01T00:00:00Z", more=[("WARC-Payload-Digest", "sha1:ABC")])
    other = image("a", b"other", date="2025-06-01T00:00:00Z")
    (found,) = await look(tmp_path, [other, original, revisit("b", date="2026-01-01T00:00:00Z", more=more)], "b")
    assert body_of(found) == JPEG
    assert found is not None
    assert (found.header("x-seen"), found.fetched_at.year) == ("again", 2026)


async def test_a_revisit_of_what_is_not_there_is_none(tmp_path: Path) -> None:
    more = [("WARC-Refers-To-Target-URI", f"{CDN}/nowhere")]
    assert await look(tmp_path, [revisit("a", date="2026-01-01", more=more)], "a") == [None]


async def test_a_large_body_is_spooled_and_one_too_large_is_refused_without_a_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.warc.gz",
        [image("a", JPEG), image("bomb", gzip.compress(bytes(5_000_000)), http_more=[("Content-Encoding", "gzip")])],
    )
    spool = tmp_path / "spool"
    spool.mkdir()
    with WarcArchive.open([path], spool, spool_over=1000, max_size=100_000) as archive:
        with pytest.raises(BodyTooLarge, match=r"larger than 100,000 bytes in the archive"):
            await archive.lookup(f"{CDN}/bomb")
        assert list(spool.glob("*.part")) == []
        found = await archive.lookup(f"{CDN}/a")
        assert found is not None
        assert found.body is not None
        assert found.body.path is not None
        assert (found.body.path.read_bytes(), found.body.data) == (JPEG, None)
        assert (found.body.prefix, found.body.sha256) == (JPEG, hashlib.sha256(JPEG).hexdigest())


async def test_an_archive_compressed_as_one_piece_can_be_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(image("a") + image("b", b"second")))
    with WarcArchive.open([path], tmp_path) as archive:
        assert body_of(await archive.lookup(f"{CDN}/b")) == b"second"


async def test_many_lookups_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    records = [image(str(n), b"%d" % n) for n in range(200)]
    with WarcArchive.open([write(tmp_path / "a.warc.gz", records)], tmp_path) as archive:
        found = await asyncio.gather(*(archive.lookup(f"{CDN}/{n}") for n in range(200)))
        assert archive.count == 200
    assert [body_of(each) for each in found] == [b"%d" % n for n in range(200)]


async def test_reading_documents_fills_the_archive_on_the_way_over_several_files(tmp_path: Path) -> None:
    page = response("https://site.example/", b"<!doctype html><img src=https://cdn.example/b>", "text/html")
    paths = [write(tmp_path / "1.warc.gz", [page, image("a")]), write(tmp_path / "2.warc", [image("b")])]
    with WarcArchive(tmp_path) as archive:
        items = [item async for item in read_inputs([str(path) for path in paths], archive=archive)]
        assert [item.name for item in items if isinstance(item, Document)] == ["https://site.example/"]
        assert body_of(await archive.lookup(f"{CDN}/b")) == JPEG


def test_the_index_keeps_rows_apart_over_many_pages(tmp_path: Path) -> None:
    index = Index(tmp_path)
    for n in range(60_000):
        index.add(f"key {n % 20_000}", Located(n, Holds.BODY, n % 7, Place(n, n // 2)))
    assert [(row.date, row.file, row.place) for row in index.find("key 7")] == [
        (n, n % 7, Place(n, n // 2)) for n in (40_007, 20_007, 7)
    ]
    assert index.find("key 20000") == []
    index.close()
    assert list(tmp_path.iterdir()) == []

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import random
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backports import zstd

from fixtures.crawls.warcs import chunked, compressed, http, record, response, sha1
from fixtures.crawls.warcs import revisit as same_again
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.bytes import Position
from mediamirror.documents.warc.index import Holds, Index, Located, equivalent, payload_key, url_key
from mediamirror.documents.warc.read import read_warc, rest
from mediamirror.errors import BodyTooLarge, NotArchived, TooManyRedirects
from mediamirror.model import Download, Problem

CDN = "https://cdn.example"
JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 20
PROMISED = ("WARC-Payload-Digest", sha1(b"another"))


def write(path: Path, records: list[bytes]) -> Path:
    ways = {".gz": compressed, ".zst": lambda each: b"".join(map(zstd.compress, each))}
    path.write_bytes(ways.get(path.suffix, b"".join)(records))
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


@contextmanager
def opened(paths: list[Path], directory: Path, **sizes: int) -> Iterator[WarcArchive]:
    """What is looked up in once the archives were read."""
    with WarcArchive(directory, **sizes) as archive:  # type: ignore[arg-type]
        for path in paths:
            for _ in read_warc(path, archive=archive):
                pass
        yield archive


async def look(tmp_path: Path, records: list[bytes], *names: str, file: str = "a.warc.gz") -> list[Download | None]:
    with opened([write(tmp_path / file, records)], tmp_path) as archive:
        return [await held(archive, f"{CDN}/{name}") for name in names]


async def held(archive: WarcArchive, url: str) -> Download | None:
    try:
        return await archive.lookup(url)
    except NotArchived:
        return None


async def refused(tmp_path: Path, records: list[bytes], name: str, file: str = "a.warc") -> str:
    with (
        opened([write(tmp_path / file, records)], tmp_path) as archive,
        pytest.raises(NotArchived) as caught,
    ):
        await archive.lookup(f"{CDN}/{name}")
    return caught.value.message.removeprefix(f"{CDN}/{name} can't be taken from the archives: ")


def body_of(download: Download | None) -> bytes:
    assert download is not None
    assert download.body is not None
    return download.body.data if download.body.data is not None else Path(str(download.body.path)).read_bytes()


@pytest.mark.parametrize("file", ["a.warc", "a.warc.gz", "a.warc.zst"])
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
    with opened([path], tmp_path, spool_over=1000) as archive:
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


def again(name: str, status: str, more: list[tuple[str, str]]) -> bytes:
    """A revisit whose own head tells of something else than a whole answer."""
    return record("revisit", f"{CDN}/{name}", http(b"", "text/html", status=status, more=more))


async def test_a_revisit_of_a_redirect_leads_on_and_one_of_an_error_is_called_so(tmp_path: Path) -> None:
    records = [again("old", "302 Found", [("Location", "/a")]), image("a"), again("gone", "404 Not Found", [])]
    assert [body_of(found) for found in await look(tmp_path, records, "old")] == [JPEG]
    assert "its answer there has the status 404" in await refused(tmp_path, records, "gone")


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
    with opened([path], spool, spool_over=1000, max_size=100_000) as archive:
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
    with opened([path], tmp_path) as archive:
        assert body_of(await archive.lookup(f"{CDN}/b")) == b"second"


async def test_many_lookups_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    records = [image(str(n), b"%d" % n) for n in range(200)]
    with opened([write(tmp_path / "a.warc.gz", records)], tmp_path) as archive:
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
        index.add(payload_key(f"key {n % 20_000}"), Located(n, Holds.BODY, n % 7, Position(n, n // 2)))
    assert [(row.date, row.file, row.place) for row in index.find(payload_key("key 7"))] == [
        (n, n % 7, Position(n, n // 2)) for n in (40_007, 20_007, 7)
    ]
    assert index.find(payload_key("key 20000")) == []
    index.close()
    assert list(tmp_path.iterdir()) == []


PNG = b"\x89PNG\r\n" + bytes(1000)


async def test_bytes_that_are_not_those_of_their_digest_are_refused_with_both(tmp_path: Path) -> None:
    for name, promised in (("WARC-Payload-Digest", sha1(JPEG)), ("WARC-Block-Digest", sha1(b"another"))):
        records = [image("a.jpg", PNG, more=[(name, promised)])]
        found = sha1(PNG if "Payload" in name else http(PNG, "image/jpeg"))
        told = await refused(tmp_path, records, "a.jpg")
        assert found in told
        assert promised in told


@pytest.mark.parametrize("size", [200, 3_000_000])
async def test_a_flipped_bit_in_a_plain_file_is_found_by_the_digest_and_leaves_no_file(
    tmp_path: Path, size: int
) -> None:
    body = random.Random(1).randbytes(size)
    path = write(tmp_path / "a.warc", [image("a.jpg", body, more=[("WARC-Payload-Digest", sha1(body))])])
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(bytes(data))
    with opened([path], tmp_path) as archive:
        assert await held(archive, f"{CDN}/a.jpg") is None
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "digest",
    [
        sha1(JPEG),
        f"sha1:{hashlib.sha1(JPEG).hexdigest()}",
        f"SHA-256:{hashlib.sha256(JPEG).hexdigest()}",
        f"md5:{hashlib.md5(JPEG).hexdigest()}",
        "sha1:AAAA",
        "tiger:AAAA",
        "nonsense",
    ],
)
async def test_every_way_to_write_a_digest_is_understood_or_proves_nothing(tmp_path: Path, digest: str) -> None:
    (found,) = await look(tmp_path, [image("a", more=[("WARC-Payload-Digest", digest)])], "a")
    assert body_of(found) == JPEG


@pytest.mark.parametrize("of", ["stored", "without chunks", "decoded"])
async def test_a_payload_digest_may_be_of_each_stage_of_decoding(tmp_path: Path, of: str) -> None:
    stages = {"decoded": JPEG, "without chunks": gzip.compress(JPEG, mtime=0)}
    stages["stored"] = chunked(stages["without chunks"], 100)
    codings = [("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]
    more = [("WARC-Payload-Digest", sha1(stages[of]))]
    (found,) = await look(tmp_path, [image("a", stages["stored"], http_more=codings, more=more)], "a")
    assert body_of(found) == JPEG


async def test_a_revisit_whose_original_only_claims_its_digest_is_refused(tmp_path: Path) -> None:
    liar = image("first", PNG, more=[("WARC-Payload-Digest", sha1(JPEG))])
    told = await refused(tmp_path, [liar, same_again(f"{CDN}/a", JPEG, "image/jpeg")], "a")
    assert sha1(PNG) in told
    nameless = image("first", PNG, date="2025-01-01T00:00:00Z")
    pointing = same_again(f"{CDN}/a", JPEG, "image/jpeg", of=f"{CDN}/first", then="2025-01-01T00:00:00Z")
    assert sha1(PNG) in await refused(tmp_path, [nameless, pointing], "a")


async def test_a_revisit_is_found_though_it_says_that_it_was_truncated_and_has_the_block_digest_of_nothing(
    tmp_path: Path,
) -> None:
    more = [("WARC-Truncated", "length"), ("WARC-Block-Digest", sha1(b""))]
    records = [image("first"), same_again(f"{CDN}/a", JPEG, "image/jpeg", of=f"{CDN}/first", more=more)]
    (found,) = await look(tmp_path, records, "a")
    assert body_of(found) == JPEG


@pytest.mark.parametrize(
    ("asked", "archived"),
    [
        ("a|b.jpg", "a%7Cb.jpg"),
        ("%c3%a9.jpg", "%C3%A9.jpg"),
        ("é.jpg", "%c3%a9.jpg"),
        ("~ann/a.jpg", "%7Eann/a.jpg"),
        ("it's.jpg?q='x'", "it%27s.jpg?q=%27x%27"),
        ("a[1].jpg?b[]=2", "a%5B1%5D.jpg?b%5b%5d=2"),
        ("x/../a^.jpg", "a%5E.jpg"),
        ("c_fill,w_480/a.jpg", "c_fill%2Cw_480/a.jpg"),
        ("a.jpg?", "a.jpg"),
        ("b.jpg", "b.jpg?"),
    ],
)
async def test_a_url_is_found_in_every_equivalent_spelling(tmp_path: Path, asked: str, archived: str) -> None:
    for one, other in ((asked, archived), (archived, asked)):
        (found,) = await look(tmp_path, [image(one)], other)
        assert body_of(found) == JPEG


@pytest.mark.parametrize(
    ("asked", "archived"),
    [("a%2Fb", "a/b"), ("a%3Fb", "a?b"), ("a?x=1%262", "a?x=1&2"), ("a%25b", "a%2525b"), ("a+b", "a%20b"), ("A", "a")],
)
async def test_what_has_a_meaning_is_never_taken_for_its_escape(tmp_path: Path, asked: str, archived: str) -> None:
    assert await look(tmp_path, [image(archived)], asked) == [None]
    assert equivalent(f"{CDN}/{asked}") != equivalent(f"{CDN}/{archived}")


async def test_the_very_spelling_comes_before_an_equivalent_one(tmp_path: Path) -> None:
    records = [image("a,b", b"bare"), image("a%2Cb", b"escaped")]
    assert [body_of(found) for found in await look(tmp_path, records, "a,b", "a%2Cb")] == [b"bare", b"escaped"]


@pytest.mark.parametrize("near", ["a?y=2&x=1", "A?x=1&y=2"])
async def test_a_near_miss_is_named_and_not_taken(tmp_path: Path, near: str) -> None:
    assert f"; {CDN}/{near} is, which differs in" in await refused(tmp_path, [image(near)], "a?x=1&y=2")
    assert "none of the archives." in await refused(tmp_path, [image(near)], "a?x=1&y=3")


async def test_http_is_a_near_miss_of_https(tmp_path: Path) -> None:
    record_of_http = response("http://cdn.example/a", JPEG, "image/jpeg")
    assert "; http://cdn.example/a is, which differs" in await refused(tmp_path, [record_of_http], "a")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (response(f"{CDN}/a", JPEG, "image/jpeg", status="404 Not Found"), "the status 404"),
        (
            response(f"{CDN}/a", JPEG, "image/jpeg", status="206 Partial Content"),
            "only a part of it is there (status 206)",
        ),
        (image("a", b""), "its answer has no body"),
        (image("a", more=[("WARC-Truncated", "length")]), "cut short (WARC-Truncated: length)"),
        (image("a", JPEG[:-9], http_more=[("Content-Length", str(len(JPEG)))]), "shorter than its Content-Length"),
        (record("response", f"{CDN}/a", JPEG), "holds no HTTP response"),
        (moved("a", "https://elsewhere.example/b"), "redirected to https://elsewhere.example/b, which is in none"),
        (same_again(f"{CDN}/a", JPEG, "image/jpeg"), "is a revisit, and its original is in none of the archives"),
        (image("a", b"zzz", http_more=[("Content-Encoding", "zip")]), "coding 'zip' is not known"),
        (image("a").replace(b"Content-Length: ", b"Content-Length: -", 1), "a record does not say how long it is"),
        (record("conversion", f"{CDN}/a", JPEG, content_type="image/jpeg"), "only what was made of it is there"),
        (image("a")[:420], "the file ends too early"),
        (
            record(
                "response", f"{CDN}/a", http(b"", None, status="302 Found", more=[("Location", "/b")]), more=[PROMISED]
            ),
            f"is not to be trusted: its bytes are not those that it was recorded with (sha1:{sha1(b'')[5:]}, and the record says",
        ),
    ],
    ids=[
        *("404", "206", "empty", "truncated", "short", "no answer", "moved away", "revisit", "coding"),
        *("no length", "conversion", "cut in its head", "moved falsely"),
    ],
)
async def test_what_is_there_and_of_no_use_says_why(tmp_path: Path, broken: bytes, told: str) -> None:
    assert told in await refused(tmp_path, [broken], "a")


async def test_a_damaged_member_is_the_reason_of_the_record_in_it_where_its_header_can_be_read(tmp_path: Path) -> None:
    sound, hurt = (bytearray(compressed([image(name, random.Random(1).randbytes(3000))])) for name in "ba")
    early = hurt.copy()
    hurt[-1500:-1400] = early[20:120] = b"\xff" * 100
    for data, told in (
        (hurt, "its compressed data is damaged."),
        (early, f"{CDN}/a is in none of the archives, as far as they can be read (1 place in them can't be)."),
    ):
        path = tmp_path / "a.warc.gz"
        path.write_bytes(sound + data)
        with opened([path], tmp_path) as archive, pytest.raises(NotArchived) as caught:
            await archive.lookup(f"{CDN}/a")
        assert caught.value.message.removeprefix(f"{CDN}/a can't be taken from the archives: ") == told


def named(record: bytes, name: str) -> bytes:
    """The record under another id."""
    return re.sub(rb"WARC-Record-ID: [^\r]*", b"WARC-Record-ID: <urn:uuid:%b>" % name.encode(), record)


async def test_a_revisit_that_gives_nothing_but_the_id_of_its_original_is_found_by_that(tmp_path: Path) -> None:
    again = revisit("a", date="2026-01-01T00:00:00Z", more=[("WARC-Refers-To", "<urn:uuid:1>")])
    other = image("a", b"another picture", date="2024-01-01T00:00:00Z")
    (found,) = await look(tmp_path, [other, named(image("b"), "1"), again], "a")
    assert body_of(found) == JPEG
    (found,) = await look(tmp_path, [named(image("b"), "2"), again], "a")
    assert found is None
    twice = [named(image("b"), "1"), named(image("c", b"2"), "1"), again]
    assert "2 records have the id that it refers to" in await refused(tmp_path, twice, "a")


async def test_an_answer_under_a_wrong_content_type_is_one_all_the_same(tmp_path: Path) -> None:
    plain = record("response", f"{CDN}/a", http(JPEG, "image/jpeg"), content_type="text/plain")
    non_authoritative = response(f"{CDN}/b", JPEG, "image/jpeg", status="203 Non-Authoritative Information")
    assert [body_of(found) for found in await look(tmp_path, [plain, non_authoritative], "a", "b")] == [JPEG, JPEG]


async def test_a_later_redirect_that_leads_nowhere_gives_way_to_the_picture_before_it(tmp_path: Path) -> None:
    for target in ("/gone", "/a", "mailto:x@y.example"):
        later = record(
            "response",
            f"{CDN}/a",
            http(b"", None, status="302 Found", more=[("Location", target)]),
            date="2026-03-06T00:00:00Z",
        )
        (found,) = await look(tmp_path, [image("a"), later], "a")
        assert found is not None
        assert (body_of(found), found.redirects, found.hops) == (JPEG, (), ())


async def test_many_redirects_that_lead_nowhere_end_soon(tmp_path: Path) -> None:
    records = [moved(f"{n}", f"/{m}") for n in range(12) for m in range(12, 0, -1) if m != n]
    with pytest.raises(TooManyRedirects):
        await look(tmp_path, records, "0")


async def test_the_answers_of_the_redirects_come_with_what_they_lead_to(tmp_path: Path) -> None:
    (found,) = await look(tmp_path, [moved("a", "/b"), image("b")], "a")
    assert found is not None
    ((url, status, headers, at),) = found.hops
    assert (url, status, headers, f"{at:%Y-%m-%d}") == (f"{CDN}/a", 301, (("location", "/b"),), "2025-12-08")


def proved(name: str, body: bytes, year: str) -> bytes:
    return image(name, body, date=f"{year}-06-02T00:00:00Z", more=[("WARC-Payload-Digest", sha1(body))])


async def test_of_several_captures_the_nearest_to_the_page_counts_and_the_difference_is_told(tmp_path: Path) -> None:
    page = "https://site.example/"
    times = {"2019": b"oldest", "2020": b"of the page", "2026": b"newest"}
    records = [
        response(page, b"<img src=a>", "text/html", date="2020-06-01T00:00:00Z"),
        *(proved("a", body, year) for year, body in times.items()),
        *(proved("b", JPEG, year) for year in times),
    ]
    with opened([write(tmp_path / "a.warc.gz", records)], tmp_path) as archive:
        assert body_of(await archive.lookup(f"{CDN}/a", pages=[page])) == b"of the page"
        assert body_of(await archive.lookup(f"{CDN}/a", pages=["page.html"])) == b"newest"
        assert body_of(await archive.lookup(f"{CDN}/a")) == b"newest"
        before = [problem.message for problem in archive.problems()]
        assert body_of(await archive.lookup(f"{CDN}/b", pages=[page])) == JPEG
        assert [problem.message for problem in archive.problems()] == before
    assert f"{CDN}/a has 3 captures in the archives that are not all the same; that of 2020-06-02" in before[0]
    assert (before[0].endswith("the nearest to its page."), before[1].endswith("the newest.")) == (True, True)


async def test_a_capture_that_is_passed_over_is_told_with_the_reason(tmp_path: Path) -> None:
    wrong = image("a", PNG, date="2026-01-01T00:00:00Z", more=[("WARC-Payload-Digest", sha1(JPEG))])
    with opened([write(tmp_path / "a.warc", [wrong, image("a")])], tmp_path) as archive:
        assert body_of(await archive.lookup(f"{CDN}/a")) == JPEG
        (problem,) = archive.problems()
    assert (problem.code, sha1(PNG) in problem.message) == ("capture-passed-over", True)


def test_a_row_of_the_index_takes_forty_three_bytes_as_it_did(tmp_path: Path) -> None:
    index = Index(tmp_path)
    for n in range(25_600):
        index.add(url_key(f"{CDN}/{n}?b=%7c&a=1"), Located(n, Holds.BODY, 0, Position(n)))
    assert index._end <= 25_600 * 43
    index.close()


def request(name: str, accept: str, *, date: str) -> bytes:
    block = f"GET /{name} HTTP/1.1\r\nHost: cdn.example\r\nAccept: {accept}\r\n\r\n".encode()
    return record("request", f"{CDN}/{name}", block, date=date, content_type="application/http; msgtype=request")


BROWSER = "image/avif,image/webp,image/*,*/*;q=0.8"


@pytest.mark.parametrize("request_comes", ["before", "behind"])
async def test_of_one_day_the_answer_to_a_browser_s_accept_counts(tmp_path: Path, request_comes: str) -> None:
    def asked(body: bytes, accept: str, date: str) -> list[bytes]:
        pair = [request("a", accept, date=date), image("a", body, date=date)]
        return pair if request_comes == "before" else pair[::-1]

    other, later = "2025-12-08T12:00:00Z", "2025-12-20T10:00:00Z"
    browser, crawler = asked(b"webp", BROWSER, "2025-12-08T10:00:00Z"), asked(b"jpeg", "*/*", other)
    for records in ([*browser, *crawler], [*crawler, *browser]):
        assert [body_of(found) for found in await look(tmp_path, records, "a")] == [b"webp"]
        # Another day is another picture, however it was asked for.
        assert [body_of(found) for found in await look(tmp_path, [*records, *asked(b"new", "*/*", later)], "a")] == [
            b"new"
        ]


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00", "2999-01-01", "yesterday"])
async def test_a_date_that_can_not_be_is_no_reason_to_lose_a_picture(tmp_path: Path, date: str) -> None:
    assert [body_of(found) for found in await look(tmp_path, [image("a", date=date)], "a")] == [JPEG]


async def test_what_an_archive_says_is_shown_without_control_characters(tmp_path: Path) -> None:
    told = await refused(tmp_path, [image("a", more=[("WARC-Truncated", "\x1b[2Jlength")])], "a")
    assert ("\x1b" in told, "length" in told) == (False, True)


async def test_a_web_archive_within_one_is_not_taken_apart(tmp_path: Path) -> None:
    inner = compressed([image("inner")])
    records = [response(f"{CDN}/inner.warc.gz", inner, "application/warc"), image("a")]
    assert [found is not None for found in await look(tmp_path, records, "a", "inner")] == [True, False]


async def test_a_record_of_ten_gigabytes_is_passed_over_and_refused_in_little_memory(tmp_path: Path) -> None:
    """The file has a hole where the record's bytes would be."""
    path, size = tmp_path / "a.warc", 10 * 1024**3
    block = http(b"", "image/jpeg", more=[("Content-Length", str(size))])
    head = record("response", f"{CDN}/huge", block, length=len(block) + size).removesuffix(b"\r\n\r\n")
    with path.open("wb") as file:
        file.write(image("before") + head)
        file.seek(size, os.SEEK_CUR)
        file.write(b"\r\n\r\n" + image("behind"))
    tracemalloc.start()
    try:
        with opened([path], tmp_path, max_size=1024**2) as archive:
            assert [body_of(await held(archive, f"{CDN}/{name}")) for name in ("before", "behind")] == [JPEG, JPEG]
            with pytest.raises(BodyTooLarge):
                await archive.lookup(f"{CDN}/huge")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024**2
    assert os.listdir(tmp_path) == [path.name]


def strange(tmp_path: Path, records: list[bytes]) -> list[str]:
    """What is said of an archive that can be read as it is."""
    with WarcArchive(tmp_path) as archive:
        read = [
            *read_warc(write(tmp_path / "b.warc", records), archive=archive, name="b"),
            *rest(archive, 1000, alone=False),
        ]
    return [item.message for item in read if isinstance(item, Problem)]


def test_what_crawlers_keep_beside_a_page_is_no_picture_of_it(tmp_path: Path) -> None:
    """As browsertrix-crawler and Scoop lay it down."""
    beside = [
        record("resource", f"urn:thumbnail:{CDN}/", JPEG, content_type="image/jpeg"),
        record(
            "resource",
            f"urn:pageinfo:{CDN}/",
            b'{"urls":{"https://other.example/a.jpg":{}}}',
            content_type="application/json",
        ),
        response("file:///screenshot.png", JPEG, "image/png"),
        response("file:///provenance-summary.html", b"<img src='https://other.example/b.jpg'>", "text/html"),
    ]
    path = write(tmp_path / "a.warc.gz", [*beside, image("a")])
    with WarcArchive(tmp_path, all_images=True) as archive:
        assert list(read_warc(path, archive=archive, name="a")) == []
        (listed,) = rest(archive, 1000, alone=True)
    assert isinstance(listed, Document)
    assert listed.data == f"{CDN}/a\n".encode()


def test_what_is_strange_in_an_archive_is_told_in_a_sentence_each(tmp_path: Path) -> None:
    assert strange(tmp_path, [image("a"), image("b")]) == []
    twin = image("c")
    late = [image("d", date="2999-01-01T00:00:00Z"), image("e", date="2999-01-01T00:00:00Z")]
    inner = response(f"{CDN}/inner.warc.gz", compressed([image("inner")]), "application/warc")
    undated = [image("f", date="00000000000000"), image("g", date="yesterday")]
    assert strange(tmp_path, [twin, twin, *late, inner, *undated]) == [
        f"b has 1 record ({CDN}/c) with the id of another: all were read.",
        f"b has 2 records ({CDN}/d, …) dated in the future: captures are chosen by these dates.",
        f"b has 1 record ({CDN}/inner.warc.gz) of a web archive within, which is not read: give it as an INPUT.",
        f"b has 2 records ({CDN}/f, …) whose date can't be read: any other capture is taken for newer.",
    ]


async def test_two_records_of_one_id_are_two(tmp_path: Path) -> None:
    assert [body_of(found) for found in await look(tmp_path, [image("a", b"1"), image("b", b"2")], "a", "b")] == [
        b"1",
        b"2",
    ]

from __future__ import annotations

import gzip
import io
import random
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import brotli
import pytest
from backports import zstd
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from fixtures.crawls.warcs import arc, chunked, compressed, http, record, response
from mediamirror.documents.document import Document
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.bytes import WarcBytes
from mediamirror.documents.warc.read import read_warc
from mediamirror.documents.warc.records import Gap, Record, read_records
from mediamirror.errors import NotArchived
from mediamirror.model import Problem

PAGE = b"<!doctype html><img src=a.jpg srcset='b.jpg 2x'>"
SITE = "https://site.example"
HTML = "text/html; charset=utf-8"


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def documents(path: Path, **options: int) -> list[Document]:
    return [item for item in read_warc(path, **options) if isinstance(item, Document)]


def problems(path: Path, **options: int) -> list[Problem]:
    return [item for item in read_warc(path, **options) if isinstance(item, Problem)]


def names(path: Path) -> list[str]:
    return [document.name.removeprefix(SITE) for document in documents(path)]


def pages(count: int, size: int = 3000) -> list[bytes]:
    """Records that compression can't shrink, so that damage has something to hit."""
    return [response(f"{SITE}/{n}", PAGE + random.Random(n).randbytes(size).hex().encode(), HTML) for n in range(count)]


@pytest.mark.parametrize("make", [b"".join, compressed], ids=["plain", "gzip"])
def test_pages_sheets_feeds_and_sitemaps_are_documents_under_their_own_address(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    records = [
        record("warcinfo", "", b"software: x\r\n", content_type="application/warc-fields"),
        record("request", f"{SITE}/", b"GET / HTTP/1.1\r\n\r\n", content_type="application/http; msgtype=request"),
        response(f"{SITE}/", PAGE, "text/html; charset=koi8-r"),
        response(f"{SITE}/s.css", b"a{background:url(x.png)}", "text/css"),
        response(f"{SITE}/feed", b"<?xml version='1.0'?><rss><channel/></rss>", "text/xml"),
        response(f"{SITE}/map", b"<urlset></urlset>", "application/xml"),
        response(f"{SITE}/data.xml", b"<books/>", "application/xml"),
        response(f"{SITE}/a.jpg", b"\xff\xd8\xff", "image/jpeg"),
        response(f"{SITE}/gone", PAGE, HTML, status="404 Not Found"),
        response(f"{SITE}/bare", PAGE, None),
        record("resource", f"{SITE}/resource", PAGE, content_type=HTML),
        record("conversion", f"{SITE}/wet", b"a.jpg 1x", content_type="text/plain"),
    ]
    found = documents(write(tmp_path / "a.warc", make(records)))
    assert [(d.name.removeprefix(SITE), d.kind) for d in found] == [
        ("/", "html"),
        ("/s.css", "css"),
        ("/feed", "feed"),
        ("/map", "sitemap"),
        ("/bare", "html"),
        ("/resource", "html"),
        ("/wet", "text"),
    ]
    assert (found[0].base_url, found[0].media_type, found[0].data) == (f"{SITE}/", "text/html; charset=koi8-r", PAGE)


def test_json_and_markdown_and_xhtml_in_an_archive_are_documents_too(tmp_path: Path) -> None:
    records = [
        response(f"{SITE}/api/1", b'{"img":"/u/a.png"}', "application/json; charset=utf-8"),
        response(f"{SITE}/api/2", b'{"img":"/u/a.png"}', "application/vnd.api+json"),
        response(f"{SITE}/README.md", b"![k](k.png)", "text/markdown"),
        response(f"{SITE}/x", PAGE, "application/xhtml+xml"),
        response(f"{SITE}/robots.txt", b"User-agent: *", "text/plain"),
    ]
    found = documents(write(tmp_path / "a.warc", b"".join(records)))
    assert [(d.name.removeprefix(SITE), d.kind) for d in found] == [
        ("/api/1", "json"),
        ("/api/2", "json"),
        ("/README.md", "markdown"),
        ("/x", "xhtml"),
    ]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PAGE, mtime=0)),
        ("deflate", zlib.compress(PAGE)),
        ("br", brotli.compress(PAGE)),
        ("zstd", zstd.compress(PAGE)),
        ("gzip", PAGE),
        ("br", PAGE),
        ("identity", PAGE),
    ],
    ids=["gzip", "deflate", "br", "zstd", "gzip undone already", "br undone already", "identity"],
)
def test_content_coding_is_undone_where_the_bytes_are_in_it(tmp_path: Path, coding: str, body: bytes) -> None:
    data = response(f"{SITE}/", body, HTML, http_more=[("Content-Encoding", coding)])
    assert [d.data for d in documents(write(tmp_path / "a.warc", data))] == [PAGE]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunked_transfer_coding_is_undone_where_the_bytes_are_in_it(tmp_path: Path, size: int) -> None:
    whole = PAGE + b"x" * 150_000
    more = [("Transfer-Encoding", "chunked")]
    data = response(f"{SITE}/a", chunked(whole, size), HTML, http_more=more)
    data += response(f"{SITE}/b", whole, HTML, http_more=more)
    data += response(f"{SITE}/c", PAGE, HTML, http_more=more)
    data += response(
        f"{SITE}/d", chunked(gzip.compress(whole), 50), HTML, http_more=[*more, ("Content-Encoding", "gzip")]
    )
    assert [d.data for d in documents(write(tmp_path / "a.warc", data))] == [whole, whole, PAGE, whole]


def test_a_damaged_member_is_a_problem_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    members = [compressed([page]) for page in pages(6)]
    at = sum(map(len, members[:2]))
    members[2] = members[2][:300] + b"\xff" * 100 + members[2][400:]
    path = write(tmp_path / "a.warc.gz", b"".join(members))
    assert names(path) == ["/0", "/1", "/3", "/4", "/5"]
    (problem,) = problems(path)
    assert problem.code == "warc-damaged"
    assert f"damaged at byte {at:,}: what is there is left out, and the rest is read." in problem.message


def test_rubbish_between_records_is_stepped_over(tmp_path: Path) -> None:
    first, second, third = pages(3)
    plain = write(tmp_path / "a.warc", first + b"rubbish\r\n\x1f\x8b\x08" + second + third)
    packed = write(tmp_path / "a.warc.gz", compressed([first]) + b"\x1f\x8b\x08rubbish" + compressed([second, third]))
    for path in (plain, packed):
        assert names(path) == ["/0", "/1", "/2"]
        assert [p.code for p in problems(path)] == ["warc-damaged"]


@pytest.mark.parametrize("make", [b"".join, compressed], ids=["plain", "gzip"])
def test_a_truncated_file_gives_what_is_there_and_a_problem(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    data = make(pages(3))
    path = write(tmp_path / "a.warc", data[:-1500])
    assert [(len(d.data) > 2000, d.name.removeprefix(SITE)) for d in documents(path)] == [
        (True, "/0"),
        (True, "/1"),
        (True, "/2"),
    ]
    (problem,) = problems(path)
    assert "the file ends" in problem.message


def test_a_record_that_says_it_is_longer_than_its_member_does_not_swallow_the_next(tmp_path: Path) -> None:
    first, _, third = pages(3)
    long = record("response", f"{SITE}/long", http(PAGE, HTML), length=9_000)
    path = write(tmp_path / "a.warc.gz", compressed([first, long, third]))
    assert names(path) == ["/0", "/long", "/2"]
    assert "shorter than it says" in problems(path)[0].message


def test_a_record_that_says_it_is_shorter_costs_no_other(tmp_path: Path) -> None:
    first, _, third = pages(3)
    short = record("response", f"{SITE}/short", http(PAGE, HTML), length=60)
    for path in (
        write(tmp_path / "a.warc.gz", compressed([first, short, third])),
        write(tmp_path / "a.warc", first + short + third),
    ):
        assert [name for name in names(path) if name != "/short"] == ["/0", "/2"]
        assert problems(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"PK\x03\x04 not a warc",
        gzip.compress(b"not a warc", mtime=0),
        b"WARC/1.0\r\n",
        b"WARC/1.0\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_warc_has_no_documents_and_never_raises(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "a.warc", data)
    assert documents(path) == []
    assert bool(problems(path)) is bool(data)


def zstd_archive(records: list[bytes], dictionary: str) -> bytes:
    """A ``.warc.zst``: each record a frame, behind a dictionary where there is one."""
    if dictionary == "none":
        return b"".join(zstd.compress(each) for each in records)
    trained = zstd.train_dict([response(f"{SITE}/sample/{n}", PAGE + b"x" * n, HTML) for n in range(500)], 4_000)
    content = zstd.compress(trained.dict_content) if dictionary == "compressed" else trained.dict_content
    frames = b"".join(zstd.compress(each, zstd_dict=trained) for each in records)
    return b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content + frames


@pytest.mark.parametrize("dictionary", ["none", "plain", "compressed"])
def test_a_zstd_archive_is_read_with_its_dictionary(tmp_path: Path, dictionary: str) -> None:
    # Pages of a few bytes and of more than is inflated at once.
    records = [*pages(20), *pages(3, size=200_000)]
    path = write(tmp_path / "a.warc.zst", zstd_archive(records, dictionary))
    assert [row[:3] for row in rows_of(path)] == [
        row[:3] for row in rows_of(write(tmp_path / "a.warc", b"".join(records)))
    ]
    assert problems(path) == []


def test_damage_in_a_zstd_archive_costs_one_record(tmp_path: Path) -> None:
    frames = [zstd.compress(each) for each in pages(5)]
    frames[2] = frames[2][:4] + b"\xff" * 60 + frames[2][64:]
    path = write(tmp_path / "a.warc.zst", b"".join(frames))
    assert names(path) == ["/0", "/1", "/3", "/4"]
    assert [problem.code for problem in problems(path)] == ["warc-damaged"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x5d\x2a\x4d\x18\xff\xff\xff\x7f", "its dictionary is over the limit of 16,777,216 bytes"),
        (b"\x5d\x2a\x4d\x18\x05\0\0\0\x28\xb5\x2f\xfd\0", "its dictionary is damaged"),
    ],
)
def test_a_dictionary_that_can_not_be_read_is_one_sentence(tmp_path: Path, data: bytes, told: str) -> None:
    (problem,) = problems(write(tmp_path / "a.warc.zst", data))
    assert (problem.code, told in problem.message) == ("warc-zstd", True)


def test_without_the_extra_a_zstd_archive_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.warc.zst", zstd_archive(pages(1), "none"))
    for module in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    (problem,) = problems(path)
    assert (problem.code, "pip install 'mediamirror[warc]'" in problem.message) == ("warc-zstd", True)


def test_a_page_over_the_limit_is_a_problem_and_the_next_is_read(tmp_path: Path) -> None:
    bomb = response(f"{SITE}/bomb", gzip.compress(bytes(50_000_000)), HTML, http_more=[("Content-Encoding", "gzip")])
    path = write(tmp_path / "a.warc.gz", compressed([bomb, *pages(1)]))
    items = list(read_warc(path, limit=1_000_000))
    assert [(i.code, i.document) for i in items if isinstance(i, Problem)] == [("document-too-large", f"{SITE}/bomb")]
    assert [i.name for i in items if isinstance(i, Document)] == [f"{SITE}/0"]


async def test_a_member_that_inflates_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediamirror.documents.warc.bytes.BOMB_SIZE", 1_000_000)
    bomb = compressed([record("response", f"{SITE}/bomb", http(bytes(30_000_000), "image/png"))])
    path = write(tmp_path / "a.warc.gz", bomb[:-4] + b"size" + compressed(pages(1)))
    assert names(path) == ["/0"]
    assert "inflates without end" in problems(path)[0].message
    write(path, bomb + compressed(pages(1)))  # nobody asks for it, so it is not inflated
    assert (names(path), problems(path)) == (["/0"], [])
    with WarcArchive(tmp_path) as archive:
        assert len(list(read_warc(path, archive=archive))) == 1
        with pytest.raises(NotArchived, match="inflates without end"):
            await archive.lookup(f"{SITE}/bomb")


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "text"])
@pytest.mark.parametrize("size", [1_500, 60_000, 70_000, 200_000])
def test_a_record_that_is_not_read_is_not_inflated_and_the_next_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, dense: bool
) -> None:
    inflated = 0

    def counted(stream: WarcBytes, inflate: Callable[[WarcBytes], None] = WarcBytes._inflate) -> None:
        nonlocal inflated
        inflate(stream)
        inflated += len(stream._ready)

    monkeypatch.setattr(WarcBytes, "_inflate", counted)
    bodies = [random.Random(n).randbytes(size) if dense else b"%02d, " % n * (size // 4) for n in range(30)]
    others = [response(f"{SITE}/{n}.jpg", body, "image/jpeg") for n, body in enumerate(bodies)]
    records = [each for pair in zip(pages(30), others, strict=True) for each in pair]
    path = write(tmp_path / "a.warc.gz", compressed(records))
    assert (names(path), inflated < 30 * (len(records[0]) + 4096) + size) == ([f"/{n}" for n in range(30)], True)
    assert problems(path) == []
    with path.open("rb") as file:
        places = [item[0].place for item in read_records(file) if not isinstance(item, Gap)]
    sizes = [len(compressed([each])) for each in records]
    assert [place.at for place in places] == [sum(sizes[:n]) for n in range(60)]


@pytest.mark.parametrize(
    "tail",
    [b"", bytes(9), gzip.compress(b"", mtime=0), gzip.compress(b"\r\n", mtime=0)],
    ids=["nothing", "zeros", "an empty member", "a member of a line end"],
)
def test_what_stands_in_one_member_or_between_two_is_not_passed_over(tmp_path: Path, tail: bytes) -> None:
    def picture(name: str) -> bytes:
        return response(f"{SITE}/{name}.jpg", random.Random(name).randbytes(20_000), "image/jpeg")

    first, second, third = pages(3)
    members = [
        picture("a"),
        picture("b") + first,
        second,
        picture("c"),
        picture("d") + b"\r\n" * 9 + third,
        picture("e"),
    ]
    path = write(
        tmp_path / "a.warc.gz", b"".join(gzip.compress(each, mtime=n % 2) + tail for n, each in enumerate(members))
    )
    assert (names(path), problems(path)) == (["/0", "/1", "/2"], [])


@pytest.mark.parametrize("seed", range(40))
def test_what_is_passed_over_changes_nothing_of_what_is_found(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    bodies = [
        chance.randbytes(3_000),
        chance.randbytes(9_000),
        b"ab" * 20_000,
        gzip.compress(chance.randbytes(3_000), mtime=0),
    ]

    def member(name: int) -> bytes:
        blocks = [
            response(f"{SITE}/{name}", chance.choice(bodies), "image/png") for _ in range(chance.choice([1, 1, 1, 2]))
        ]
        return gzip.compress(b"".join(blocks), chance.choice([1, 9]), mtime=chance.choice([0, 0, 7])) + bytes(
            chance.choice([0, 0, 4])
        )

    data = b"".join(map(member, range(8)))[: chance.randrange(60_000) if seed % 3 else None]
    path = write(tmp_path / "a.warc.gz", data)

    def found() -> list[object]:
        with path.open("rb") as file:
            return [
                (i.place, i.reason) if isinstance(i, Gap) else (i[0].place, i[0].length) for i in read_records(file)
            ]

    jumped = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mediamirror.documents.warc.bytes._MOST_MISSED", 0)
        assert found() == jumped


def test_many_damaged_places_are_counted(tmp_path: Path) -> None:
    found = problems(write(tmp_path / "a.warc", b"WARC/1.0\r\nX: y\r\n\r\nrubbish\n" * 300))
    assert len(found) == 101
    assert "200 more damaged places" in found[-1].message


def rows_of(path: Path) -> list[tuple[str, str, int, bytes]]:
    with path.open("rb") as file:
        return [
            (item[0].kind, item[0].url, item[0].length, b"".join(item[1].chunks()))
            for item in read_records(file)
            if isinstance(item[0] if not isinstance(item, Gap) else None, Record)
        ]


def written(rows: Iterable[tuple[str, bytes]], *, gzipped: bool) -> bytes:
    """A WARC as warcio writes it."""
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=gzipped)
    writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "test"}))
    for url, body in rows:
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=head))
    return file.getvalue()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6), st.booleans())
def test_sound_files_read_as_warcio_and_fastwarc_read_them(tmp_path: Path, bodies: list[bytes], gzipped: bool) -> None:
    data = written([(f"{SITE}/{n}", body) for n, body in enumerate(bodies)], gzipped=gzipped)
    ours = rows_of(write(tmp_path / "a.warc", data))
    theirs = [
        (r.rec_type, r.rec_headers.get_header("WARC-Target-URI") or "", r.length)
        for r in ArchiveIterator(io.BytesIO(data), no_record_parse=True)
    ]
    fast = [r.reader.read() for r in FastIterator(io.BytesIO(data), parse_http=False)]
    assert [row[:3] for row in ours] == theirs
    assert [row[3] for row in ours] == fast


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damage_is_told_alike_with_the_extra_and_without(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(compressed(pages(3, size=200)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
    path = write(tmp_path / "a.warc.gz", bytes(whole))

    def told() -> list[str]:  # how much is left of a document that breaks off is not the same
        return [item.name if isinstance(item, Document) else item.message for item in read_warc(path)]

    found = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mediamirror.documents.warc.bytes.igzip", lambda: zlib)
        assert told() == found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_damage_leaves_every_record_outside_of_it(tmp_path: Path, data: st.DataObject) -> None:
    members = [compressed([page]) for page in pages(5, size=200)]
    victim = data.draw(st.integers(0, 4))
    at = data.draw(st.integers(0, len(members[victim]) - 1))
    rubbish = data.draw(st.binary(max_size=30))
    cut = data.draw(st.integers(0, 30))
    members[victim] = members[victim][:at] + rubbish + members[victim][at + cut :]
    found = names(write(tmp_path / "a.warc.gz", b"".join(members)))
    assert [name for name in found if name != f"/{victim}"] == [f"/{n}" for n in range(5) if n != victim]


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_records_that_end_with_a_step_of_inflating_are_followed_by_the_next(tmp_path: Path, more: int) -> None:
    def padded(name: str) -> bytes:
        # The body's length keeps its number of digits, so the record grows by what is added to it.
        bare = len(response(f"{SITE}/{name}", PAGE + b"a" * 120_000, HTML))
        return response(f"{SITE}/{name}", PAGE + b"a" * (120_000 + 2 * 65_536 - bare + more), HTML)

    path = write(tmp_path / "a.warc.gz", compressed(padded(name) for name in "abc"))
    assert (names(path), problems(path)) == (["/a", "/b", "/c"], [])


@pytest.mark.parametrize("make", [b"".join, compressed], ids=["plain", "gzip"])
def test_damage_in_an_arc_file_costs_one_record(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    bodies = [PAGE + random.Random(n).randbytes(3000).hex().encode() for n in range(5)]
    records = arc((f"{SITE}/{n}", "text/html", body, "20020101000000") for n, body in enumerate(bodies))
    sizes = [len(make([each])) for each in records]
    data = bytearray(make(records))
    victim = sum(sizes[:3]) + (1500 if make is compressed else 0)
    data[victim : victim + 60] = b"\xff" * 60
    path = write(tmp_path / "old.arc", bytes(data))
    # What comes before the damage is still the beginning of a page.
    assert names(path) == ["/0", "/1", *(["/2"] if make is compressed else []), "/3", "/4"]
    assert [problem.code for problem in problems(path)] == ["warc-damaged"]


@pytest.mark.parametrize("make", [b"".join, compressed], ids=["plain", "gzip"])
def test_an_arc_file_without_its_first_record_is_read_and_a_blank_in_a_url_stays_there(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    records = arc((f"{SITE}/{name}", "text/html", PAGE, "20020101000000") for name in ("a", "my b.html", "c"))
    records = list(records)[1:]
    assert names(write(tmp_path / "old.arc", make(records))) == ["/a", "/my b.html", "/c"]


def test_an_arc_file_reads_as_warcio_reads_it(tmp_path: Path) -> None:
    bodies = {f"{SITE}/{n}": random.Random(n).randbytes(n * 100) for n in range(1, 5)}
    data = compressed(arc((url, "image/jpeg", body, "20020101000000") for url, body in bodies.items()))
    theirs = [(r.rec_headers.get_header("uri"), r.raw_stream.read()) for r in ArchiveIterator(io.BytesIO(data))][1:]
    ours = [(row[1], row[3]) for row in rows_of(write(tmp_path / "old.arc.gz", data))][1:]
    assert [(url, block.partition(b"\r\n\r\n")[2]) for url, block in ours] == theirs == list(bodies.items())


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("end", [65_536, 131_072, 65_535, 65_537])
def test_a_member_that_ends_with_what_is_read_at_once_is_followed_by_the_next(
    tmp_path: Path, coding: str, end: int
) -> None:
    def member(name: str, size: int) -> bytes:
        body = PAGE + random.Random(size).randbytes(size)
        data = response(f"{SITE}/{name}", body, "text/css")
        return gzip.compress(data, 0, mtime=0) if coding == "gzip" else zstd.compress(data)

    # What can't be compressed grows by the same number of bytes as its member.
    first = next(made for size in range(end - 600, end) if len(made := member("a", size)) == end)
    path = write(tmp_path / "a.warc", first + member("b", 100) + member("c", 100))
    assert [row[1] for row in rows_of(path)] == [f"{SITE}/{name}" for name in "abc"]


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        (b"WARC-Type: response", b"WARC-Type: respovse", "a record of an unknown type (respovse) stands at byte"),
        (b"WARC-Type", b"WARC-Tyqe", "a record of an unknown type ((empty)) stands"),
        (b"WARC-Target-URI", b"WARC-Target-URH", "a record without its address stands"),
        (b"HTTP/1.1 200", b"HTUP/1.1 200", "a response record that holds no HTTP response stands"),
        (b"HTTP/1.1 200", b"HTTP/1.1 600", "a response record that holds no HTTP response stands"),
    ],
)
def test_a_record_that_can_t_be_what_was_meant_is_told_and_the_others_are_read(
    tmp_path: Path, was: bytes, becomes: bytes, told: str
) -> None:
    first, second, third = pages(3)
    assert was in second
    path = write(tmp_path / "a.warc", first + second.replace(was, becomes) + third)
    assert names(path) == ["/0", "/2"]
    (problem,) = problems(path)
    assert (problem.code, told in problem.message) == ("warc-damaged", True), problem.message


def test_records_of_other_kinds_than_answers_of_the_web_are_no_damage(tmp_path: Path) -> None:
    records = [
        record("response", "dns:site.example", b"20240101 site.example. 60 IN A 192.0.2.1", content_type="text/dns"),
        record("metadata", "", b"x: y", content_type="application/warc-fields"),
        record("revisit", f"{SITE}/again", b"", content_type="application/http"),
    ]
    assert problems(write(tmp_path / "a.warc", b"".join([*records, *pages(1)]))) == []

"""A browser's record of its requests: pages under the address they were asked for by, pictures without the network."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image
from mediamirror.documents import json_stream
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.errors import NotArchived
from mediamirror.markup.extract import extract_document
from mediamirror.model import Problem

PIXELS = make_image(6, 4, "png")
SITE = "https://s.example/d/"
PAGE = "<!doctype html><meta charset=windows-1251><img src=a.png alt='при\\вет \U0001f600'><img src=/b.png>"


def based(data: bytes) -> dict[str, Any]:
    return {"text": base64.b64encode(data).decode(), "encoding": "base64"}


def entry(url: str, mime: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As Chromium writes them: with much else that names images."""
    response = {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": mime}, {"name": "Content-Encoding", "value": "br"}],
        "content": {"size": 1, "mimeType": mime, **content},
        "redirectURL": "",
        "_securityDetails": {"san": ["https://no.example/san.png"]},
    }
    return {
        "_initiator": {"url": "https://no.example/initiator.png"},
        "pageref": "https://no.example/ref.png",
        "startedDateTime": "2026-11-30T10:00:00.5+01:00",
        "request": {
            "method": more.pop("method", "GET"),
            "url": url,
            "headers": [{"name": "Referer", "value": "https://no.example/referer.png"}],
            "postData": {"text": 'https://no.example/posted.png 2x, {}[]"'},
        },
        "response": {**response, **more},
    }


def har_of(*entries: Any, indent: int | None = None, plain: bool = False) -> bytes:
    pages = [{"title": 'https://no.example/title.png "entries": [ {', "pageTimings": {}}]
    log = {"version": "1.2", "creator": {"name": "x"}, "pages": pages, "entries": entries, "comment": "]"}
    return json.dumps({"log": log}, indent=indent, ensure_ascii=not plain).encode()


USUAL = (
    entry(SITE, "text/html", {"text": PAGE}),
    entry(f"{SITE}a.png", "image/png", based(PIXELS)),
    entry("https://s.example/b.png", "image/png", {}, status=302, redirectURL="/d/a.png"),
    entry("https://s.example/s.css", "text/css", {"text": "a{background:url(c.png)}"}),
    entry("data:image/png;base64,aaaa", "image/png", based(PIXELS)),
    entry("wss://s.example/socket", "", {}, status=101),
    entry(f"{SITE}posted", "text/html", {"text": ""}, method="OPTIONS", status=204),
)


async def read(path: Path, archive: WarcArchive | None = None, **options: Any) -> tuple[list[Document], list[Problem]]:
    items = [item async for item in read_inputs([str(path)], archive=archive, **options)]
    return [i for i in items if isinstance(i, Document)], [i for i in items if isinstance(i, Problem)]


def images_of(document: Document) -> list[str]:
    data = b"".join(document.chunks())
    found = extract_document(
        data, media_type=document.media_type, as_=document.kind, base_url=document.base_url, document=document.name
    )
    return [candidate.url for row in found.sets for candidate in row.candidates]


async def held(archive: WarcArchive, url: str) -> bytes | None:
    try:
        answer = await archive.lookup(url)
    except NotArchived:
        return None
    assert answer.body is not None
    return answer.body.path.read_bytes() if answer.body.path else answer.body.data


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.har", har_of(*USUAL)),
        ("a.har", har_of(*USUAL, indent=2, plain=True)),
        ("a.har", b"\xef\xbb\xbf" + har_of(*USUAL)),
        ("a.har.gz", gzip.compress(har_of(*USUAL))),
        ("capture.json", har_of(*USUAL)),
        ("capture", har_of(*USUAL)),
    ],
)
async def test_pages_have_their_address_and_pictures_need_no_network(tmp_path: Path, name: str, data: bytes) -> None:
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(write(tmp_path / name, data), archive)
        assert problems == []
        assert [(d.name, d.base_url, d.kind) for d in documents] == [
            (SITE, SITE, "html"),
            ("https://s.example/s.css", "https://s.example/s.css", "css"),
        ]
        urls = [url for document in documents for url in images_of(document)]
        assert urls == [f"{SITE}a.png", "https://s.example/b.png", "https://s.example/c.png"]
        assert [await held(archive, url) for url in urls] == [PIXELS, PIXELS, None]
        assert b"".join(documents[0].chunks()).decode() == PAGE
        assert documents[0].media_type == "text/html; charset=utf-8"
    assert [d.name for d in (await read(tmp_path / name))[0]] == [SITE, "https://s.example/s.css"]


async def test_a_har_on_standard_input_is_read(tmp_path: Path) -> None:
    del tmp_path
    items = [item async for item in read_inputs(["-"], stdin=io.BytesIO(har_of(*USUAL)))]
    assert [item.name for item in items if isinstance(item, Document)] == [SITE, "https://s.example/s.css"]


@pytest.mark.parametrize("size", [1_000, json_stream._LONG, json_stream._CHUNK - 7, 3 * json_stream._CHUNK + 1])
async def test_long_bodies_are_the_same_bytes_wherever_a_chunk_ends(tmp_path: Path, size: int) -> None:
    picture = (PIXELS + bytes(range(256)) * (size // 256 + 1))[:size]
    text = ("<img src=a.png alt='é\\u0041\\\\\"\n\U0001f600\u2028\x01'>" * (size // 20 + 1))[:size]
    entries = (
        entry(SITE, "text/html", {"text": text}),
        entry(f"{SITE}a.png", "image/png", based(picture)),
        entry(f"{SITE}2", "text/html", {"text": text}),
    )
    for plain in (False, True):
        with WarcArchive(tmp_path) as archive:
            documents, problems = await read(write(tmp_path / "a.har", har_of(*entries, plain=plain)), archive)
            assert [b"".join(d.chunks()).decode() for d in documents] == [text, text]
            assert await held(archive, f"{SITE}a.png") == picture
            assert problems == []


async def test_half_of_a_surrogate_pair_costs_no_body(tmp_path: Path) -> None:
    har = har_of(entry(SITE, "text/html", {"text": "<img src=a.png alt=HALF>"})).replace(b"HALF", b"\xed\xa0\x80")
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(write(tmp_path / "a.har", har), archive)
    assert [images_of(each) for each in documents] == [[f"{SITE}a.png"]]
    assert problems == []


def attached() -> bytes:
    """As Playwright writes it with ``content: attach``: text decoded to UTF-8, whatever the page says of itself."""
    return har_of(
        entry(SITE, "text/html", {"_file": "page.html"}),
        entry(f"{SITE}a.png", "image/png", {"_file": "a.png"}),
        entry(f"{SITE}gone.png", "image/png", {"_file": "gone.png"}),
    )


FILES = {"page.html": PAGE.encode(), "a.png": PIXELS, "other.html": b"<!doctype html><img src=https://o.example/o.png>"}


async def test_bodies_in_files_beside_it_are_read(tmp_path: Path) -> None:
    for name, data in FILES.items():
        write(tmp_path / name, data)
    with WarcArchive(tmp_path) as archive:
        documents, (problem,) = await read(write(tmp_path / "a.har", attached()), archive)
        assert [(d.name, images_of(d)) for d in documents] == [(SITE, [f"{SITE}a.png", "https://s.example/b.png"])]
        assert documents[0].media_type == "text/html; charset=utf-8"
        assert await held(archive, f"{SITE}a.png") == PIXELS
    assert problem.code == "passed-over"
    assert "1 body is in a file beside it that is not there" in problem.message


async def test_a_zip_file_of_a_har_is_read_with_the_bodies_in_it_and_no_body_is_a_page_of_its_own(
    tmp_path: Path,
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in FILES.items():
            packed.writestr(f"x/{name}", data)
        packed.writestr("x/har.har", attached())
    with WarcArchive(tmp_path) as archive:
        path = write(tmp_path / "a.zip", out.getvalue())
        documents, problems = await read(path, archive)
        assert [d.name for d in documents] == [SITE, f"{path}/x/other.html"]
        assert await held(archive, f"{SITE}a.png") == PIXELS
        assert [problem.code for problem in problems] == ["passed-over"]


async def test_the_pictures_in_a_zip_file_of_a_har_are_no_files_of_their_own_where_none_is_kept(tmp_path: Path) -> None:
    page, picture = (
        entry(SITE, "text/html", {"_file": "p.html"}),
        entry(f"{SITE}a.png", "image/png", {"_file": "1f.png"}),
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("har.har", json.dumps({"log": {"entries": [page, picture]}}))
        packed.writestr("p.html", b"<img src=a.png>")
        packed.writestr("1f.png", PIXELS)
    documents, problems = await read(write(tmp_path / "a.zip", out.getvalue()))
    assert ([(d.name, images_of(d)) for d in documents], problems) == ([(SITE, [f"{SITE}a.png"])], [])


@pytest.mark.parametrize("name", ["a.har", "a.zip"])
async def test_a_body_with_an_address_of_a_script_s_own_is_told_and_left_out_wherever_it_is_kept(
    tmp_path: Path, name: str
) -> None:
    body = {"_file": "1f.png"} if name == "a.zip" else {"text": base64.b64encode(PIXELS).decode(), "encoding": "base64"}
    page = entry(SITE, "text/html", {"text": "<img src=blob:https://s.example/1-2>"})
    har = json.dumps({"log": {"entries": [page, entry("blob:https://s.example/1-2", "image/png", body)]}}).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("har.har", har)
        packed.writestr("1f.png", PIXELS)
    with WarcArchive(tmp_path) as archive:
        documents, (problem,) = await read(write(tmp_path / name, har if name == "a.har" else out.getvalue()), archive)
    assert [d.name for d in documents] == [SITE]
    assert problem.code == "passed-over"
    assert problem.message.endswith("1 body has a blob: address, which leads nowhere: passed over.")


@pytest.mark.parametrize("name", ["../out.html", "{top}/out.html", "link.html", "linked/out.html", "a\0b", ".", "dev"])
async def test_no_file_outside_of_its_folder_is_read(tmp_path: Path, name: str) -> None:
    write(tmp_path / "out.html", b"<!doctype html><img src=https://secret.example/s.png>")
    folder = tmp_path / "har"
    folder.mkdir()
    (folder / "link.html").symlink_to(tmp_path / "out.html")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "dev").symlink_to("/dev/zero")
    page = entry(SITE, "text/html", {"_file": name.format(top=tmp_path)})
    documents, (problem,) = await read(write(folder / "a.har", har_of(page)))
    assert (documents, problem.code) == ([], "no-documents")


async def test_a_har_without_bodies_says_how_to_record_it_with_them(tmp_path: Path) -> None:
    documents, (problem,) = await read(write(tmp_path / "a.har", har_of(entry(SITE, "text/html", {}))))
    assert (documents, problem.code) == ([], "no-documents")
    assert "record it together with the bodies" in problem.message
    some = (entry(SITE, "text/html", {"text": PAGE}), entry(f"{SITE}2", "text/html", {}))
    documents, (problem,) = await read(write(tmp_path / "a.har", har_of(*some)))
    assert (len(documents), problem.code) == (1, "passed-over")
    assert "1 page was recorded without its body" in problem.message


async def test_what_a_browser_had_in_its_cache_counts(tmp_path: Path) -> None:
    entries = (entry(SITE, "text/html", {"text": PAGE}, status=304), entry(f"{SITE}2", "", {"text": PAGE}, status=0))
    documents, _ = await read(write(tmp_path / "a.har", har_of(*entries)))
    assert [d.name for d in documents] == [SITE]


async def test_bytes_that_were_written_as_text_are_told_and_not_used(tmp_path: Path) -> None:
    entries = (*USUAL[:1], entry(f"{SITE}a.png", "image/png", {"text": PIXELS.decode("latin-1")}))
    with WarcArchive(tmp_path) as archive:
        _, (problem,) = await read(write(tmp_path / "a.har", har_of(*entries)), archive)
        assert (problem.code, await held(archive, f"{SITE}a.png")) == ("document-damaged", None)
    assert "entry 2 holds bytes as text" in problem.message


def damaged() -> Iterator[bytes]:
    whole = har_of(*USUAL)
    yield from (whole[:at] for at in range(1, len(whole) - 1, 97))
    yield from (whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :] for at in range(1, len(whole), 97))
    yield from (
        b"",
        b"{",
        b"[]",
        b'{"log": 1}',
        b'{"log": {"entries": {}}}',
        b'{"log":{"version":"1.2","entries":[1,[],null,{}]}}',
    )
    yield b'{"log":{"version":"1.2","entries":[' + b"[" * 200_000
    yield b'{"log":{"version":"1.2","entries":["\\\n' + b"x" * 1_000_000
    yield b'{"log":{"version":"1.2","entries":[{"request":' + b'{"url":' * 100_000
    yield b'{"log":{"version":"1.2","entries":[{"startedDateTime":' + b"9" * 100_000 + b"}]}}"
    yield har_of({"request": {"url": 1}, "response": {"content": [], "headers": [1, {"name": 2}], "status": "x"}})
    yield har_of({"request": [], "response": 1}, {"request": {"url": "https://[", "method": 3}, "response": {}})
    yield b"\x89PNG\r\n\x1a\n" + b"\0" * 100


async def test_a_damaged_har_is_told_and_never_raises(tmp_path: Path) -> None:
    for number, data in enumerate(damaged()):
        documents, problems = await read(write(tmp_path / "a.har", data))
        assert problems or len(documents) >= 1, number
        allowed = {"document-damaged", "no-documents", "passed-over", "empty-document", "warc-damaged"}
        assert {problem.code for problem in problems} <= allowed, number


async def test_a_har_that_was_cut_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = har_of(*USUAL)
    documents, problems = await read(write(tmp_path / "a.har", whole[: whole.index(b"s.css")]))
    assert [d.name for d in documents] == [SITE]
    assert [problem.message.partition(": ")[2] for problem in problems] == [
        "it ends before its last entry does: what is there was read."
    ]


async def test_what_is_damaged_within_an_entry_is_told_with_its_number(tmp_path: Path) -> None:
    bad = har_of(*USUAL[:2]).replace(b'"status": 200', b'"status": [2 0]', 1)
    documents, problems = await read(write(tmp_path / "a.har", har_of(1, {"request": {}}, *USUAL)))
    assert len(documents) == 2
    assert [p.message.partition(": ")[2] for p in problems] == [
        "its entry 1 holds no answer.",
        "its entry 2 holds no answer.",
    ]
    _, (problem, *_) = await read(write(tmp_path / "a.har", bad))
    assert "entry 1" in problem.message
    _, problems = await read(write(tmp_path / "a.har", har_of(*[1] * 5_000)))
    assert len(problems) == 102
    assert "4,900 more places in it are damaged" in problems[100].message


async def test_a_body_over_the_limit_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    entries = (entry(f"{SITE}big", "text/html", {"text": "x" * 2_000_000}), *USUAL)
    documents, (problem,) = await read(write(tmp_path / "a.har", har_of(*entries)), limit=500_000)
    assert [d.name for d in documents] == [SITE, "https://s.example/s.css"]
    assert "its entry 1 is over the limit of 500,000 bytes" in problem.message


async def test_memory_stays_the_same_whatever_an_entry_holds(tmp_path: Path) -> None:
    picture = entry(f"{SITE}a.png", "image/png", based(b"x" * 30_000_000))
    picture["_initiator"] = [{"url": "x" * 100}] * 100_000
    path = write(tmp_path / "a.har", har_of(*USUAL[:1], picture, *USUAL[1:]))
    del picture
    with WarcArchive(tmp_path) as archive:
        tracemalloc.start()
        documents, problems = await read(path, archive)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (len(documents), problems, archive.count) == (2, [], 4)
    assert peak < 12_000_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"request": {"method": "GET", "urh": "https://h.example/"}}, "its entry 2 has no address"),
        ({"request": {"method": "GET", "url": "https://h.example\x0f/"}}, "its entry 2 has no address"),
        ({"request": "x"}, "its entry 2 has no address"),
        ({"response": {"stauus": 200, "content": {"mimeType": "text/html", "text": "<img src=a>"}}}, "2 has no status"),
    ],
)
async def test_an_entry_whose_request_or_status_is_damaged_is_told(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    page = {"mimeType": "text/html", "text": "<img src=/a.jpg>"}
    entries = [entry(f"https://h.example/{n}", "text/html", page) for n in range(3)]
    entries[1] |= change
    documents, (problem,) = await read(write(tmp_path / "a.har", har_of(*entries)))
    assert [document.name for document in documents] == ["https://h.example/0", "https://h.example/2"]
    assert (problem.code, told in problem.message) == ("document-damaged", True), problem.message

"""ZIP and tar files are read as folders, mails and saved pages part by part; what is not read is refused in one sentence."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import plistlib
import posixpath
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fixtures.images import make_image
from mediamirror import mirror, parse, verify
from mediamirror.documents import packed
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.errors import NotArchived
from mediamirror.markup.extract import extract_document
from mediamirror.model import Body, Download, Finding, ImageSet, Outcome, Problem
from mediamirror.settings import MirrorOptions, ParseOptions, ReadOptions, VerifyOptions

PAGE = b"<!doctype html><img src=https://a.example/a.jpg srcset='https://a.example/b.jpg 2x'>"
Pack = Callable[[dict[str, bytes]], bytes]


async def read(path: Path, **options: Any) -> tuple[list[Document], list[Problem]]:
    items = [item async for item in read_inputs([str(path)], **options)]
    return [i for i in items if isinstance(i, Document)], [i for i in items if isinstance(i, Problem)]


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tarred_and_compressed(members: dict[str, bytes]) -> bytes:
    return gzip.compress(tarred(members), mtime=0)


PACKS = [
    (zipped, "a.zip"),
    (tarred, "a.tar"),
    (tarred_and_compressed, "a.tar.gz"),
    (tarred_and_compressed, "a.tgz"),
    (zipped, "a"),
]


def write(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("pack", "name"), PACKS)
async def test_an_archive_is_read_as_a_folder(tmp_path: Path, pack: Pack, name: str) -> None:
    members = {
        "site/index.html": PAGE,
        "site/about": PAGE,
        "00001.json": b'{"url": "https://a.example/c.jpg"}',
        "00001.jpg": make_image(4, 4, "jpeg"),
        "rows.jsonl": b'{"a": 1}\n{"a": 2}\n',
        ".git/x.html": PAGE,
        "__MACOSX/y.html": PAGE,
        "LICENSE": b"words",
    }
    path = write(tmp_path, name, pack(members))
    documents, problems = await read(path)
    assert [(d.name.removeprefix(f"{path}/"), d.kind) for d in documents] == [
        ("site/index.html", "html"),
        ("site/about", "html"),
        ("00001.json", "json"),
        ("rows.jsonl:1", "json"),
        ("rows.jsonl:2", "json"),
    ]
    assert (documents[0].data, problems) == (PAGE, [])


@pytest.mark.parametrize(("pack", "name"), PACKS[:3])
async def test_a_member_that_leads_out_or_is_an_archive_itself_is_left_out_and_the_rest_is_read(
    tmp_path: Path, pack: Pack, name: str
) -> None:
    members = {"../x.html": PAGE, "/etc/y.html": PAGE, "inner.zip": zipped({"z.html": PAGE}), "ok.html": PAGE}
    path = write(tmp_path, name, pack(members))
    documents, problems = await read(path)
    assert [d.name for d in documents] == [f"{path}/ok.html"]
    told = [problem.message for problem in problems if problem.code == "member-left-out"]
    assert len(told) >= 2
    assert not (tmp_path.parent / "x.html").exists()


@pytest.mark.parametrize(("pack", "name"), PACKS[:3])
async def test_a_damaged_archive_is_one_sentence(tmp_path: Path, pack: Pack, name: str) -> None:
    data = pack({"a.html": PAGE, "b.html": os.urandom(200_000).hex().encode()})
    documents, problems = await read(write(tmp_path, name, data[: len(data) // 2]))
    assert len(documents) <= 1
    assert {problem.code for problem in problems} <= {"document-damaged", "no-documents", "member-left-out"}
    assert problems


TAR = tarred({"a.html": PAGE, "b.html": PAGE})


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (TAR[:1024] + b"x" + TAR[1025:], 1),  # the second header's name, which its checksum covers
        (TAR[:1024] + bytes(512) + TAR[1536:], 1),
        (TAR[:1024], 1),
        (TAR[:2048], 2),
        (TAR[:1100], 1),
        (TAR + TAR, 2),
        (TAR[:1024] + b"junk" + TAR[1024:], 1),
    ],
)
async def test_a_tar_file_ends_with_its_end_mark_and_nothing_else(tmp_path: Path, data: bytes, pages: int) -> None:
    documents, problems = await read(write(tmp_path, "a.tar", data))
    assert (len(documents), [problem.code for problem in problems]) == (pages, ["document-damaged"])


@pytest.mark.parametrize(("pack", "name"), PACKS[:3])
async def test_a_page_in_an_archive_that_is_no_text_is_told(tmp_path: Path, pack: Pack, name: str) -> None:
    documents, (problem,) = await read(write(tmp_path, name, pack({"a.html": bytes(900), "b.html": PAGE})))
    assert (len(documents), problem.code) == (1, "member-left-out")


async def test_a_part_whose_header_fields_run_into_its_text_is_told(tmp_path: Path) -> None:
    data = saved(("Content-Type: text/html\nContent-Location: https://s.example/p.html\n<img src=a.png>", b"x"))
    _, problems = await read(write(tmp_path, "a.mhtml", data))
    assert "document-damaged" in [problem.code for problem in problems]


@pytest.mark.parametrize(("pack", "name"), PACKS[:3])
async def test_a_bomb_in_an_archive_costs_little_memory(tmp_path: Path, pack: Pack, name: str) -> None:
    path = write(tmp_path, name, pack({"bomb.html": b"<html>" + bytes([32]) * 100_000_000, "ok.html": PAGE}))
    tracemalloc.start()
    await read(path, limit=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000


async def test_a_list_of_members_that_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert packed.MAX_LIST <= 16 * 1024 * 1024  # 170,000 members, which take some 190 MiB
    monkeypatch.setattr(packed, "MAX_LIST", 64 * 1024)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({f"{number}.html": PAGE for number in range(1_000)}))
    assert len((await read(path))[0]) == 1_000
    path.write_bytes(zipped({f"{number}.html": PAGE for number in range(2_000)}))
    documents, problems = await read(path)
    assert (documents, [p.code for p in problems]) == ([], ["document-damaged"])
    assert "its list of members is over the limit of 65,536 bytes" in problems[0].message


JPEG = make_image(4, 4, "jpeg")
OF_SAMPLES = {
    "00000/1.cls": b"3",
    "00000/1.jpg": JPEG,
    "00000/1.json": b'{"key": "k1", "url": "https://origin.example/1.jpg", "width": 4, "list": [1], "caption": "a"}',
    "00000/2.json": b'{"url": "https://a.example/alone.jpg"}',
    "00000/3.small.webp": JPEG,
    "00000/3.large.webp": JPEG,
    "00000/3.txt": b"words ",
    "00000/3.json": b"[not json",
    "\u0436?#%2f .jpg": JPEG,
    "empty.jpg": b"",
    "LICENSE": b"words",
}


@pytest.mark.parametrize(("pack", "name"), PACKS)
async def test_where_there_is_no_page_the_pictures_themselves_are_what_is_in_an_archive(
    tmp_path: Path, pack: Pack, name: str
) -> None:
    path = write(tmp_path, name, pack(OF_SAMPLES))
    base = f"https://file.invalid{path}"
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(path, archive=archive)
        assert problems == []
        assert [(d.name.removeprefix(f"{path}/"), found([d])) for d in documents] == [
            ("00000/2.json", ["https://a.example/alone.jpg"]),
            ("00000/1.jpg", [f"{base}/00000/1.jpg"]),
            ("00000/3.small.webp", [f"{base}/00000/3.small.webp", f"{base}/00000/3.large.webp"]),
            ("\u0436?#%2f .jpg", [f"{base}/%D0%B6%3F%23%252f%20.jpg"]),
        ]
        assert [json.loads(d.columns) for d in documents[1:]] == [
            {
                "__key__": "00000/1",
                "cls": "3",
                "key": "k1",
                "url": "https://origin.example/1.jpg",
                "width": 4,
                "caption": "a",
            },
            {"__key__": "00000/3", "txt": "words"},
            {"__key__": "\u0436?#%2f "},
        ]
        for url in found(documents[1:]):
            answer = await archive.lookup(url)
            assert (answer.body and answer.body.data, answer.header("content-type")) == (JPEG, "image/jpeg")
    assert len((await read(path))[0]) == len(documents)


@pytest.mark.parametrize(("pack", "name"), PACKS[:3])
@pytest.mark.parametrize("page", ["0.html", "00000/1.xhtml", "zz.html", "s.css"])
async def test_in_the_archive_of_a_site_with_an_address_pictures_are_what_its_pages_name_there(
    tmp_path: Path, pack: Pack, name: str, page: str
) -> None:
    members = dict(sorted({**OF_SAMPLES, page: b"<p>" if "html" in page else b"p{}"}.items()))
    with WarcArchive(tmp_path) as archive:
        path = write(tmp_path, name, pack(members))
        documents, problems = await read(path, archive=archive, base_url="https://site.example/")
        assert sorted(d.name.removeprefix(f"{tmp_path / name}/") for d in documents) == sorted(
            ["00000/1.json", "00000/2.json", "00000/3.json", "00000/3.txt", page]
        )
        assert (problems, archive.count) == ([], 0)
        assert os.listdir(tmp_path) == [name]


BESIDE = '<img srcset="../img/1.jpg 4w, ../img/(%D0%B6)%201.jpg?v=2 8w"><img src="/img/1.jpg"><img src="gone.png">'
OF_A_BOOK = {
    "img/1.jpg": JPEG,
    "text/p.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{BESIDE.replace(">", "/>")}</body></html>'.encode(),
    "text/p.html": BESIDE.encode(),
    "text/p.md": b"![](../img/1.jpg)",
    "s.css": b"p{background:url(img/1.jpg)}",
    "img/(\u0436) 1.jpg": JPEG + b"0",
    "rows.xml": b"<?xml version='1.0'?><rows><image>img/1.jpg</image></rows>",
}


@pytest.mark.parametrize(("pack", "name"), PACKS)
async def test_pictures_that_pages_of_an_archive_name_beside_them_are_taken_out_of_it(
    tmp_path: Path, pack: Pack, name: str
) -> None:
    path, events = write(tmp_path, name, pack(OF_A_BOOK)), list[object]()
    await mirror([str(path)], to=str(tmp_path / "to"), on_event=events.append)
    rows = {row.variant.url.removeprefix("https://file.invalid"): row for row in events if isinstance(row, Outcome)}
    assert {url.removeprefix(f"{path}/"): row.status.value for url, row in rows.items()} == {
        "img/1.jpg": "stored",
        "img/(%D0%B6)%201.jpg?v=2": "rejected",  # as wide as the other
        "text/gone.png": "failed",
    }
    assert (tmp_path / f"to/file.invalid{path}/img/1.jpg").read_bytes() == JPEG
    gone = rows[f"{path}/text/gone.png"].error
    assert gone is not None
    assert "is not in the INPUT that names it" in gone.message
    told = {e.document.removeprefix(f"{path}/") for e in events if isinstance(e, Problem)}
    assert told == {"text/p.html", "text/p.xhtml", "rows.xml"}  # a root is not known; nor where an export's names are


async def test_pages_of_an_archive_without_pictures_are_relative_to_what_is_not_known(tmp_path: Path) -> None:
    documents, _ = await read(write(tmp_path, "a.zip", zipped({"p.html": BESIDE.encode()})))
    assert [document.base_url for document in documents] == [None]


async def test_what_an_archive_was_downloaded_from_is_no_address_of_its_pages(tmp_path: Path) -> None:
    url, path = "https://h.example/a.zip", write(tmp_path, "a.zip", zipped(OF_A_BOOK))

    async def fetch(url: str) -> Download:
        return Download(url, url, 200, (), Body(path.stat().st_size, "", path=path), datetime(2026, 1, 1, tzinfo=UTC))

    documents = [item async for item in read_inputs([url], fetch=fetch) if isinstance(item, Document)]
    assert {d.base_url for d in documents if d.name.endswith("p.md")} == {
        "https://file.invalid/h.example/a.zip/text/p.md"
    }


Link = tuple[str, bytes | None, str]


def linked(members: list[Link]) -> bytes:
    """A tar file of members: a name, its bytes or None for a symbolic link, and what it links to ('=' before a hard link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, data, link in members:
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            if link:
                info.type = tarfile.LNKTYPE if link.startswith("=") else tarfile.SYMTYPE
                info.linkname = link.removeprefix("=")
            packed.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def zip_linked(members: list[Link]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data, link in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if link else 0o100644) << 16
            packed.writestr(info, link if link else data or b"")
    return out.getvalue()


LINKED = [(linked, "a.tar"), (lambda members: gzip.compress(linked(members)), "a.tgz"), (zip_linked, "a.zip")]
Packs = Callable[[list[Link]], bytes]


@pytest.mark.parametrize(("pack", "name"), LINKED)
async def test_a_link_in_an_archive_is_the_member_that_it_leads_to(tmp_path: Path, pack: Packs, name: str) -> None:
    members: list[Link] = [
        ("first/z.html", None, "../site/index.html"),
        ("./site/index.html" if "t" in name else "site/index.html", PAGE, ""),
        ("site/again.htm", None, "index.html"),
        ("site/twice.htm", None, "again.htm"),
        ("site/rows.jsonl", b"{}\n{}\n", ""),
        ("rows.jsonl", None, "site/rows.jsonl"),
        ("latest", None, "site"),
        ("etc", None, "/etc"),
    ]
    path = write(tmp_path, name, pack(members))
    documents, problems = await read(path)
    told = sorted(posixpath.normpath(d.name.removeprefix(f"{path}/")) for d in documents)
    assert told == [
        *("first/z.html", "rows.jsonl:1", "rows.jsonl:2", "site/again.htm", "site/index.html"),
        *("site/rows.jsonl:1", "site/rows.jsonl:2", "site/twice.htm"),
    ]
    assert {bytes(d.data) for d in documents if d.kind == "html" and isinstance(d.data, bytes)} == {PAGE}
    assert problems == []


@pytest.mark.parametrize(("pack", "name"), LINKED)
async def test_a_link_out_of_an_archive_or_to_nothing_is_told_and_the_rest_is_read(
    tmp_path: Path, pack: Packs, name: str
) -> None:
    (tmp_path / "secret.html").write_bytes(PAGE)
    members: list[Link] = [
        ("a/up.html", None, "../../secret.html"),
        ("abs.html", None, str(tmp_path / "secret.html")),
        ("none.html", None, "nothing.html"),
        ("x.html", None, "y.html"),
        ("y.html", None, "x.html"),
        ("ok.html", PAGE, ""),
    ]
    documents, problems = await read(write(tmp_path, name, pack(members)))
    assert [d.name.rpartition("/")[2] for d in documents] == ["ok.html"]
    assert [p.code for p in problems] == ["member-left-out"] * 5


@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
async def test_a_picture_that_is_a_hard_link_is_one_of_its_sample(tmp_path: Path, name: str) -> None:
    data = linked(
        [
            ("1.jpg", JPEG, ""),
            ("1.cls", b"3", ""),
            ("2.jpg", None, "=1.jpg"),
            ("2.cls", b"4", ""),
            ("3.jpg", None, "=none.jpg"),
            ("4.jpg", JPEG, ""),
            ("5.cls", None, "=1.cls"),
        ]
    )
    path = write(tmp_path, name, data if name == "a.tar" else gzip.compress(data))
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(path, archive=archive)
        assert [json.loads(d.columns) for d in documents] == [
            {"__key__": "1", "cls": "3"},
            {"__key__": "2", "cls": "4"},
            {"__key__": "4"},
        ]
        for url in found(documents):
            answer = await archive.lookup(url)
            assert (answer.body and answer.body.data) == JPEG
    assert [p.message.partition(" is a ")[2] for p in problems] == ["link to what is not in it: it is left out."]


async def test_links_in_an_archive_that_comes_through_a_pipe_are_told() -> None:
    data = linked([("1.html", PAGE, ""), ("2.html", None, "=1.html")])
    items = [item async for item in read_inputs(["-"], stdin=io.BytesIO(data))]
    assert [type(item).__name__ for item in items] == ["Document", "Problem"]
    assert isinstance(items[1], Problem)
    assert "-/2.html is a link, and the archive comes through a pipe: it is left out." in items[1].message


async def test_pictures_of_two_archives_of_one_name_are_two(tmp_path: Path) -> None:
    others = [make_image(n, 4, "jpeg") for n in (5, 6)]
    with WarcArchive(tmp_path) as archive:
        for number, picture in enumerate(others):
            (tmp_path / str(number)).mkdir()
            await read(write(tmp_path / str(number), "a.tar", tarred({"1.jpg": picture})), archive=archive)
        for number, picture in enumerate(others):
            answer = await archive.lookup(f"https://file.invalid{tmp_path}/{number}/a.tar/1.jpg")
            assert (answer.body and answer.body.data) == picture


async def test_a_picture_over_the_limit_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tar", tarred({"1.jpg": JPEG, "2.jpg": JPEG + b"x" * 5_000}))
    with WarcArchive(tmp_path) as archive:
        documents, (problem,) = await read(path, archive=archive, limit=4_000)
    assert (len(documents), problem.code) == (1, "member-left-out")


async def test_the_pictures_of_an_archive_are_checked_and_stored_under_their_names(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tar", tarred({"x/1.jpg": JPEG, "x/2.jpg": JPEG[:-20], "x/3.png": b"words"}))
    rows: list[Outcome] = []
    options = MirrorOptions(read=ReadOptions(offline=True))
    await mirror(
        [str(path)],
        to=str(tmp_path / "to"),
        options=options,
        on_event=lambda e: rows.append(e) if isinstance(e, Outcome) else None,
    )
    assert [
        (row.variant.url.rpartition("/")[2], row.status.value) for row in sorted(rows, key=lambda r: r.variant.url)
    ] == [
        ("1.jpg", "stored"),
        ("2.jpg", "rejected"),
        ("3.png", "rejected"),
    ]
    assert (tmp_path / f"to/file.invalid{path}/x/1.jpg").read_bytes() == JPEG


async def test_pictures_of_an_archive_are_verified_and_nothing_is_said_of_how_they_were_served(tmp_path: Path) -> None:
    path, findings, rows = write(tmp_path, "a.tar", tarred({"1.jpg": JPEG})), list[Finding](), list[Outcome]()

    def take(event: object) -> None:
        findings.extend([event] if isinstance(event, Finding) else [])
        rows.extend([event] if isinstance(event, Outcome) else [])

    await verify([str(path)], options=VerifyOptions(read=ReadOptions(offline=True)), on_event=take)
    assert ([row.status.value for row in rows], findings) == (["checked"], [])


async def test_an_archive_of_nothing_says_so(tmp_path: Path) -> None:
    documents, (problem,) = await read(write(tmp_path, "a.zip", zipped({"a.bin": b"\0" * 99, "LICENSE": b"words"})))
    assert (documents, problem.code) == ([], "no-documents")


@pytest.mark.parametrize("compress", [lzma.compress, bz2.compress])
async def test_what_is_compressed_in_a_way_that_is_not_read_is_told_however_small(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    documents, (problem,) = await read(write(tmp_path, "a.packed", compress(Random(1).randbytes(5000))))
    assert (documents, problem.code) == ([], "binary-document")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"{\\rtf1\\ansi https://a.example/1.jpg}", "RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
    ],
)
async def test_a_document_in_a_format_that_is_not_read_is_refused_whatever_it_is_called(
    tmp_path: Path, head: bytes, what: str
) -> None:
    for name in ("a.bin", "a.txt", "a"):
        documents, (problem,) = await read(write(tmp_path, name, head))
        assert (documents, problem.code, problem.message.count(". ")) == ([], "binary-document", 0)
        assert what in problem.message


async def test_what_is_not_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    documents, (problem,) = await read(write(tmp_path, "a.html.zst", b"\x28\xb5\x2f\xfd" + b"\0" * 90))
    assert (documents, problem.code) == ([], "container-refused")
    assert "zstd" in problem.message
    assert problem.message.count(". ") == 0
    box = b"From a@b.example Mon Nov 30 12:50:00 2026\n" + mail()
    for name in ("a.mbox", "box"):
        documents, (problem,) = await read(write(tmp_path, name, box))
        assert (documents, problem.code) == ([], "container-refused")
        assert problem.message.endswith(
            "a mailbox of many mails (mbox), which is not read: save them as .eml files, or as a Maildir."
        )


PIXELS = make_image(6, 4, "png")
HTML = '<html><img src="cid:logo@x"> <img src="https://a.example/very/long/path/that/has/to/be/folded/over/a/line/480.jpg?a=1&amp;b=2"></html>'


def mail(*, coding: str = "quoted-printable") -> bytes:
    message = EmailMessage()
    message["Subject"] = "n"
    message["From"] = "a@x.example"
    message.set_content("plain https://a.example/no.jpg")
    message.add_alternative(HTML, subtype="html", cte=coding)
    message.get_payload()[1].add_related(PIXELS, "image", "png", cid="<logo@x>")  # type: ignore[union-attr, index, call-arg]
    return message.as_bytes()


def found(documents: list[Document]) -> list[str]:
    assert all(isinstance(d.data, bytes) for d in documents)
    return [
        c.url
        for d in documents
        for row in extract_document(d.data, as_=d.kind, base_url=d.base_url, document=d.name).sets  # type: ignore[arg-type]
        for c in row.candidates
    ]


@pytest.mark.parametrize("coding", ["quoted-printable", "base64", "7bit"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
async def test_a_mail_is_decoded_and_its_pictures_are_there_without_the_network(
    tmp_path: Path, coding: str, ends: bytes
) -> None:
    path = write(tmp_path, "m.eml", mail(coding=coding).replace(b"\n", ends))
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(path, archive=archive)
        assert problems == []
        urls = found(documents)
        assert urls == [
            f"https://cid.invalid{path}/logo@x",
            "https://a.example/very/long/path/that/has/to/be/folded/over/a/line/480.jpg?a=1&b=2",
        ]
        answer = await archive.lookup(urls[0])
        assert answer is not None
        assert answer.body is not None
        assert answer.body.data == PIXELS
        with pytest.raises(NotArchived):
            await archive.lookup(urls[1])


def saved(*parts: tuple[str, bytes]) -> bytes:
    out = b'From: <Saved by Blink>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype="text/html";\r\n'
    out += b'\tboundary="--B--"\r\n\r\n'
    for headers, body in parts:
        out += b"\r\n----B--\r\n" + headers.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
    return out + b"\r\n----B----\r\n"


async def test_the_parts_of_a_saved_page_have_their_own_addresses(tmp_path: Path) -> None:
    page = b"<link rel=3Dstylesheet href=3Dcid:css-1@mhtml.blink><img src=3D'/img/=\r\na.png'><img src=3Dsmall.png>"
    data = saved(
        (
            "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\nContent-Location: https://s.example/d/p.html",
            page,
        ),
        (
            "Content-Type: text/css\nContent-Location: cid:css-1@mhtml.blink",
            b"a{background:url(https://s.example/bg.png)} b{background:url(near.png)}",
        ),
        (
            "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-Location: https://s.example/img/a.png",
            base64.encodebytes(PIXELS),
        ),
    )
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(write(tmp_path, "p.mhtml", data), archive=archive)
        assert [(d.name, d.kind) for d in documents] == [
            ("https://s.example/d/p.html", "html"),
            (f"https://s.example/d/p.html#{tmp_path}/p.mhtml/css-1@mhtml.blink".replace("#/", "#"), "css"),
        ]
        assert found(documents) == [
            "https://s.example/img/a.png",
            "https://s.example/d/small.png",
            "https://s.example/bg.png",
            "https://s.example/d/near.png",
        ]
        assert problems == []
        answer = await archive.lookup("https://s.example/img/a.png")
        assert answer is not None
        assert answer.body is not None
        assert answer.body.data == PIXELS


async def test_a_style_element_of_a_saved_page_has_the_base_of_its_own_page(tmp_path: Path) -> None:
    css = "Content-Type: text/css\nContent-Location: cid:css-{}@mhtml.blink"
    data = saved(
        (
            "Content-Type: text/html\nContent-Location: https://s.example/d/p.html",
            b'<base href="/x/?a=1&amp;b=2"><link href=cid:css-1@mhtml.blink><iframe src="cid:frame-1@mhtml.blink">',
        ),
        (
            "Content-Type: text/html\nContent-ID: <frame-2@mhtml.blink>\nContent-Location: https://f.example/in/",
            b"<link href=cid:css-2@mhtml.blink>",
        ),
        ("Content-Type: text/html\nContent-Location: cid:frame-1@mhtml.blink", b"<img src=srcdoc.png>"),
        (css.format(1), b"a{background:url(one.png)}"),
        (css.format(2), b"a{background:url(two.png)}"),
    )
    documents, problems = await read(write(tmp_path, "p.mhtml", data))
    assert found(documents) == [
        "https://s.example/x/srcdoc.png",
        "https://s.example/x/one.png",
        "https://f.example/in/two.png",
    ]
    assert problems == []


SITE = "https://s.example/p/"


def resource(url: str, data: bytes, kind: str = "text/html") -> dict[str, Any]:
    return {
        "WebResourceURL": url,
        "WebResourceData": data,
        "WebResourceMIMEType": kind,
        "WebResourceTextEncodingName": "UTF-8",
    }


def webarchive(*, form: Any = plistlib.FMT_BINARY, **more: Any) -> bytes:
    page = resource(SITE, b"<img src=a.png srcset='b.png 2x'>")
    frame = {"WebMainResource": resource(f"{SITE}f/", b"<img src=c.png>")}
    pictures = [resource(f"{SITE}a.png", PIXELS, "image/png"), *more.get("others", [])]
    return plistlib.dumps(
        {"WebMainResource": page, "WebSubresources": pictures, "WebSubframeArchives": [frame]}, fmt=form
    )


@pytest.mark.parametrize("form", [plistlib.FMT_BINARY, plistlib.FMT_XML])
async def test_a_web_archive_of_safari_is_its_pages_and_its_pictures(tmp_path: Path, form: Any) -> None:
    odd = [resource("about:blank", b"x"), {"WebResourceURL": f"{SITE}x"}, resource(f"{SITE}long", b"x" * 5_000)]
    path = write(tmp_path, "a.webarchive", webarchive(form=form, others=odd))
    with WarcArchive(tmp_path) as archive:
        documents, problems = await read(path, archive=archive, limit=4_000)
        assert [(d.name, found([d])) for d in documents] == [
            (SITE, [f"{SITE}a.png", f"{SITE}b.png"]),
            (f"{SITE}f/", [f"{SITE}f/c.png"]),
        ]
        answer = await archive.lookup(f"{SITE}a.png")
        assert (answer.body and answer.body.data) == PIXELS
    assert [p.code for p in problems] == ["document-damaged"] * 3


@pytest.mark.parametrize("at", [1, 9, 60, 200, -1, -20, -33])
async def test_a_damaged_web_archive_is_told_and_never_raises(tmp_path: Path, at: int) -> None:
    whole = webarchive()
    spoiled = bytearray(whole)
    spoiled[at] ^= 0x5A
    xml = webarchive(form=plistlib.FMT_XML)
    others = (xml.replace(b"UTF-8", b"UTF-x", 1), xml[:at], plistlib.dumps({"a": 1}, fmt=plistlib.FMT_BINARY))
    for data in (bytes(spoiled), whole[:at], *others):
        documents, problems = await read(write(tmp_path, "a.webarchive", data))
        assert documents or problems


async def test_one_content_id_in_two_mails_is_two_pictures(tmp_path: Path) -> None:
    other = make_image(9, 3, "png")
    with WarcArchive(tmp_path) as archive:
        for name, picture in (("a.eml", PIXELS), ("b.eml", other)):
            data = mail(coding="7bit").replace(base64.b64encode(PIXELS)[:40], base64.b64encode(picture)[:40])
            await read(write(tmp_path, name, data), archive=archive)
        held = [await archive.lookup(f"https://cid.invalid{tmp_path}/{name}/logo@x") for name in ("a.eml", "b.eml")]
    first, second = (answer.body and answer.body.data for answer in held)
    assert (first == PIXELS, first != second) == (True, True)


async def test_the_name_of_a_mail_may_hold_what_html_and_css_take_for_their_own(tmp_path: Path) -> None:
    documents, _ = await read(write(tmp_path, "a&copy=1 ('b');.eml", mail()))
    assert found(documents)[0] == f"https://cid.invalid{tmp_path}/a%26copy=1%20%28%27b%27%29%3B.eml/logo@x"


async def test_a_mail_without_html_is_read_as_text_and_one_without_either_says_so(tmp_path: Path) -> None:
    text = b"From: a@x\nMIME-Version: 1.0\nContent-Type: text/plain\n\nhttps://a.example/a.jpg 480w, https://a.example/b.jpg 960w\n"
    documents, _ = await read(write(tmp_path, "t.eml", text))
    assert [d.kind for d in documents] == ["text"]
    assert documents[0].name == f"{tmp_path}/t.eml:1"
    nothing = b"From: a@x\nMIME-Version: 1.0\nContent-Type: application/pdf\n\n%PDF"
    documents, (problem,) = await read(write(tmp_path, "n.eml", nothing))
    assert (documents, problem.code) == ([], "no-documents")


@pytest.mark.parametrize(
    "data",
    [
        mail()[:-200],
        b"no header\n\n",
        b"MIME-Version: 1.0\n"
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(100)),
        b"X: " + b"y" * 2_000_000,
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 1000,
    ],
)
async def test_a_damaged_mail_is_told_and_never_raises(tmp_path: Path, data: bytes) -> None:
    _, problems = await read(write(tmp_path, "d.eml", data))
    assert problems
    assert {problem.code for problem in problems} <= {"document-damaged", "no-documents"}


async def test_a_large_part_costs_little_memory(tmp_path: Path) -> None:
    part = (
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-Location: https://s.example/a.png",
        b"QUJD" * 18 + b"\r\n",
    )
    path = write(tmp_path, "l.mhtml", saved((part[0], part[1] * 500_000), ("Content-Type: text/html", PAGE)))
    tracemalloc.start()
    documents, _ = await read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(documents) == 1
    assert peak < 20_000_000


async def test_a_mail_on_standard_input_is_a_mail(tmp_path: Path) -> None:
    items = [item async for item in read_inputs(["-"], stdin=io.BytesIO(mail()))]
    assert len(found([item for item in items if isinstance(item, Document)])) == 2


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.zip", zipped({"site/p.html": PAGE}), "html, member site/p.html of the zip {}"),
        ("a.tar", tarred({"p.md": b"![x](https://a.example/x.png)"}), "markdown, member p.md of the tar {}"),
        ("m.eml", mail(), "html, member 2 of the mhtml {}"),
        ("r.jsonl", b'{"image": "https://a.example/x.png"}\n', "json, member 1 of the jsonl {}"),
        ("p.html", PAGE, "html"),
    ],
)
async def test_each_set_can_say_from_which_member_of_which_container_it_is(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    path = write(tmp_path, name, data)
    sets: list[ImageSet] = []
    options = ParseOptions(read=ReadOptions(base_url="https://b.example/"), explain=True)
    await parse(
        [str(path)], options=options, on_event=lambda event: sets.append(event) if isinstance(event, ImageSet) else None
    )
    assert {each.read_as for each in sets} == {told.format(path)}


@pytest.mark.parametrize(("pack", "ending"), [(zipped, "zip"), (tarred, "tar")])
async def test_what_is_packed_within_an_archive_is_told(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes], ending: str
) -> None:
    page = b"<!doctype html><img src=a.png>"
    members = {"p.html": page, "inner.zip": zipped({"q.html": page}), "r.html.gz": gzip.compress(page)}
    (path := tmp_path / f"a.{ending}").write_bytes(pack(members))
    documents, problems = await read(path)
    assert ([Path(each.name).name for each in documents], [each.code for each in problems]) == (
        ["p.html"],
        ["passed-over"],
    )
    assert "2 files in it, packed" in problems[0].message


async def test_a_picture_that_is_damaged_in_its_archive_is_told_and_nothing_stays_of_it(tmp_path: Path) -> None:
    pictures = {f"{n}.png": make_image(8, 4, "png") + os.urandom(100_000) for n in "abc"}
    data = bytearray(zipped(pictures))
    data[len(data) // 2] ^= 1  # within the second
    path = write(tmp_path, "a.zip", bytes(data))
    with WarcArchive(tmp_path) as archive:
        documents, (problem,) = await read(path, archive=archive)
        assert (problem.code, f"{path}/b.png is damaged" in problem.message) == ("member-left-out", True)
        held = [await archive.lookup(f"https://file.invalid{path}/{n}.png") for n in "ac"]
        assert [answer.body and answer.body.data for answer in held] == [pictures["a.png"], pictures["c.png"]]
        with pytest.raises(NotArchived):
            await archive.lookup(f"https://file.invalid{path}/b.png")
    assert [Path(document.name).name for document in documents] == ["a.png", "c.png"]


async def test_a_member_of_any_length_is_read_whole(tmp_path: Path) -> None:
    pages = {f"{size}.html": PAGE + b"x" * size for size in (0, 65_500, 65_536, 1 << 20, (1 << 20) + 1, 3_000_000)}
    for pack, name in PACKS[:3]:
        documents, problems = await read(write(tmp_path, name, pack(pages)))
        assert ([b"".join(d.chunks()) for d in documents], problems) == ([*pages.values()], [])


PAGE_OF_WORDS = PAGE + b"<p>" + b"words = more\n" * 40


@pytest.mark.parametrize("coding", ["base64", "quoted-printable"])
async def test_what_is_not_in_its_transfer_encoding_in_a_mail_is_told_and_the_rest_is_read(
    tmp_path: Path, coding: str
) -> None:
    message = EmailMessage()
    message.set_content(PAGE_OF_WORDS.decode(), "html", cte=coding)
    whole = bytes(message)
    assert (await read(write(tmp_path, "a.eml", whole)))[1] == []
    head, _, body = whole.partition(b"\n\n")
    at = 100 if coding == "base64" else body.index(b"=3D") + 1
    for odd in (b"\xff", b"!", b"") if coding == "base64" else (b"G", b"%"):
        damaged = head + b"\n\n" + body[:at] + odd + body[at + 1 :]
        documents, (problem,) = await read(write(tmp_path, "a.eml", damaged))
        assert (len(documents), problem.code) == (1, "document-damaged")
        assert "part 1 is not all in its transfer encoding" in problem.message


async def test_a_zip_file_whose_list_ends_too_early_is_told(tmp_path: Path) -> None:
    data = bytearray(zipped({f"{n}.html": PAGE for n in range(5)}))
    first = data.index(b"PK\1\2")
    data[first + 33] = 0x40  # the first entry's comment is longer than the list
    documents, problems = await read(write(tmp_path, "a.zip", bytes(data)))
    assert (len(documents), [problem.code for problem in problems]) == (1, ["document-damaged"])
    assert "its list has 1 members, and says that it has 5" in problems[0].message

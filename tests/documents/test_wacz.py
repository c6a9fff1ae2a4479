"""WACZ files and folders: the same pages and pictures as their archives hold, and nothing out of an index."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from fixtures.crawls.waczs import index, members_of, packed, page_list, unpacked, with_lists
from fixtures.crawls.warcs import compressed, response, revisit, sha1
from mediamirror.documents import packed as packing
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.documents.wacz import MAX_DATAPACKAGE
from mediamirror.documents.warc import bytes as inflating
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.model import Problem

SITE = "https://site.example"
PAGE = b"<!doctype html><img src=/a.jpg>"
JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 20
RECORDS = [response(f"{SITE}/", PAGE, "text/html"), response(f"{SITE}/a.jpg", JPEG, "image/jpeg")]


def sound() -> dict[str, bytes]:
    return members_of({"data.warc.gz": RECORDS}, [f"{SITE}/"])


async def read(path: Path, scratch: Path, *, hashes: bool = False) -> tuple[list[str], list[Problem], bytes]:
    """The documents, the problems, and the picture that is found by its address."""
    with WarcArchive(scratch, check_hashes=hashes) as archive:
        items = [item async for item in read_inputs([str(path)], archive=archive)]
        picture = (await archive.lookup(f"{SITE}/a.jpg")).body if archive.knows(f"{SITE}/a.jpg") else None
    names = [item.name for item in items if isinstance(item, Document)]
    return names, [item for item in items if isinstance(item, Problem)], (picture.data or b"") if picture else b""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def make(words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "wacz.main", *words], check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("how", ["stored", "deflated", "unpacked", "named otherwise"])
async def test_pages_and_pictures_are_those_of_its_archives_and_nothing_is_of_its_index(
    tmp_path: Path, scratch: Path, how: str
) -> None:
    compression = zipfile.ZIP_DEFLATED if how == "deflated" else zipfile.ZIP_STORED
    name = "crawl.zip" if how == "named otherwise" else "crawl.wacz"
    path = packed(tmp_path / name, sound(), compression=compression)
    if how == "unpacked":
        path = unpacked(tmp_path / "crawl", sound())
    assert await read(path, scratch) == ([f"{SITE}/"], [], JPEG)
    assert [item.name async for item in read_inputs([str(path)])] == [f"{SITE}/"]


async def test_a_stored_archive_is_read_where_it_lies(tmp_path: Path, scratch: Path) -> None:
    with WarcArchive(scratch) as archive:
        path = packed(tmp_path / "a.wacz", sound())
        async for _ in read_inputs([str(path)], archive=archive):
            pass
        assert not any(name.endswith(".gz") for name in os.listdir(scratch))
        assert (await archive.lookup(f"{SITE}/a.jpg")).http_status == 200


async def test_what_py_wacz_writes_is_read_and_its_hashes_are_right(tmp_path: Path, scratch: Path) -> None:
    warc = tmp_path / "crawl.warc.gz"
    warc.write_bytes(compressed(RECORDS))
    path = tmp_path / "crawl.wacz"
    make(["create", "-o", str(path), "--detect-pages", str(warc)])
    names, problems, picture = await read(path, scratch, hashes=True)
    assert (names, picture) == ([f"{SITE}/"], JPEG)
    assert [problem.code for problem in problems] == ["wacz-unsigned"]


async def test_a_wacz_that_holds_others_gives_what_is_in_each(tmp_path: Path, scratch: Path) -> None:
    other = members_of({"b.warc.gz": [response(f"{SITE}/two", PAGE, "text/html")]}, [f"{SITE}/two"])
    inner = {
        f"{name}.wacz": packed(tmp_path / name, each).read_bytes() for name, each in (("1", sound()), ("2", other))
    }
    path = packed(tmp_path / "all.wacz", with_lists(inner, profile="multi-wacz-package"))
    assert await read(path, scratch) == ([f"{SITE}/", f"{SITE}/two"], [], JPEG)
    folder = unpacked(tmp_path / "all", with_lists(inner, profile="multi-wacz-package"))
    assert await read(folder, scratch) == ([f"{SITE}/", f"{SITE}/two"], [], JPEG)
    nested = packed(tmp_path / "nested.wacz", with_lists({"all.wacz": path.read_bytes()}))
    names, problems, _ = await read(nested, scratch)
    assert (names, [p.code for p in problems]) == ([], ["member-left-out"] * 2 + ["no-documents"])


async def test_a_page_that_is_a_revisit_may_have_its_original_in_another_archive_of_it(
    tmp_path: Path, scratch: Path
) -> None:
    original = response(f"{SITE}/", PAGE, "text/html", more=[("WARC-Payload-Digest", sha1(PAGE))])
    members = members_of({"1.warc.gz": [revisit(f"{SITE}/two", PAGE, "text/html")], "2.warc.gz": [original]}, [])
    path = packed(tmp_path / "a.wacz", members)
    assert (await read(path, scratch))[0] == [f"{SITE}/", f"{SITE}/two"]
    assert [item.name async for item in read_inputs([str(path)])] == [f"{SITE}/", f"{SITE}/two"]


async def test_one_that_comes_through_a_pipe_is_read(tmp_path: Path, scratch: Path) -> None:
    with WarcArchive(scratch) as archive, packed(tmp_path / "a.wacz", sound()).open("rb") as stdin:
        items = [item async for item in read_inputs(["-"], stdin=stdin, archive=archive)]
        assert [item.name for item in items if isinstance(item, Document)] == [f"{SITE}/"]
        assert (await archive.lookup(f"{SITE}/a.jpg")).http_status == 200


def changed(**more: bytes | None) -> dict[str, bytes]:
    """A sound WACZ but for some members, whose names have ``__`` for a slash."""
    others = {name.replace("__", "/").replace("_", "."): data for name, data in more.items()}
    members: dict[str, bytes | None] = {**sound(), **others}
    return {name: data for name, data in members.items() if data is not None}


def without_digest() -> dict[str, bytes]:
    return {name: data for name, data in sound().items() if name != "datapackage-digest.json"}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (changed(datapackage_json=None), "has no datapackage.json"),
        (changed(datapackage_json=b"{"), "datapackage.json that can't be read (Expecting"),
        (changed(datapackage_json=b"[" * 100_000), "datapackage.json that can't be read"),
        (changed(datapackage_json=b"[]"), "datapackage.json that can't be read"),
        (changed(datapackage_json=b" " * (MAX_DATAPACKAGE + 1)), "it is over the limit of 2,097,152 bytes"),
        (changed(indexes__index_cdx=None), "lacks indexes/index.cdx, which its datapackage.json names"),
        (changed(indexes__index_cdx=b"short"), "/indexes/index.cdx has 5 bytes, and its datapackage.json says"),
        (
            changed(pages__pages_jsonl=page_list([f"{SITE}/", f"{SITE}/lost"])),
            f"lists 1 page that none of the archives holds: {SITE}/lost.",
        ),
        (
            changed(pages__pages_jsonl=page_list([f"{SITE}/"]) + b'{"url": \n\n{"title": "x"}\n' + b"x" * 3_000_000),
            "/pages/pages.jsonl has 3 lines without the URL of a page, the first is line 3.",
        ),
        ({**sound(), "../out/data.warc.gz": b"x"}, "../out/data.warc.gz leads out of the folder"),
        (
            {**sound(), "archive/empty.warc.gz": b"\x1f\x8b\x08nothing"},
            "archive/empty.warc.gz: its compressed data is damaged",
        ),
    ],
)
async def test_what_is_wrong_is_told_in_a_sentence_and_the_rest_is_read(
    tmp_path: Path, scratch: Path, members: Mapping[str, bytes], told: str
) -> None:
    names, problems, picture = await read(packed(tmp_path / "a.wacz", members), scratch)
    assert (names, picture) == ([f"{SITE}/"], JPEG)
    assert any(told in problem.message for problem in problems), problems


async def test_a_changed_file_is_told_where_hashes_are_checked(tmp_path: Path, scratch: Path) -> None:
    members = sound()
    members["indexes/index.cdx"] = bytes(reversed(members["indexes/index.cdx"]))
    path = packed(tmp_path / "a.wacz", members)
    assert (await read(path, scratch))[1] == []
    _, problems, _ = await read(path, scratch, hashes=True)
    assert (
        "a.wacz/indexes/index.cdx is damaged: its bytes are not those that it was recorded with (sha256:"
        in problems[0].message
    )
    members["datapackage.json"] += b" "
    _, problems, _ = await read(packed(path, members), scratch, hashes=True)
    assert "a.wacz/datapackage.json is damaged" in problems[1].message


async def test_an_archive_that_was_damaged_is_not_called_left_out_when_it_is_read(
    tmp_path: Path, scratch: Path
) -> None:
    path = packed(tmp_path / "a.wacz", sound())
    data = bytearray(path.read_bytes())
    at = data.index(b"archive/data.warc.gz") + len(b"archive/data.warc.gz")
    data[at + 3] ^= 1  # a bit of the gzip header that says nothing
    path.write_bytes(data)
    assert await read(path, scratch) == ([f"{SITE}/"], [], JPEG)
    names, problems, picture = await read(path, scratch, hashes=True)
    assert (names, picture) == ([f"{SITE}/"], JPEG)
    assert problems[0].message.startswith(f"{path}/archive/data.warc.gz can't be compared: Bad CRC-32")


async def test_whether_it_is_signed_is_told_where_hashes_are_checked(tmp_path: Path, scratch: Path) -> None:
    members = sound()
    digest = {**json.loads(members["datapackage-digest.json"]), "signedData": {"signature": "x"}}
    signed = {**members, "datapackage-digest.json": json.dumps(digest).encode()}
    for each, codes in (
        (members, ["wacz-unsigned"]),
        (signed, []),
        (without_digest(), ["wacz-unsigned"]),
    ):
        assert [p.code for p in (await read(packed(tmp_path / "a.wacz", each), scratch, hashes=True))[1]] == codes


async def test_one_without_an_archive_is_one_sentence(tmp_path: Path, scratch: Path) -> None:
    empty = packed(tmp_path / "a.wacz", {name: data for name, data in sound().items() if "archive/" not in name})
    problems = (await read(empty, scratch))[1]
    assert any("is a WACZ without an archive" in problem.message for problem in problems)


@pytest.mark.parametrize("archives", [1, 2])
async def test_of_one_that_was_cut_every_record_that_is_there_is_read(
    tmp_path: Path, scratch: Path, archives: int
) -> None:
    files = {"1.warc.gz": RECORDS, "2.warc.gz": [response(f"{SITE}/two", PAGE, "text/html")]}
    members = members_of(dict(list(files.items())[:archives]), [])
    # What comes before the archive is longer than what is looked through at once.
    whole = packed(tmp_path / "a.wacz", {"indexes/first.cdx": index(40_000), **members})
    cut = tmp_path / "b.wacz"
    cut.write_bytes(whole.read_bytes()[:-300])
    names, problems, picture = await read(cut, scratch)
    assert (names, picture) == ([f"{SITE}/", f"{SITE}/two"][:archives], JPEG)
    assert problems[0].code == "document-damaged"
    cut.write_bytes(whole.read_bytes()[:1000])
    assert [problem.code for problem in (await read(cut, scratch))[1]] == ["document-damaged"]


async def test_a_member_that_is_not_where_the_list_says_is_left_out(tmp_path: Path, scratch: Path) -> None:
    members = {**sound(), "archive/z.warc.gz": compressed([response(f"{SITE}/z", PAGE, "text/html")])}
    path = packed(tmp_path / "a.wacz", members)
    with zipfile.ZipFile(path) as box:
        at = box.getinfo("archive/z.warc.gz").header_offset
    data = bytearray(path.read_bytes())
    data[at : at + 4] = b"none"
    path.write_bytes(bytes(data))
    names, problems, _ = await read(path, scratch)
    assert (names, [p.code for p in problems]) == ([f"{SITE}/"], ["member-left-out"])


async def test_a_link_out_of_an_unpacked_folder_is_not_followed(tmp_path: Path, scratch: Path) -> None:
    folder = unpacked(tmp_path / "crawl", sound())
    (tmp_path / "other.warc.gz").write_bytes(compressed([response(f"{SITE}/secret", PAGE, "text/html")]))
    (folder / "archive/z.warc.gz").symlink_to(tmp_path / "other.warc.gz")
    names, problems, _ = await read(folder, scratch)
    assert (names, [p.code for p in problems]) == ([f"{SITE}/"], ["member-left-out"])


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({**sound(), "datapackage-digest.json": b'{"path": 5, "hash": 7}'}, "is not signed"),
        ({**sound(), "datapackage-digest.json": b'{"hash": "", "signedData": {}}'}, "is not signed"),
        (
            {**sound(), "archive/more.warc.gz": sound()["archive/data.warc.gz"]},
            "a.wacz/archive/more.warc.gz is in no list",
        ),
        (
            changed(datapackage_json=b'{"resources": [{"path": "archive/data.warc.gz", "hash": "crc32:1"}]}'),
            "a.wacz/archive/data.warc.gz has no hash in the list that could be compared",
        ),
        (changed(datapackage_json=b'{"resources": {}}'), "it is no list of files"),
    ],
)
async def test_what_no_hash_proves_is_told_where_hashes_are_checked(
    tmp_path: Path, scratch: Path, members: Mapping[str, bytes], told: str
) -> None:
    _, problems, picture = await read(packed(tmp_path / "a.wacz", members), scratch, hashes=True)
    assert picture == JPEG
    assert any(told in problem.message for problem in problems), problems


async def test_the_list_of_an_unpacked_wacz_is_no_json_to_look_through(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "datapackage.json"
    path.write_bytes(b'{"profile": "multi-wacz-package", "resources": []}')
    _, (problem,), _ = await read(path, scratch)
    assert problem.message == f"{path} lists the files of a WACZ: give the folder that it stands in."


async def test_lists_of_a_hundred_megabytes_and_bombs_cost_little_memory_and_the_rest_is_read(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "BOMB_SIZE", 1_000_000)
    monkeypatch.setattr(inflating, "BOMB_SIZE", 1_000_000)
    nothing = bytes(20_000_000)
    others = ("datapackage-digest.json", "pages/pages.jsonl", "indexes/index.cdx", "archive/packed-twice.warc.gz")
    members = {"datapackage.json": bytes(100_000_000), **dict.fromkeys(others, nothing)}
    path = packed(tmp_path / "a.wacz", members, compression=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as box:
        box.writestr("archive/bomb.warc.gz", gzip.compress(b"WARC/1.1\r\n" + nothing, 1))
        box.writestr("archive/data.warc.gz", compressed(RECORDS))
    del nothing, members
    tracemalloc.start()
    names, problems, picture = await read(path, scratch, hashes=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (names, picture, peak < 24_000_000) == ([f"{SITE}/"], JPEG, True), peak
    assert [problem.message.removeprefix(str(path)) for problem in problems] == [
        "/archive/packed-twice.warc.gz inflates without end: it is left out.",
        "/archive/bomb.warc.gz: a header line is too long at byte 0: what is there is left out, and the rest is read.",
        " has a datapackage.json that can't be read (it inflates without end): its archives were read all the same.",
        " is not signed: it has no datapackage-digest.json that can be read.",
        "/pages/pages.jsonl is damaged, or packed in a way that is not read: it is left out.",
    ]

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mediamirror.documents.document import Document
from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.read import read_inputs
from mediamirror.errors import HTTPStatus, InputMissing, InputUnreadable, UsageError
from mediamirror.model import Body, Download, Problem


async def read(inputs: Sequence[str], **options: Any) -> list[Document | Problem]:
    return [item async for item in read_inputs(inputs, **options)]


def summary(items: list[Document | Problem]) -> list[tuple[str, str]]:
    return [(Path(i.name).name, i.kind) if isinstance(i, Document) else (Path(i.document).name, i.code) for i in items]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in {
        "b.html": b"<img src=a>",
        "a.txt": b"text",
        "sub/c.md": b"# c",
        "sub/photo.webp": b"RIFF",
        ".git/d.html": b"x",
        "empty.html": b"",
        "binary.txt": b"a\0b",
        "page": b"<!doctype html><p>",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return tmp_path


async def test_a_directory_is_read_sorted_by_known_extension_and_a_bad_file_never_ends_it(folder: Path) -> None:
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    assert summary(await read([str(folder)])) == [
        ("a.txt", "text"),
        ("b.html", "html"),
        ("binary.txt", "binary-document"),
        ("dangling.txt", "input-unreadable"),
        ("empty.html", "empty-document"),
        ("page", "html"),
        ("c.md", "markdown"),
    ]


async def test_a_page_of_a_folder_has_its_own_address_below_the_one_of_the_folder(folder: Path) -> None:
    (folder / "sub" / "d e.html").write_bytes(b"<img src=a>")
    for base_url in ("https://h.example/x/", "https://h.example/x/index.html"):
        found = await read([str(folder), str(folder / "b.html")], base_url=base_url)
        bases = {Path(each.name).name: each.base_url for each in found if isinstance(each, Document)}
        below = "https://h.example/x"
        assert (bases["c.md"], bases["d e.html"]) == (f"{below}/sub/c.md", f"{below}/sub/d%20e.html")
        assert found[-1].base_url == base_url  # a file that is named is the page itself


async def test_files_without_a_known_extension_are_read_by_content_and_others_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, data in {
        "article.php?id=3": b"<!DOCTYPE html><img src=a.jpg>",
        "feed": b"<?xml version='1.0'?><rss></rss>",
        "data": b'{"a": 1}',
        "prog.php": b"<?php echo '<html><img src=x>';",
        "app.js": b"x = '<html><img src=x>'",
        "drawing": b"<svg><image href=x></svg>",
        "LICENSE": b"Plain words.",
        "photo.jpg": b"\xff\xd8\xff",
        "x.bin": b"\0\0\0\0<html>",
    }.items():
        (tmp_path / name).write_bytes(data)
    caplog.set_level("DEBUG")
    items = await read([str(tmp_path)])
    assert [(Path(i.name).name, i.kind) for i in items if isinstance(i, Document)] == [
        ("article.php?id=3", "html"),
        ("data", "json"),
        ("feed", "feed"),
    ]
    (note,) = [item for item in items if isinstance(item, Problem)]
    assert note.code == "passed-over"
    assert "4 files were passed over" in note.message
    told = {record.args[0].name for record in caplog.records if isinstance(record.args, tuple)}  # type: ignore[union-attr]
    assert told == {"prog.php", "drawing", "LICENSE", "x.bin"}


async def test_a_directory_in_which_all_was_passed_over_holds_no_document(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_bytes(b"Plain words.")
    assert summary(await read([str(tmp_path)])) == [(tmp_path.name, "no-documents")]


async def test_paths_and_globs_are_read_in_order_each_once(folder: Path) -> None:
    inputs = [str(folder / "b.html"), str(folder / "**" / "*.md"), str(folder / "[ab].*"), str(folder / "page")]
    assert summary(await read(inputs)) == [
        ("b.html", "html"),
        ("c.md", "markdown"),
        ("a.txt", "text"),
        ("page", "html"),
    ]


async def test_a_name_with_glob_characters_that_exists_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_bytes(b"x")
    assert summary(await read([str(tmp_path / "a[1].txt")])) == [("a[1].txt", "text")]


async def test_a_missing_input_is_refused_before_anything_is_read(folder: Path) -> None:
    stdin = io.BytesIO(b"text")
    for word in ("nowhere.txt", "no*where", ""):
        with pytest.raises(InputMissing, match="give a path, a directory, a glob, a URL, or -"):
            await read(["-", str(folder / word) if word else word], stdin=stdin)
    assert stdin.tell() == 0


async def test_a_dangling_link_is_missing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputMissing, match="link to something that is not there"):
        await read([str(tmp_path / "link")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_permission_is_refused(folder: Path) -> None:
    (folder / "a.txt").chmod(0)
    with pytest.raises(InputUnreadable, match="no permission"):
        await read([str(folder / "a.txt")])


@pytest.mark.parametrize("word", ["ftp://x.example/a", "file:///etc/hosts", "s3://bucket/key", "gopher://x"])
async def test_an_unknown_scheme_is_one_sentence(word: str) -> None:
    with pytest.raises(UsageError, match="read over http and https only"):
        await read([word])


async def test_no_input_and_an_unknown_kind_are_usage_errors(folder: Path) -> None:
    with pytest.raises(UsageError, match="No INPUT"):
        await read([])
    with pytest.raises(UsageError, match="'pdf' is no kind"):
        await read([str(folder / "a.txt")], as_="pdf")


async def test_standard_input_is_text_even_when_it_looks_like_a_page() -> None:
    (document,) = await read(["-"], stdin=io.BytesIO(b"<!doctype html><img src=a>"))
    assert isinstance(document, Document)
    assert (document.name, document.kind, document.base_url) == ("-", "text", None)


async def test_standard_input_can_be_said_to_be_a_page() -> None:
    assert summary(await read(["-"], stdin=io.BytesIO(b"x"), as_="html")) == [("-", "html")]


async def test_an_empty_and_an_oversized_document_are_problems() -> None:
    assert summary(await read(["-"], stdin=io.BytesIO(b""))) == [("-", "empty-document")]
    (problem,) = await read(["-"], stdin=io.BytesIO(b"x" * 11), limit=10)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.message) == (
        "document-too-large",
        "- is over the limit of 10 bytes: split it, or raise --max-document-size.",
    )


async def test_utf_16_is_no_binary_data(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("text".encode("utf-16"))
    assert summary(await read([str(tmp_path / "a.txt")])) == [("a.txt", "text")]


def download(url: str, data: bytes | None, path: Path | None = None) -> Download:
    body = None if data is None else Body(len(data), "", data=None if path else data, path=path)
    headers = (("content-type", "text/html; charset=koi8-r"),)
    return Download(url, "https://y.example/final", 200, headers, body, datetime(2025, 12, 8, tzinfo=UTC))


async def test_a_url_is_fetched_and_its_final_url_is_the_base(tmp_path: Path) -> None:
    spooled = tmp_path / "spool"
    spooled.write_bytes(b"spooled")
    bodies = {"https://x.example/a": None, "https://x.example/b": spooled}

    async def fetch(url: str) -> Download:
        return download(url, b"memory", bodies[url])

    items = await read(list(bodies), fetch=fetch)
    assert [(i.data, i.name, i.base_url, i.kind, i.media_type) for i in items if isinstance(i, Document)] == [
        (data, "https://y.example/final", "https://y.example/final", "html", "text/html; charset=koi8-r")
        for data in (b"memory", b"spooled")
    ]


async def test_the_given_base_url_wins(folder: Path) -> None:
    async def fetch(url: str) -> Download:
        return download(url, b"x")

    items = await read(["https://x.example/a", str(folder / "a.txt")], base_url="https://z.example/", fetch=fetch)
    assert [i.base_url for i in items if isinstance(i, Document)] == ["https://z.example/"] * 2


async def test_a_url_that_fails_is_a_problem_and_the_rest_is_read(folder: Path) -> None:
    async def fetch(url: str) -> Download:
        if url.endswith("none"):
            return download(url, None)
        raise HTTPStatus("https://x.example/a answered 404.", status=404)

    items = await read(["https://x.example/a", "https://x.example/none", str(folder / "a.txt")], fetch=fetch)
    assert summary(items) == [("a", "http-status"), ("none", "empty-document"), ("a.txt", "text")]


def test_planning_keeps_order_and_names_each_place_once(folder: Path) -> None:
    page = str(folder / "b.html")
    assert [p.word for p in plan_inputs([page, "-", page, "-", "https://x.example/"])] == [
        page,
        "-",
        "https://x.example/",
    ]

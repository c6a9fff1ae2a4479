"""What is looked for in a document: as what it came, and as what it is."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediamirror.documents.document import Document
from mediamirror.documents.look import look_through
from mediamirror.documents.read import read_inputs
from mediamirror.markup.extract import choose_kind, other_kind
from mediamirror.model import Body, Download, Extraction

SITE = "http://site.example"
FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><item><enclosure url="e.png" type="image/png"/></item></channel></rss>'
ATOM = b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="enclosure" type="image/png" href="e.png"/></entry></feed>'
SITEMAP = (
    b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
    b"<url><loc>/p</loc><image:image><image:loc>/e.png</image:loc></image:image></url></urlset>"
)
PAGE = b"<!doctype html><img src=e.png>"


def serving(data: bytes, media_type: str) -> Callable[[str], Awaitable[Download]]:
    async def fetch(url: str) -> Download:
        body = Body(len(data), "0" * 64, data=data, prefix=data)
        return Download(url, url, 200, (("content-type", media_type),), body, datetime(2026, 1, 1, tzinfo=UTC))

    return fetch


async def found_in(path: str, data: bytes, media_type: str, as_: str = "auto") -> list[Extraction]:
    (document,) = [item async for item in read_inputs([SITE + path], fetch=serving(data, media_type), as_=as_)]
    assert isinstance(document, Document)
    return list(look_through(document, data))


@pytest.mark.parametrize(
    ("path", "data", "media_type"),
    [
        ("/feed", FEED, "text/html; charset=utf-8"),
        ("/feed", FEED, "text/plain"),
        ("/feed.atom", ATOM, "text/plain; charset=utf-8"),
        ("/sitemap.xml", SITEMAP, "text/html"),
        ("/data.json", b'{"images":[{"src":"/e.png"}]}', "text/html"),
        ("/api", b'{"images":[{"src":"/e.png"}]}', "text/plain"),
        ("/s.css", b"a{background:url(e.png)}", "text/plain"),
        ("/x.md", b"[k]: e.png\n\n![k]", "text/html"),
        ("/min", b"@charset 'utf-8';a{color:red}b{background:url(e.png)}", "text/html"),
        ("/min", b"/* x */.a:hover,\n#b{--c:1}b{background:url(e.png)}", "text/plain"),
        ("/api?callback=cb", b'/**/ x.cb({"images":[{"src":"\\/e.png"}]});', "text/javascript"),
        ("/api?callback=cb", b'cb([{"src":"e.png"}])', "text/plain"),
        ("/page", PAGE, "application/json"),
        ("/page", PAGE, "text/css"),
    ],
)
async def test_a_wrong_type_hides_nothing_and_what_was_decided_is_told(path: str, data: bytes, media_type: str) -> None:
    parts = await found_in(path, data, media_type)
    assert [c.url for part in parts for row in part.sets for c in row.candidates] == [f"{SITE}/e.png"]
    (note,) = [p for part in parts for p in part.problems if p.code == "read-as"]
    assert media_type.partition(";")[0] in note.message
    assert "--as " in note.message


async def test_a_right_type_is_not_spoken_of() -> None:
    for path, data, media_type in (
        ("/feed", FEED, "application/rss+xml"),
        ("/", PAGE, "text/html"),
        ("/a", b"x", "text/html"),
    ):
        assert [p for part in await found_in(path, data, media_type) for p in part.problems] == []


async def test_what_the_user_says_is_taken_at_its_word() -> None:
    assert [part.sets for part in await found_in("/feed", FEED, "text/html", as_="html")] == [()]


async def test_what_is_found_as_the_given_type_needs_no_second_look() -> None:
    data = b"https://a.example/a.jpg 480w, https://a.example/b.jpg 960w <html>"
    (part,) = await found_in("/x.html", data, "text/plain")
    assert (len(part.sets), part.problems) == (1, ())


TEXT = """# T

text ![k](https://a.example/k.png) and
<img src="https://a.example/h.png">
https://a.example/p-480.webp 480w, https://a.example/p-960.webp 960w
`![code](https://a.example/code.png)`
"""


@pytest.mark.parametrize("name", ["a.txt", "-"])
def test_a_text_that_holds_markdown_and_html_is_read_as_such_too(name: str) -> None:
    document = Document(name, TEXT.encode(), None, None, "text")
    (part,) = look_through(document, TEXT.encode())
    rows = [(row.line, [c.url.removeprefix("https://a.example/") for c in row.candidates]) for row in part.sets]
    assert rows == [(3, ["k.png"]), (4, ["h.png"]), (5, ["p-480.webp", "p-960.webp"])]
    for row in part.sets:
        for c in row.candidates:
            assert c.reference is not None
            assert c.reference.span is not None
            assert TEXT[slice(*c.reference.span)] == c.url


def test_a_text_that_is_a_page_is_read_as_one() -> None:
    (part,) = look_through(Document("a.txt", PAGE, None, SITE, "text"), PAGE)
    assert [c.url for row in part.sets for c in row.candidates] == [f"{SITE}/e.png"]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"a{color:red}b{background:url(e.png)}", "css"),
        ("a", b"a{color:red}b{background:url(e.png)}", "css"),
        ("-", b'{"image": "e.png"}', "json"),
        ("a.js", b'cb({"image":"e.png"});', "json"),
    ],
)
async def test_a_text_without_an_image_is_read_as_what_it_is_and_that_is_told(
    name: str, data: bytes, kind: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    inputs, stdin = ([name], io.BytesIO(data)) if name == "-" else ([str(tmp_path / name)], None)
    (document,) = [item async for item in read_inputs(inputs, stdin=stdin, base_url=f"{SITE}/")]
    assert isinstance(document, Document)
    *_, note, found = look_through(document, data)
    assert note.problems[0].message == (
        f"{document.name} came as text, and nothing is in it as that: it is read as {kind}, as with --as {kind}."
    )
    assert [(row.read_as, c.url) for row in found.sets for c in row.candidates] == [(kind, f"{SITE}/e.png")]


def test_words_are_taken_for_no_style_sheet() -> None:
    for text in (b"See {this: that} url(e.png)", b"Dear (sir) {", b"x" * 600 + b"{a:url(e.png)}"):
        assert choose_kind(text, media_type=None, document="a") == "text"
        assert other_kind(text[:8], kind="text", media_type=None, document="a") is None

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.errors import UsageError
from mediamirror.markup.extract import (
    KINDS,
    KindUnknown,
    KindUnsupported,
    choose_kind,
    extract,
    extract_document,
    known_extensions,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
BASE = "https://site.example/"


@pytest.mark.parametrize(
    ("data", "media_type", "document", "kind"),
    [
        (b"<p>", "text/html; charset=utf-8", "a.txt", "html"),
        (b"<p>", "TEXT/HTML", "", "html"),
        (b"a 1x", "text/plain", "a.html", "text"),
        (b"a 1x", "application/octet-stream", "dir.x/A.HTML", "html"),
        (b"<!doctype html><img src=a>", None, "a.txt", "text"),
        (b"<!doctype html><img src=a>", None, "-", "text"),
        (b"  <!DOCTYPE HTML>", None, "page", "html"),
        (b"text <img src=a>", None, "", "html"),
        (b"a.jpg 1x, b.jpg 2x", None, "", "text"),
        (b"https://x.example/a.jpg", None, "list", "urls"),
        (b"# mine\r\nhttps://x.example/a.jpg\r\n\r\nhttps://x.example/b.webp?v=2\r\n", "text/plain", "a.txt", "urls"),
        (b"https://x.example/a.jpg\n", None, "-", "urls"),
        (b"https://images.unsplash.com/photo-1?w=640\n", None, "a.txt", "urls"),
        (b"https://x.example/a.jpg\n" * 5_000, None, "a.txt", "urls"),
        (b"https://x.example/a.jpg\nhttps://x.example/about\n", None, "a.txt", "text"),
        (b"https://x.example/wiki/File:Kite.jpg\n", None, "a.txt", "text"),
        (b"https://x.example/a-320.jpg,\nhttps://x.example/a-640.jpg\n", None, "a.txt", "text"),
        (b"a picture:\nhttps://x.example/a.jpg\n", None, "a.txt", "text"),
        (b"x", None, "https://x.example/a.md?x=.html", "markdown"),
        (b"x", None, "https://x.example/", "text"),
        (b"x", None, "notes.urls", "urls"),
        (b"x", "text/css", "", "css"),
        (b"x", None, "crawl.warc.gz", "warc"),
        (b"id\timage\n1\thttps://x.example/i/1\n", None, "a.txt", "tsv"),
        (b"https://x.example/i/1\tone\r\nhttps://x.example/i/2\ttwo\r\n", "text/plain", "list", "tsv"),
        (b"id|image\r1|https://x.example/i/1\r", None, "a.txt", "csv"),
        (b"id,image\n1,https://x.example/i/1\n", None, "-", "csv"),
        (b"id\timage\n1\thttps://x.example/i/1\nand\tthen\tmore\n", None, "a.txt", "text"),
        (b"| id | image |\n| 1 | https://x.example/i/1 |\n", None, "a.txt", "text"),
        (b"https://x.example/a.jpg 1x, https://x.example/b.jpg 2x\n" * 2, None, "a.txt", "text"),
        (b"one, two\nthree, four\n", None, "a.txt", "text"),
        (b"<?xml version='1.0'?>\n<rss version='2.0'><channel/></rss>", None, "feed/index.html", "feed"),
        (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'/>", None, "sitemap.html", "sitemap"),
        (b'{"image": "https://x.example/a"}', None, "wp-json/index.html", "json"),
        (b"<!-- rss --><html><rss >", None, "a.html", "html"),
    ],
)
def test_content_type_beats_extension_beats_content(
    data: bytes, media_type: str | None, document: str, kind: str
) -> None:
    assert choose_kind(data, media_type=media_type, document=document) == kind


def test_what_the_caller_says_is_taken_at_its_word() -> None:
    assert choose_kind(b"<p>", media_type="text/html", document="a.html", as_="srcset") == "srcset"


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.find is None])
def test_a_kind_that_is_read_from_a_file_only_says_so(kind: str) -> None:
    with pytest.raises(KindUnsupported, match=f"{kind}, which is read from a file: give its path") as caught:
        extract_document(b"x", as_=kind)
    assert isinstance(caught.value, UsageError)


def test_an_unknown_kind_lists_those_there_are() -> None:
    with pytest.raises(KindUnknown, match="'pdf' is no kind of document: use auto, srcset, html"):
        extract_document(b"x", as_="pdf")


def test_extract_reads_the_seed() -> None:
    (found,) = extract((FIXTURES / "seed" / "news-by-first-line.txt").read_bytes())
    assert [c.width for c in found.candidates] == [480, 768, 1280, 1920]


def test_the_charset_of_the_content_type_is_used() -> None:
    data = "<img src='https://x.example/?й'>".encode("koi8-r")
    (found,) = extract(data, media_type='text/html; charset="koi8-r"')
    assert found.candidates[0].url == "https://x.example/?%CA"


def test_srcset_takes_the_whole_input_as_a_value_and_an_empty_line_parts_two() -> None:
    found = extract_document(b"a.jpg 1x,\n b.jpg 2x\n\nc.jpg 480w, d.jpg 3q\n", as_="srcset", base_url=BASE)
    assert [[c.url for c in s.candidates] for s in found.sets] == [[BASE + "a.jpg", BASE + "b.jpg"], [BASE + "c.jpg"]]
    assert [(p.code, p.line) for p in found.sets[1].problems] == [("unknown-descriptor", 4)]


def test_urls_are_one_a_line_with_comments_and_each_its_own_set() -> None:
    data = "\ufeff# list\r\nhttps://x.example/a b.jpg#f\r\n\r\n  b.jpg\t\nftp:\n#c".encode()
    found = extract_document(data, as_="urls", base_url=BASE, document="list")
    rows = [(s.line, s.candidates[0].url, s.candidates[0].width) for s in found.sets]
    assert rows[:2] == [(2, "https://x.example/a%20b.jpg", None), (4, BASE + "b.jpg", None)]
    candidate = found.sets[1].candidates[0]
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert data[slice(*candidate.reference.span)] == b"b.jpg"


@pytest.mark.parametrize(
    ("line", "url", "width", "density"),
    [
        ("https://x.example/a.jpg 480", "https://x.example/a.jpg", 480, None),
        ("https://x.example/a.jpg\t480w,", "https://x.example/a.jpg", 480, None),
        ("https://x.example/a.jpg, 480px", "https://x.example/a.jpg", 480, None),
        ("a.jpg  1.5x  ", BASE + "a.jpg", None, 1.5),
        ("photo of 480 birds.jpg", BASE + "photo%20of%20480%20birds.jpg", None, None),
        ("photo 0", BASE + "photo%200", None, None),
        ("https://x.example/w_480,c_fill/a.jpg", "https://x.example/w_480,c_fill/a.jpg", None, None),
    ],
)
def test_a_width_or_density_may_follow_a_listed_url(
    line: str, url: str, width: int | None, density: float | None
) -> None:
    (found,) = extract_document(line.encode(), as_="urls", base_url=BASE).sets
    candidate = found.candidates[0]
    assert (candidate.url, candidate.width, candidate.density) == (url, width, density)


def test_markdown_gives_images_inline_html_and_srcset_text_each_once() -> None:
    data = (FIXTURES / "dumps" / "notes.md").read_bytes()
    found = extract_document(data, document="notes.md", base_url=BASE)
    assert [(s.line, s.alt, [(c.url.rpartition("/")[2], c.width) for c in s.candidates]) for s in found.sets] == [
        (3, "Reed beds", [("reed.jpg", None)]),
        (3, "Owl", [("owl.jpg", None), ("owl-2x.jpg", None)]),
        (5, None, [("fox-480.webp", 480), ("fox-768.webp", 768)]),
    ]


def test_an_empty_document_has_no_sets() -> None:
    assert [extract(b"", media_type=t) for t in ("text/html", "text/plain", "text/markdown")] == [[], [], []]


def test_known_extensions_are_those_that_can_be_read() -> None:
    assert {".html", ".txt", ".md", ".xml.gz", ".warc.gz", ".jsonl"} <= known_extensions()
    assert ".webp" not in known_extensions()


@given(st.binary(max_size=200), st.sampled_from([name for name, kind in KINDS.items() if kind.find is not None]))
def test_any_bytes_of_any_kind_are_read(data: bytes, kind: str) -> None:
    extract_document(data, as_=kind, base_url=BASE)

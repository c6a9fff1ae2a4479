from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.extract import extract_document
from mediamirror.markup.records import sitemap

FEEDS = Path(__file__).parents[2] / "fixtures" / "feeds"
ADDRESS = "https://site.example/maps/sitemap.xml"
IMAGES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
)


def read(data: bytes | str) -> sitemap.Sitemap:
    return sitemap.read(data.encode() if isinstance(data, str) else data, document="map", base_url=ADDRESS)


def test_images_and_video_thumbnails_are_sets_with_captions_and_pages_are_entries() -> None:
    found = read((FEEDS / "sitemap.xml").read_bytes())
    assert [(s.line, s.alt, s.sources[0].carrier, s.candidates[0].url) for s in found.extraction.sets] == [
        (6, "Marsh & sky", "image:image", "https://cdn.example/marsh.jpg?a=1&b=2"),
        (8, None, "image:image", "https://cdn.example/reeds.webp"),
        (15, None, "video:thumbnail_loc", "https://cdn.example/film.jpg"),
    ]
    assert found.entries == (
        sitemap.Entry("https://site.example/marsh", "page", 5),
        sitemap.Entry("https://site.example/film", "page", 14),
    )


def test_an_index_lists_its_sitemaps_and_says_that_they_are_not_read() -> None:
    found = read((FEEDS / "sitemap-index.xml").read_bytes())
    assert [(e.url, e.kind) for e in found.entries] == [
        ("https://site.example/sitemap-posts.xml.gz", "sitemap"),
        ("https://site.example/sitemap-pages.xml", "sitemap"),
    ]
    (note,) = found.extraction.problems
    assert (note.code, note.line) == ("sitemap-index", 3)
    assert "2 are listed" in note.message


def test_every_span_is_the_url_as_it_is_spelled() -> None:
    data = (FEEDS / "sitemap.xml").read_bytes()
    found = extract_document(data, document="sitemap.xml")
    candidates = [c for row in found.sets for c in row.candidates]
    spans = [c.reference.span for c in candidates if c.reference is not None and c.reference.span is not None]
    assert [data[slice(*span)].decode() for span in spans] == [c.raw_url for c in candidates]
    assert candidates[0].raw_url == "https://cdn.example/marsh.jpg?a=1&amp;b=2"


@pytest.mark.parametrize(
    "loc",
    [
        "https://cdn.example/a.jpg",
        "\n  https://cdn.example/a.jpg\n",
        "<![CDATA[https://cdn.example/a.jpg]]>",
        "https://cdn.example/<!-- c -->a.jpg",
        "//cdn.example/a.jpg",
    ],
)
def test_a_loc_may_be_spelled_in_many_ways(loc: str) -> None:
    text = f"<urlset {IMAGES}><url><loc>/p</loc><image:image><image:loc>{loc}</image:loc></image:image></url></urlset>"
    assert [c.url for s in read(text).extraction.sets for c in s.candidates] == ["https://cdn.example/a.jpg"]


def test_another_prefix_and_none_declared_are_understood() -> None:
    other = IMAGES.replace("xmlns:image", "xmlns:i")
    for text in (
        f"<urlset {other}><url><i:image><i:loc>/a.jpg</i:loc></i:image></url></urlset>",
        "<urlset><url><image:image><image:loc>/a.jpg</image:loc></image:image></url></urlset>",
    ):
        assert [c.url for s in read(text).extraction.sets for c in s.candidates] == ["https://site.example/a.jpg"]


def test_an_image_address_that_can_not_be_used_and_a_page_address_too_are_problems() -> None:
    text = f"<urlset {IMAGES}>\n<url><loc>http://[</loc>\n<image:image><image:loc></image:loc></image:image></url></urlset>"
    assert [(p.code, p.line) for p in read(text).extraction.problems] == [("invalid-url", 2), ("empty-url", 3)]


def test_more_addresses_than_the_protocol_allows_are_left_out_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_URLS", 3)
    text = f"<urlset {IMAGES}>" + "".join(f"<url><loc>/{n}</loc></url>" for n in range(9)) + "</urlset>"
    found = read(text)
    assert [e.url[-2:] for e in found.entries] == ["/0", "/1", "/2"]
    assert [p.code for p in found.extraction.problems] == ["sitemap-too-long"]


def test_a_sitemap_larger_than_the_protocol_allows_is_cut_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_BYTES", 100)
    found = read("<urlset><url><loc>/a</loc></url>" + " " * 100 + "<url><loc>/b</loc></url></urlset>")
    assert [e.url[-2:] for e in found.entries] == ["/a"]
    assert [p.code for p in found.extraction.problems] == ["malformed-xml", "sitemap-too-large"]


def test_a_sitemap_cut_in_the_middle_gives_what_is_there_and_a_problem() -> None:
    data = (FEEDS / "sitemap.xml").read_bytes()
    found = read(data[: data.index(b"<video:video>")])
    assert (len(found.extraction.sets), len(found.entries)) == (2, 2)
    assert [p.code for p in found.extraction.problems] == ["malformed-xml"]


@given(st.integers(0, 900), st.text(st.sampled_from("<>/=\"' &;:[]!-imagelocur"), max_size=60))
def test_a_sitemap_broken_anywhere_is_read(at: int, rubbish: str) -> None:
    data = (FEEDS / "sitemap.xml").read_bytes()
    read(data[:at] + rubbish.encode() + data[at:])

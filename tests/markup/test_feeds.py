from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.extract import choose_kind, extract_document
from mediamirror.markup.records import feeds
from mediamirror.model import Extraction

FEEDS = Path(__file__).parents[2] / "fixtures" / "feeds"
ADDRESS = "https://feeds.example/all.xml"
MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'


def find(data: bytes | str, **options: object) -> Extraction:
    raw = data.encode() if isinstance(data, str) else data
    return feeds.find(raw, document="feed", base_url=ADDRESS, **options)  # type: ignore[arg-type]


def rows(found: Extraction) -> list[tuple[str, str, int | None]]:
    return [(s.carrier, c.url, c.width) for row in found.sets for s, c in row.entries]


def item(inner: str, *, link: str = "<link>https://site.example/p/</link>") -> str:
    return f'<rss version="2.0" {MEDIA} xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><item>{link}{inner}</item></channel></rss>'


def test_rss_carries_images_in_enclosures_media_podcast_art_and_html() -> None:
    found = find((FEEDS / "news.rss").read_bytes())
    assert [(s.line, s.alt, [(src.carrier, c.url, c.width) for src, c in s.entries]) for s in found.sets] == [
        (9, None, [("image", "https://news.example/logo-144.png", None)]),
        (10, None, [("itunes:image", "https://news.example/podcast-3000.jpg", None)]),
        (14, None, [("enclosure", "https://cdn.example/bittern.jpg?a=1&b=2", None)]),
        (16, "A & B", [("img", "https://news.example/2025/12/bittern/thumb.jpg", None)]),
        (
            18,
            "Bittern",
            [
                ("img", "https://news.example/uploads/bittern-1200.jpg", None),
                ("img", "https://news.example/uploads/bittern-480.jpg", 480),
                ("img", "https://news.example/uploads/bittern-1200.jpg", 1200),
            ],
        ),
        (
            23,
            None,
            [
                ("media:content", "https://cdn.example/owl-480.webp", 480),
                ("media:content", "https://cdn.example/owl-960.webp", 960),
                ("media:thumbnail", "https://cdn.example/owl-75.webp", 75),
            ],
        ),
        (28, None, [("media:thumbnail", "https://cdn.example/film.jpg", None)]),
        (29, None, [("media:content", "https://cdn.example/fox.png", None)]),
    ]
    assert found.problems == ()


def test_atom_carries_images_in_links_logo_html_and_xhtml_under_xml_base() -> None:
    found = find((FEEDS / "journal.atom").read_bytes())
    assert rows(found) == [
        ("icon", "https://journal.example/a/favicon.ico", None),
        ("logo", "https://journal.example/logo.png", None),
        ("link", "https://journal.example/a/2025/lake.webp", None),
        ("img", "https://journal.example/a/2025/%D0%BE%D0%B7%D0%B5%D1%80%D0%BE.jpg?q=%D0%B9", None),
        ("img", "https://journal.example/a/2025/lake-2x.jpg", None),
        ("source", "https://journal.example/a/forest.avif", None),
        ("img", "https://journal.example/a/forest.jpg", None),
    ]


def test_json_feed_carries_images_in_its_fields_attachments_and_html() -> None:
    found = extract_document((FEEDS / "feed.json").read_bytes(), media_type="application/feed+json")
    assert [(s.line, s.alt, [(c.url.rpartition("/")[2], c.width) for c in s.candidates]) for s in found.sets] == [
        (4, None, [("icon-512.png", None)]),
        (5, None, [("favicon.ico", None)]),
        (11, None, [("tern-1600.jpg", None)]),
        (12, None, [("tern-banner.jpg", None)]),
        (13, "Térn", [("tern.jpg", None), ("tern.jpg", 480), ("tern-large.jpg", 1200)]),
        (14, None, [("a.png", None)]),
        (17, None, [("get?id=7", None)]),
    ]
    assert found.sets[4].candidates[0].url == "https://shore.example/tern/small/tern.jpg"


@pytest.mark.parametrize("name", ["news.rss", "journal.atom", "feed.json"])
def test_every_span_is_the_url_as_the_document_spells_it(name: str) -> None:
    data = (FEEDS / name).read_bytes()
    encoding = "cp1251" if name == "journal.atom" else "utf-8"
    candidates = [c for row in find(data).sets for c in row.candidates]
    assert len(candidates) > 6
    for candidate in candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode(encoding) == candidate.raw_url


def test_a_span_is_right_behind_much_text_of_many_bytes_a_letter() -> None:
    text = item("<description>" + "Озеро 😀 &amp; " * 2000 + "\n&lt;img src='/ё.jpg?a&amp;amp;b'&gt;</description>")
    (found,) = find(text).sets
    candidate = found.candidates[0]
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert (candidate.raw_url, candidate.reference.line) == ("/ё.jpg?a&amp;amp;b", 2)
    assert text.encode()[slice(*candidate.reference.span)].decode() == candidate.raw_url


@pytest.mark.parametrize(
    "element",
    [
        '<enclosure url="{}" type="image/webp"/>',
        '<enclosure url="{}.jpg"/>',
        '<media:content url="{}" medium="image"/>',
        '<media:content url="{}" type="image/png"/>',
        '<media:content url="{}.gif"/>',
        '<media:content url="{}" width="300" height="200"/>',
        '<media:thumbnail url="{}"/>',
        '<media:content url="x.mp4" type="video/mp4"><media:thumbnail url="{}"/></media:content>',
        '<itunes:image href="{}"/>',
        '<x:image xmlns:x="http://www.google.com/schemas/play-podcasts/1.0" href="{}"/>',
        '<g:image_link xmlns:g="http://base.google.com/ns/1.0"> {} </g:image_link>',
        '<t:content xmlns:t="http://turbo.yandex.ru"><![CDATA[<img src="{}">]]></t:content>',
        '<y:full-text xmlns:y="http://news.yandex.ru">&lt;img src="{}"&gt;</y:full-text>',
        "<description>&amp;lt;img src={} &amp;gt;</description>",
        '<description><p>not escaped <img src="{}"></p></description>',
        "<content:encoded><![CDATA[<img src=]]><![CDATA[{}>]]></content:encoded>",
        '<description type="xhtml"><h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:img src="{}"/></h:div></description>',
    ],
)
def test_each_way_to_name_an_image_is_known(element: str) -> None:
    found = find(item(element.replace("{}", "https://cdn.example/a&amp;b")))
    urls = [c.url.removesuffix(".jpg").removesuffix(".gif") for s in found.sets for c in s.candidates]
    assert urls == ["https://cdn.example/a&b"]


@pytest.mark.parametrize(
    "element",
    [
        '<enclosure url="a.mp3" type="audio/mpeg"/>',
        '<enclosure url="photo.jpg" type="video/mp4"/>',
        '<media:content url="a.jpg" medium="video"/>',
        '<media:content url="a" type="video/mp4" width="3"/>',
        '<media:content url="a" width="3" duration="9"/>',
        '<link rel="alternate" href="a.jpg"/>',
        "<description>a &amp; b</description>",
        "<title>&lt;img src=a.jpg&gt;</title>",
        "<url>a.jpg</url>",
    ],
)
def test_what_is_no_image_is_left(element: str) -> None:
    assert find(item(element)) == Extraction(())


def test_a_podcasts_images_are_one_set_with_widths() -> None:
    found = find(
        item('<p:images xmlns:p="https://podcastindex.org/namespace/1.0" srcset="/a.jpg 1500w, /b.jpg 600w, c"/>')
    )
    assert [[(c.url, c.width) for c in s.candidates] for s in found.sets] == [
        [("https://feeds.example/a.jpg", 1500), ("https://feeds.example/b.jpg", 600), ("https://feeds.example/c", None)]
    ]


def test_relative_urls_in_html_are_those_of_the_items_page_wherever_its_link_stands() -> None:
    html = "<description>&lt;img src=a.jpg&gt;</description>"
    after = find(item(html + "<link>https://site.example/after/</link>", link=""))
    without = find(item(html, link=""))
    assert [c.url for found in (find(item(html)), after, without) for s in found.sets for c in s.candidates] == [
        "https://site.example/p/a.jpg",
        "https://site.example/after/a.jpg",
        "https://feeds.example/a.jpg",
    ]


def test_one_link_does_not_leak_into_the_next_item() -> None:
    html = "<description>&lt;img src=a.jpg&gt;</description>"
    text = item("").replace("</channel>", f"<item>{html}</item></channel>")
    assert [c.url for s in find(text).sets for c in s.candidates] == ["https://feeds.example/a.jpg"]


def test_a_feed_cut_in_the_middle_gives_what_is_there_and_a_problem() -> None:
    data = (FEEDS / "news.rss").read_bytes()
    found = find(data[: data.index(b"<m2:content")])
    assert len(found.sets) == 6
    assert [(p.code, p.line) for p in found.problems] == [("malformed-xml", 28)]


def test_a_bare_ampersand_and_html_entities_lose_nothing() -> None:
    found = find(item('<title>A & B&nbsp;C</title><enclosure url="/a.jpg?x=1&y=2&copy=3" type="image/jpeg"/>'))
    assert [c.url for s in found.sets for c in s.candidates] == ["https://feeds.example/a.jpg?x=1&y=2&copy=3"]


def test_an_xml_bomb_is_a_problem_and_the_rest_is_read() -> None:
    bomb = "<!DOCTYPE rss [" + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(30)) + "]>"
    found = find(bomb + item('<media:thumbnail url="/a.jpg"/><description>&l30;</description>'))
    assert [c.url for s in found.sets for c in s.candidates] == ["https://feeds.example/a.jpg"]
    assert [p.code for p in found.problems] == ["entities-not-expanded"]


def test_a_url_that_can_not_be_used_is_a_problem_with_its_line() -> None:
    found = find(
        "<rss><channel>\n<item>\n<enclosure type='image/png' url='data:image/png;base64,AA'/></item></channel></rss>"
    )
    assert [(p.code, p.line, p.document) for p in found.problems] == [("scheme-not-fetched", 3, "feed")]


def test_the_same_picture_in_two_carriers_is_one_set_with_two_places_unless_they_are_kept_apart() -> None:
    text = item(
        '<enclosure url="https://x.example/a.jpg"/><description>&lt;img src="https://x.example/a.jpg"&gt;</description>'
    )
    (merged,) = find(text).sets
    assert [place.carrier for place in merged.places] == ["img"]
    assert len(find(text, merge=False).sets) == 2


def test_a_lazy_image_and_its_noscript_copy_in_a_feed_are_one_set() -> None:
    html = "<img src=a.jpg srcset='b.jpg 2x'><noscript><img src=a.jpg></noscript>"
    (found,) = find(item(f"<content:encoded><![CDATA[{html}]]></content:encoded>")).sets
    assert [(p.carrier, p.line) for p in found.places] == [("img", 1)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("<rss version='2.0'>", "feed"),
        ("<?xml version='1.0'?>\n<!-- c -->\n<feed xmlns='x'>", "feed"),
        ("<rdf:RDF xmlns:rdf='x'>", "feed"),
        ("<!DOCTYPE rss [<!ENTITY a 'b'>]><rss>", "feed"),
        ("\ufeff<urlset xmlns='x'>", "sitemap"),
        ("<sm:sitemapindex xmlns:sm='x'>", "sitemap"),
        ("<feedback>", "text"),
        ('{"version": "https://jsonfeed.org/version/1"}', "json"),
        ("[x] not json", "text"),
    ],
)
def test_a_feed_or_sitemap_is_known_by_its_first_element(head: str, kind: str) -> None:
    for media_type, name in ((None, "page"), ("application/xml", ""), ("text/xml; charset=utf-8", ""), (None, "a.xml")):
        assert choose_kind(head.encode(), media_type=media_type, document=name) == kind


@settings(deadline=None)
@given(
    st.text(st.sampled_from("<>/=\"' &;:[]!-aimgrssfdlt"), max_size=120),
    st.sampled_from(["news.rss", "journal.atom"]),
    st.integers(0, 3000),
)
def test_a_feed_broken_anywhere_is_read(rubbish: str, name: str, at: int) -> None:
    data = (FEEDS / name).read_bytes()
    find(data[:at] + rubbish.encode() + data[at:])


def test_a_srcset_in_the_plain_text_of_an_entry_is_found() -> None:
    text = "Cats &amp;amp; dogs https://x.example/a.jpg?w=1&amp;s=2 300w, https://x.example/b.jpg 600w, 5x zoom"
    data = f"<rss><channel><item>\n<description>{text}</description></item></channel></rss>".encode()
    (row,) = find(data).sets
    assert [(c.width, c.url) for c in row.candidates] == [
        (300, "https://x.example/a.jpg?w=1&s=2"),
        (600, "https://x.example/b.jpg"),
    ]
    places = [c.reference for c in row.candidates if c.reference]
    assert [(p.line, data[slice(*p.span)]) for p in places if p.span] == [
        (2, b"https://x.example/a.jpg?w=1&amp;s=2"),
        (2, b"https://x.example/b.jpg"),
    ]


def test_images_under_telling_names_of_no_standard_are_found_where_they_look_like_images() -> None:
    inner = "<image>https://site.example/a.jpg</image><thumb>https://site.example/t.png</thumb><image>page.html</image>"
    inner += '<x:icon xmlns:x="http://webfeeds.org/rss/1.0">https://site.example/i.svg</x:icon>'
    inner += '<x:cover xmlns:x="http://webfeeds.org/rss/1.0" image="https://site.example/c.png"/>'
    inner += "<post-thumbnail><url>https://site.example/wp.jpg</url></post-thumbnail><title>https://site.example/no.jpg</title>"
    assert [(carrier, url.rpartition("/")[2]) for carrier, url, _ in rows(find(item(inner)))] == [
        ("image", "a.jpg"),
        ("thumb", "t.png"),
        ("icon", "i.svg"),
        ("cover", "c.png"),
        ("image", "wp.jpg"),
    ]


def test_an_image_field_of_a_merchants_feed_is_read_whatever_its_name() -> None:
    page = (
        '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><link>https://shop.example/p</link>'
        "<g:lifestyle_image_link>https://i.example/a.jpg</g:lifestyle_image_link></item></channel></rss>"
    )
    found = extract_document(page.encode(), document="feed.xml")
    assert [c.url for row in found.sets for c in row.candidates] == ["https://i.example/a.jpg"]

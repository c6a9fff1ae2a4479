from __future__ import annotations

import time
from pathlib import Path

import pytest

from mediamirror.markup.page import html
from mediamirror.model import Candidate, Extraction, ImageSet

PAGE = (Path(__file__).parents[2] / "fixtures" / "pages" / "every-carrier.html").read_bytes()
SITE = "https://site.example/dir/page.html"
BASE = "https://site.example/base/"


def find(page: str | bytes, *, links: bool = False, merge: bool = True) -> Extraction:
    data = page.encode() if isinstance(page, str) else page
    return html.find(data, document="p.html", base_url=SITE, links=links, merge=merge)


def carried(row: ImageSet) -> list[tuple[str, str | None, str]]:
    return [
        (source.carrier, c.reference.attribute if c.reference else "?", c.url.removeprefix(BASE))
        for source, c in row.entries
    ]


def urls(page: str, *, links: bool = False) -> list[str]:
    return [c.url.removeprefix("https://site.example/dir/") for s in find(page, links=links).sets for c in s.candidates]


def codes(page: str) -> list[str]:
    return [problem.code for problem in find(page).problems]


def candidates(found: Extraction) -> list[Candidate]:
    return [c for row in found.sets for c in row.candidates]


def test_every_carrier_of_the_fixture_page_is_found_and_says_what_it_is() -> None:
    assert [carried(row) for row in find(PAGE).sets] == [
        [("icon", "href", "favicon.ico")],
        [("apple-touch-icon", "href", "touch.png")],
        [("apple-touch-icon-precomposed", "href", "touch-pre.png")],
        [("mask-icon", "href", "mask.svg")],
        [("image_src", "href", "share.jpg")],
        [("prefetch", "href", "next.webp")],
        [("og:image", "content", "og-1.jpg"), ("og:image", "content", "https://cdn.example/og-1.jpg")],
        [("og:image", "content", "og-2.jpg")],
        [("twitter:image", "content", "card.jpg")],
        [("msapplication-tileimage", "content", "tile.png")],
        [("thumbnail", "content", "thumb.jpg")],
        [("itemprop", "content", "item.jpg")],
        [("itemprop", "href", "item-thumb.jpg")],
        [("css", None, "hero.png")],
        [("css", None, "logo.avif"), ("css", None, "logo@2x.png")],
        [("jsonld", None, "https://site.example/ld.jpg")],
        [("jsonld", None, "brand.png")],
        [("background", "background", "wall.gif")],
        [("css", "style", "tom%20&%20jerry.png")],
        [("video", "poster", "film.jpg")],
        [("input", "src", "go.png")],
        [("object", "data", "map.svg")],
        [("embed", "src", "plan.webp")],
        [("background", "background", "table.gif")],
        [("background", "background", "cell.gif")],
        [("svg-image", "href", "new.png")],
        [("svg-feimage", "xlink:href", "noise.png")],
        [("svg-use", "href", "sprite.svg")],
        [("css", "fill", "hatch.svg")],
        [("amp-img", "src", "amp.jpg"), ("amp-img", "srcset", "amp-1.jpg"), ("amp-img", "srcset", "amp-2.jpg")],
        [("img", "srcdoc", "in.jpg?a=1&b=2")],
        [("img", "src", "held.jpg")],
        [("img", "src", "shadow.jpg")],
        [("img", "src", "quiet.jpg")],
    ]


def test_what_is_left_out_of_the_fixture_page_is_named() -> None:
    assert [(p.code, p.line) for p in find(PAGE).problems] == [("css-import", 25), ("tracker-pixel", 50)]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_span_is_the_url_as_spelled_and_every_line_is_its_line(newline: bytes) -> None:
    data = PAGE.replace(b"\n", newline)
    found = candidates(find(data, links=True, merge=False))
    assert len(found) == 39
    for candidate in found:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        start, end = candidate.reference.span
        assert data[start:end].decode() == candidate.raw_url
        assert data[:start].count(newline) + 1 == candidate.reference.line


def test_alt_text_is_kept_where_the_carrier_has_one() -> None:
    assert [s.alt for s in find(PAGE).sets if s.alt] == ["A harbour", "Go", "Amp"]


def test_a_link_to_an_image_file_counts_only_on_demand() -> None:
    page = '<a href="full.JPG?x=.html">a</a><a href="p.html?x=.jpg">b</a><a type="image/png" href="raw">c</a>'
    assert (urls(page), urls(page, links=True)) == ([], ["full.JPG?x=.html", "raw"])


def test_the_type_of_an_input_is_no_promise_about_its_file() -> None:
    (row,) = find('<input type=image src="a.png">').sets
    assert row.sources[0].mime is None


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<object data="a.png">', ["a.png"]),
        ('<object data="a.png" type="text/html">', []),
        ('<object data="a" type=" IMAGE/png ">', ["a"]),
        ('<embed src="a.png#x">', ["a.png"]),
        ('<embed src="a?b.png">', []),
        ("<link rel=icon>", []),
        ("<link rel='x icon' href=a>", ["a"]),
        ("<link rel=prefetch as=image href=a>", ["a"]),
        ("<svg><image xlink:href=a /></svg>", ["a"]),
        ("<svg><image href='' xlink:href=a /></svg>", []),
        ("<image src=a>", ["a"]),
        ("<image href=a>", []),
        ("<td background=a>", []),
        ("<table><tr><th background=a>", ["a"]),
        ("<amp-img srcset='a 1x'>", ["a"]),
        ("<amp-img>", []),
        ("<video>", []),
    ],
)
def test_an_element_carries_an_image_only_where_a_browser_takes_one(page: str, expected: list[str]) -> None:
    assert urls(page) == expected


def test_an_empty_poster_is_a_problem_with_its_line() -> None:
    assert [(p.code, p.line) for p in find('<p>\n<video poster="">').problems] == [("empty-url", 2)]


def test_a_srcdoc_in_a_srcdoc_is_read_and_placed_in_the_outer_bytes() -> None:
    page = '<iframe srcdoc="<iframe srcdoc=&quot;<img src=&amp;quot;a.jpg?x&amp;amp;amp;y&amp;quot;>&quot;>">'
    (candidate,) = candidates(find(page))
    assert candidate.url == "https://site.example/dir/a.jpg?x&y"
    assert candidate.raw_url == "a.jpg?x&amp;amp;amp;y"
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert page.encode()[slice(*candidate.reference.span)].decode() == candidate.raw_url


def test_a_srcdoc_has_the_base_url_of_the_page_around_it_unless_it_sets_its_own() -> None:
    outer = "<base href=/o/>"
    assert [c.url for c in candidates(find(outer + '<iframe srcdoc="<img src=a>">'))] == ["https://site.example/o/a"]
    own = outer + '<iframe srcdoc="<base href=i/><img src=a>">'
    assert [c.url for c in candidates(find(own))] == ["https://site.example/o/i/a"]


def test_a_problem_in_a_srcdoc_has_the_line_of_the_outer_page() -> None:
    page = '<p>\n<iframe srcdoc="<p>\n\n<video poster=&quot;&quot;>">'
    assert [(p.code, p.line) for p in find(page).problems] == [("empty-url", 4)]


def test_srcdocs_nested_too_deep_are_a_problem() -> None:
    page = "<img src=a>"
    for _ in range(6):
        page = '<iframe srcdoc="' + page.replace("&", "&amp;").replace('"', "&quot;") + '">'
    assert (urls(page), codes(page)) == ([], ["srcdoc-not-read"])


def test_shadow_trees_within_shadow_trees_are_read_without_recursion() -> None:
    depth = 400
    page = "<div><template shadowrootmode=open>" * depth + "<img src=a>"
    assert urls(page) == ["a"]


@pytest.mark.parametrize(
    ("img", "code"),
    [
        ("<img src=a width=1 height=1>", "tracker-pixel"),
        ("<img src=a width=2px height=0>", "tracker-pixel"),
        ("<img src=https://mc.yandex.ru/watch/1>", "tracker-pixel"),
        ("<img src=a width=1 height=10>", None),
        ("<img src=a width=1%>", None),
        ("<img src=a width=1 height=1 srcset='b 2x'>", None),
        ("<img src=a>", None),
    ],
)
def test_a_picture_of_one_pixel_is_a_tracker_and_is_named(img: str, code: str | None) -> None:
    assert codes(img) == ([code] if code else [])
    assert bool(urls(img)) is (code is None)


LAZY = '<img src="a.jpg" alt="">'


def test_a_noscript_copy_and_its_lazy_twin_are_one_set_with_two_places() -> None:
    page = LAZY + '<noscript><img src="a.jpg" srcset="a-1.jpg 100w" alt="Harbour"></noscript>'
    (row,) = find(page).sets
    assert [(s.ignored, c.url.rpartition("/")[2], c.width) for s, c in row.entries] == [
        (None, "a.jpg", None),
        ("noscript", "a.jpg", None),
        ("noscript", "a-1.jpg", 100),
    ]
    assert row.alt == "Harbour"
    assert [page[slice(*place.span)] for place in row.places if place.span] == ["a.jpg"]


def test_a_noscript_copy_before_its_twin_merges_too() -> None:
    page = '<noscript><img src="a.jpg"></noscript>' + LAZY
    (row,) = find(page).sets
    assert [(s.carrier, s.ignored) for s in row.sources] == [("img", None)]


def test_a_noscript_image_without_twin_stays_a_set() -> None:
    assert urls(LAZY + "<noscript><img src=b.jpg></noscript>") == ["a.jpg", "b.jpg"]


def test_for_rewriting_a_noscript_copy_stays_apart() -> None:
    assert len(find(LAZY + '<noscript><img src="a.jpg"></noscript>', merge=False).sets) == 2


def test_attributes_of_ten_mebibytes_cost_bounded_time() -> None:
    big = 10 << 20
    pages = [
        f'<video poster="{"a" * big}">',
        f'<body background="{"&quot;" * (big // 6)}">',
        f'<div style="background:url({"&quot;" * (big // 6)})">',
        f'<iframe srcdoc="{"&lt;" * (big // 4)}">',
        f'<meta property="og:image" content="{"&amp;" * (big // 5)}">',
    ]
    started = time.process_time()
    for page in pages:
        assert codes(page)
    assert time.process_time() - started < 30


def test_a_noscript_copy_in_another_size_is_its_lazy_twin_by_the_name() -> None:
    lazy = '<img src="x_20x.jpg" data-src="x_{width}x.jpg" data-widths="[180, 360]" alt="Shoe">'
    (row,) = find(lazy + '<noscript><img src="x_1024x1024@2x.jpg"></noscript>').sets
    assert [(s.ignored, c.url.rpartition("/")[2]) for s, c in row.entries][-1] == ("noscript", "x_1024x1024@2x.jpg")
    assert urls(lazy + '<noscript><img src="y_1024x1024.jpg"></noscript>')[-1] == "y_1024x1024.jpg"
    assert len(find(lazy + '<noscript><img src="y_1024x1024.jpg"></noscript>').sets) == 2
    assert len(find('<img src="x_20x.jpg"><noscript><img src="x_1024x.jpg"></noscript>', merge=False).sets) == 2


def test_what_conditional_comments_show_to_outlook_is_found_and_placed() -> None:
    page = (
        '<p>\n<!--[if gte mso 9]><v:rect fill="true"><v:fill type="frame" src="bg.jpg?a=1&amp;b=2" /><v:textbox><![endif]-->'
        '\n<!--[if mso]><img src="mso.png"><![endif]--><!--[if !mso]><!--><img src="others.png"><!--<![endif]-->'
        '<!--[if lt IE 9]><script src="x.js"></script><![endif]--><!-- <img src="none.png"> --><!--[if mso]><img src="cut.png"'
    )
    sets = find(page.encode()).sets
    found = [(row.sources[0].carrier, row.candidates[0]) for row in sets]
    assert [(carrier, c.url.rpartition("/")[2], c.raw_url) for carrier, c in found] == [
        ("vml", "bg.jpg?a=1&b=2", "bg.jpg?a=1&amp;b=2"),
        ("img", "mso.png", "mso.png"),
        ("img", "others.png", "others.png"),
    ]
    places = [c.reference for _, c in found if c.reference is not None and c.reference.span is not None]
    assert [(place.line, page[slice(*place.span)]) for place in places if place.span] == [
        (2, "bg.jpg?a=1&amp;b=2"),
        (3, "mso.png"),
        (3, "others.png"),
    ]


def test_the_background_of_a_second_body_is_found_though_nobody_knows_its_place() -> None:
    (row,) = find('<p>x</p>\n<body background="bg.jpg">').sets
    assert carried(row) == [("background", "background", "https://site.example/dir/bg.jpg")]
    assert row.candidates[0].reference is not None
    assert row.candidates[0].reference.span is None

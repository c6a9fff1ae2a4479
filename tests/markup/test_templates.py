from __future__ import annotations

import pytest

from mediamirror.markup.page import html
from mediamirror.markup.page.lazy_formats import filled, is_template, listed_widths
from mediamirror.model import Extraction

SITE = "https://site.example/"


def find(page: str) -> Extraction:
    return html.find(page.encode(), document="p.html", base_url=SITE)


def urls(page: str) -> list[tuple[str, int | None]]:
    return [(c.url.removeprefix(SITE), c.width) for row in find(page).sets for c in row.candidates]


@pytest.mark.parametrize(
    ("attributes", "widths"),
    [
        ({"data-widths": "[180, 360,540]"}, (180, 360, 540)),
        ({"data-widths": "180,360"}, (180, 360)),
        ({"data-widths": '["180w", "360px"]'}, (180, 360)),
        ({"data-cmp-widths": "320 480"}, (320, 480)),
        ({"data-widths": "[360, 360, 0]"}, (360,)),
        ({"data-widths": "auto"}, ()),
        ({"data-widths": "[1.5, 2]"}, ()),
        ({"data-widths": "{'a': 5}"}, ()),
        ({"width": "180"}, ()),
        ({}, ()),
    ],
)
def test_widths_are_listed_by_the_element(attributes: dict[str, object], widths: tuple[int, ...]) -> None:
    assert listed_widths(attributes) == widths


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("a_{width}x.jpg", "a_9x.jpg"),
        ("a_{W}.jpg", "a_9.jpg"),
        ("a_%7Bwidth%7Dx.jpg", "a_9x.jpg"),
        ("a.coreimg{.width}.jpeg", "a.coreimg.9.jpeg"),
        ("a_{ width }x{height}.jpg", "a_9x6.jpg"),
        ("{width}/{quality}/{format}.jpg", "9/{quality}/jpeg.jpg"),
    ],
)
def test_places_are_filled_with_what_the_element_says(template: str, url: str) -> None:
    said = {"data-ratio": "1.5", "data-format": "jpeg"}
    assert is_template(template)
    assert list(filled(template, (9,), said)) == [(url, 9)]


def test_a_template_with_listed_widths_is_a_candidate_for_each_in_one_set() -> None:
    (row,) = find('<img src="a_100x.jpg" data-src="a_{width}x.jpg" data-widths="[180, 360]" data-sizes="auto">').sets
    assert [(c.url.removeprefix(SITE), c.width, c.flags) for c in row.candidates] == [
        ("a_100x.jpg", None, ()),
        ("a_180x.jpg", 180, ("template",)),
        ("a_360x.jpg", 360, ("template",)),
    ]
    assert [s.sizes for s in row.sources] == [None, "auto"]


def test_a_filled_url_stands_nowhere_in_the_document_and_says_so() -> None:
    (row,) = find('\n<img data-src="a_{width}x.jpg" data-widths="[180]">').sets
    (candidate,) = row.candidates
    assert candidate.reference is not None
    assert (candidate.reference.line, candidate.reference.span, candidate.raw_url) == (2, None, "a_{width}x.jpg")


def test_the_sources_of_a_picture_use_the_widths_of_its_image() -> None:
    page = '<picture><source data-srcset="a_{w}.webp" type="image/webp"><img data-src="a_{w}.jpg" data-widths="[9, 8]"></picture>'
    assert urls(page) == [("a_9.webp", 9), ("a_8.webp", 8), ("a_9.jpg", 9), ("a_8.jpg", 8)]


def test_a_background_template_is_filled_too() -> None:
    page = '<div data-bgset="b_{width}x.jpg [(max-width: 9px)] | c_{width}.jpg" data-widths="[5, 6]"></div>'
    assert urls(page) == [("b_5x.jpg", 5), ("b_6x.jpg", 6), ("c_5.jpg", 5), ("c_6.jpg", 6)]


@pytest.mark.parametrize(
    "attributes",
    [
        'data-src="/a_{width}x.jpg"',
        'data-src="/a_{width}x.jpg" data-widths="auto"',
        'data-src="/a_%7Bwidth%7Dx.jpg"',
        'data-srcset="/a_{w}.jpg 1x"',
        'src="/a_{width}x.jpg"',
        'data-cmp-src="/a.coreimg{.width}.jpeg"',
        'data-template="https://n.example/resize/{width}/quality/{quality}/a.jpg" data-widths="[9]"',
    ],
)
def test_a_template_that_the_page_does_not_fill_is_one_problem_and_nothing_to_fetch(attributes: str) -> None:
    found = find(f"<img {attributes}>")
    assert (found.sets, [p.code for p in found.problems]) == ((), ["unfilled-template"])

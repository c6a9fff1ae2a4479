from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.page import link_header
from mediamirror.markup.standard.select import select
from mediamirror.model import Extraction

PAGE = "https://site.example/dir/page.html"


def find(*values: str) -> Extraction:
    return link_header.find(values, document=PAGE, base_url=PAGE)


def urls(*values: str) -> list[str]:
    return [c.url.removeprefix("https://site.example/dir/") for s in find(*values).sets for c in s.candidates]


def test_a_preload_with_a_source_set_is_one_image_set() -> None:
    (row,) = find(
        '<hero.jpg>; rel=preload; as=image; imagesrcset="a,b.jpg 480w, c.jpg 960w"; imagesizes="(min-width: 1px) 50vw, 400px"'
    ).sets
    assert [(c.url.rpartition("/")[2], c.width) for c in row.candidates] == [
        ("a,b.jpg", 480),
        ("c.jpg", 960),
        ("hero.jpg", None),
    ]
    assert row.sources[0].sizes == "(min-width: 1px) 50vw, 400px"
    chosen = select(row, viewport=(1000, 800), dpr=1)
    assert chosen is not None
    assert chosen.url.endswith("/c.jpg")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a.jpg>; rel=preload; as=image", ["a.jpg"]),
        ("<a.jpg>;REL=Preload;AS=IMAGE", ["a.jpg"]),
        ("<a.css>; rel=preload; as=style", []),
        ("<a.jpg>; rel=preload", []),
        ('<>; rel=preload; as=image; imagesrcset="a 1x"', ["a"]),
        ('<a,b;c.png>; rel="shortcut icon"', ["a,b;c.png"]),
        ('<a.png>; title="x, <y>; \\" z"; rel=icon, <b.png>; rel=icon', ["a.png", "b.png"]),
        ("<a.png>;rel=icon,<b.png>;rel=icon", ["a.png", "b.png"]),
        (" , ,<a.png>; rel=icon , ", ["a.png"]),
        ("<a.png>; rel=stylesheet; rel=icon", []),
        ("<a.png>; rel", []),
        ("<a.png>", []),
        ('<a.png>; rel=icon; x="never closed, <b.png>; rel=icon', ["a.png"]),
        ("", []),
    ],
)
def test_links_are_split_where_the_standard_splits_them(value: str, expected: list[str]) -> None:
    assert urls(value) == expected


def test_headers_that_repeat_are_read_in_order() -> None:
    assert urls("<a.png>; rel=icon", "<b.png>; rel=icon", "<a.png>; rel=icon") == ["a.png", "b.png"]


def test_a_reference_says_header_and_has_no_place_in_the_document() -> None:
    (row,) = find("<a.png>; rel=icon").sets
    (candidate,) = row.candidates
    assert candidate.reference is not None
    reference = candidate.reference
    assert (reference.carrier, reference.attribute, reference.line, reference.span) == ("link-header", "href", 0, None)


def test_what_is_no_link_is_a_problem_and_the_rest_is_read() -> None:
    found = find("nonsense, <a.png>; rel=icon")
    assert [p.code for p in found.problems] == ["malformed-link-header"]
    assert len(found.sets) == 1


def test_a_dropped_candidate_is_a_problem_of_its_set() -> None:
    (row,) = find('<a>; rel=preload; as=image; imagesrcset="b 1q, c 2x"').sets
    assert [(p.code, p.document) for p in row.problems] == [("unknown-descriptor", PAGE)]


def test_a_header_of_two_mebibytes_costs_bounded_time() -> None:
    started = time.process_time()
    for unit in ("<", ">", '"', "<a>;", "<a>,", ",", ";", '<a>;x="', "\\", "<a>; rel=icon,", '";', '<a>;rel="\\'):
        find(unit * ((2 << 20) // len(unit)))
    assert time.process_time() - started < 60


TOKEN = st.text(alphabet="abcz019-._~/?=&", min_size=1, max_size=8)
VALUE = st.text(alphabet='ab, ;<>="\\x', max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TOKEN, VALUE), min_size=1, max_size=5), st.sampled_from([",", ", ", " , ,"]))
def test_what_was_written_by_the_rules_is_read_back(links: list[tuple[str, str]], comma: str) -> None:
    quoted = [(target, value.replace("\\", "\\\\").replace('"', '\\"')) for target, value in links]
    header = comma.join(f'<{target}>; rel=icon; title="{value}"' for target, value in quoted)
    read = [link for link in link_header.parse(header) if isinstance(link, link_header.Link)]
    assert [(link.target, link.get("title")) for link in read] == links


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='<>,;="\\a ', max_size=60))
def test_no_header_makes_it_raise(value: str) -> None:
    find(value)

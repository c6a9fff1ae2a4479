from __future__ import annotations

import json

import pytest

from mediamirror.markup.page import html
from mediamirror.model import Extraction

SITE = "https://site.example/dir/page.html"


def find(page: str) -> Extraction:
    return html.find(page.encode(), document="p.html", base_url=SITE)


def rows(page: str) -> list[list[tuple[int, str]]]:
    return [[(c.reference.line, c.url) for c in s.candidates if c.reference] for s in find(page).sets]


def test_html_in_the_strings_of_a_script_is_read_as_html_and_not_as_a_srcset() -> None:
    body = '<p>Hi</p>\n<img src="/in.jpg" srcset="/in-4.jpg 400w, /in-8.jpg 800w">'
    page = f'\n<script type="application/json">{json.dumps({"body": body})}</script>'
    found = find(page)
    assert rows(page) == [[(2, f"https://site.example/in{n}.jpg") for n in ("", "-4", "-8")]]
    assert (found.problems, found.sets[0].problems) == ((), ())


def test_a_picture_whose_angle_brackets_are_escapes_keeps_its_sources_and_its_spans() -> None:
    body = (
        '<picture><source srcset="https://x.example/s.webp 2x" type="image/webp"><img src="/s.jpg" alt="S"></picture>'
    )
    spelled = json.dumps(body).replace("<", "\\u003c").replace("/", "\\/")
    page = f'<script>window.__STATE__ = {{"é":"ü","body":{spelled}}};</script>'
    (found,) = find(page).sets
    assert (found.alt, [s.mime for s in found.sources]) == ("S", ["image/webp", None])
    places = [c.reference.span for c in found.candidates if c.reference and c.reference.span]
    assert [page.encode()[slice(*place)] for place in places] == [b"https:\\/\\/x.example\\/s.webp", b"\\/s.jpg"]


def test_html_in_a_data_attribute_is_read_where_it_stands() -> None:
    page = """<a data-sub-html="&lt;img src='/cap.jpg?a=1&amp;amp;b=2' srcset='c1.jpg 1x, c2.jpg 2x'&gt;">z</a>
<div data-props='{"html":"<img src=\\"https:\\/\\/x.example\\/p.jpg\\">"}' data-note="a < b"></div>"""
    assert rows(page) == [
        [
            (1, "https://site.example/cap.jpg?a=1&b=2"),
            (1, "https://site.example/dir/c1.jpg"),
            (1, "https://site.example/dir/c2.jpg"),
        ],
        [(2, "https://x.example/p.jpg")],
    ]
    places = [c.reference for s in find(page).sets for c in s.candidates if c.reference]
    spans = [page.encode()[slice(*place.span)] for place in places if place.span]
    assert spans == [b"/cap.jpg?a=1&amp;amp;b=2", b"c1.jpg", b"c2.jpg", b"https:\\/\\/x.example\\/p.jpg"]
    assert {place.attribute for place in places} == {"data-sub-html", "data-props"}


def test_more_pieces_of_html_than_are_read_are_a_problem() -> None:
    page = f'<script type="application/json">{json.dumps(["<img src=/a.jpg>"] * 10_001)}</script>'
    found = find(page)
    assert [problem.code for problem in found.problems] == ["too-many-fragments"]
    assert [s.candidates[0].url for s in found.sets] == ["https://site.example/a.jpg"]


def test_a_string_with_more_escapes_than_are_decoded_is_a_problem_and_the_rest_is_read() -> None:
    page = f'<script type="application/json">{json.dumps(["<img src=/a.jpg>" + chr(10) * 250_001, "<img src=/b.jpg>"])}</script>'
    found = find(page)
    assert [problem.code for problem in found.problems] == ["too-many-escapes"]
    assert [s.candidates[0].url for s in found.sets] == ["https://site.example/b.jpg"]


def test_more_names_of_attributes_than_are_looked_for_are_a_problem_and_repeated_ones_are_not() -> None:
    row = '<div data-{}=\'{{"a":"<img src=/{}.jpg>"}}\'></div>'
    found = find("".join(row.format(f"n{number}", "a") for number in range(1_001)))
    assert [problem.code for problem in found.problems] == ["too-many-names"]
    found = find(row.format("b", "b") * 1_001 + row.format("a", "a"))
    assert {c.url for s in found.sets for c in s.candidates} == {f"https://site.example/{n}.jpg" for n in "ab"}
    assert found.problems == ()


@pytest.mark.parametrize(
    "kind",
    ["text/template", "text/html", "text/x-handlebars-template", "text/ng-template", "text/template-picture", "a/b"],
)
def test_html_that_waits_in_a_script_is_read_and_placed_and_its_templates_are_problems(kind: str) -> None:
    page = f'<script type="{kind}">\n<img src="/a.jpg?x=1&amp;y=2"><img src="{{{{ data.url }}}}"></script>'
    found = html.find(page.encode(), document="p.html", base_url="https://site.example/")
    (row,) = found.sets
    candidate = row.candidates[0]
    assert (candidate.url, row.line) == ("https://site.example/a.jpg?x=1&y=2", 2)
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert page[slice(*candidate.reference.span)] == candidate.raw_url == "/a.jpg?x=1&amp;y=2"
    assert [problem.code for problem in found.problems] == ["unfilled-template"]


def test_scripts_of_other_types_hold_no_html() -> None:
    page = '<script type="text/plain"><img src="/a.jpg"></script><script type="text/x-conf">{"a":"<img src=\\"/b.jpg\\">"}</script>'
    assert html.find(page.encode(), document="p.html", base_url="https://site.example/").sets == ()


def test_html_whose_quotes_were_escaped_once_too_often_is_read_with_its_quotes() -> None:
    page = r"""<script>window.s = {"body": "<img src=\\\"/a.jpg?b\\\" srcset=\\\"\/a-1.jpg 1x, \/a-2.jpg 2x\\\">"}</script>"""
    (row,) = find(page).sets
    assert [c.url.removeprefix("https://site.example/") for c in row.candidates] == ["a.jpg?b", "a-1.jpg", "a-2.jpg"]
    places = [c.reference.span for c in row.candidates if c.reference and c.reference.span]
    assert [page[slice(*place)] for place in places] == ["/a.jpg?b", "\\/a-1.jpg", "\\/a-2.jpg"]


def test_what_can_be_no_url_under_the_name_of_a_srcset_names_an_attribute() -> None:
    page = '<script>window.o = {"data_srcset": "lazy-srcset", "a": {"srcset": "none"}};</script><p data-responsive="off"></p>'
    assert find(page).sets == ()

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.page import html
from mediamirror.markup.places.json_text import MAX_NODES, Array, Json, Object, Text, read_json
from mediamirror.model import Extraction

SITE = "https://site.example/dir/page.html"


def page(payload: str, kind: str = "application/ld+json") -> str:
    return f'<p>\n<script type="{kind}">{payload}</script>'


def find(payload: str, kind: str = "application/ld+json") -> Extraction:
    return html.find(page(payload, kind).encode(), document="p.html", base_url=SITE)


def images(payload: Any) -> list[list[tuple[str, int | None, int | None]]]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return [
        [(c.url.removeprefix("https://site.example/dir/"), c.width, c.height) for c in row.candidates]
        for row in find(text).sets
    ]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"image": "a.jpg"}, [[("a.jpg", None, None)]]),
        ({"image": ["a.jpg", "b.jpg"]}, [[("a.jpg", None, None)], [("b.jpg", None, None)]]),
        ({"image": {"url": "a.jpg", "width": 1200, "height": "630"}}, [[("a.jpg", 1200, 630)]]),
        ({"image": {"url": "a.jpg", "width": "1200px", "height": {"value": 630}}}, [[("a.jpg", 1200, 630)]]),
        ({"image": {"url": ["a.jpg", "b.jpg"]}}, [[("a.jpg", None, None)], [("b.jpg", None, None)]]),
        (
            {"image": {"@list": ["a.jpg", {"@set": [{"url": "b.jpg"}]}]}},
            [[("a.jpg", None, None)], [("b.jpg", None, None)]],
        ),
        ({"image": {"@value": "a.jpg"}, "name": {"@value": "b.jpg"}}, [[("a.jpg", None, None)]]),
        ({"image": {"url": "a.jpg", "contentUrl": "a.jpg", "width": 5}}, [[("a.jpg", 5, None)]]),
        ({"@graph": [{"x": [{"logo": "a.svg"}]}]}, [[("a.svg", None, None)]]),
        ({"schema:image": "a.jpg", "http://schema.org/photo": "b"}, [[("a.jpg", None, None)], [("b", None, None)]]),
        ({"@type": ["Thing", "ImageObject"], "contentUrl": "a", "width": 5}, [[("a", 5, None)]]),
        ({"@type": "VideoObject", "contentUrl": "v.mp4", "thumbnailUrl": "t"}, [[("t", None, None)]]),
        ({"@type": "ImageObject", "contentUrl": "a.jpg", "url": "photo/1"}, [[("a.jpg", None, None)]]),
        ({"image": {"contentUrl": "a", "width": 9, "thumbnailUrl": "t"}}, [[("a", 9, None), ("t", None, None)]]),
        ({"image": {"url": "a", "thumbnail": {"url": "t"}}}, [[("a", None, None)], [("t", None, None)]]),
        ({"image": {"@id": "https://site.example/#lead"}}, []),
        ({"image": {"@id": "a.jpg"}}, [[("a.jpg", None, None)]]),
        ({"associatedMedia": ["a.mp3", "a.png"]}, [[("a.png", None, None)]]),
        ({"url": "a.jpg", "name": "b.jpg"}, []),
        ({"image": None, "logo": True, "photo": 5}, []),
    ],
)
def test_the_images_of_a_value_are_those_under_the_names_of_images(payload: Any, expected: object) -> None:
    assert images(payload) == expected


@pytest.mark.parametrize(
    "payload",
    [
        '\ufeff{"image":"a.jpg"}',
        '<!-- {"image":"a.jpg"} -->',
        '<![CDATA[{"image":"a.jpg"}]]>',
        '//<![CDATA[\n{"image":"a.jpg"}\n//]]>',
        '/*<![CDATA[*/{"image":"a.jpg"}/*]]>*/',
        '{"image":"a.jpg",}',
        '{"image":["a.jpg",],}',
        '{"x":1}\n{"image":"a.jpg"}',
        '[{"x":1}],[{"image":"a.jpg"}]',
        "{&quot;image&quot;:&quot;a.jpg&quot;}",
        "{&#34;image&#34;:&#34;a.jpg&#34;}",
        '{"text":"two\nlines","image":"a.jpg"}',
    ],
)
def test_what_pages_get_wrong_is_forgiven(payload: str) -> None:
    found = find(payload)
    assert [c.url for s in found.sets for c in s.candidates] == ["https://site.example/dir/a.jpg"]
    assert not found.problems


def test_the_span_is_the_spelling_with_its_escapes() -> None:
    text = page('{"image":"https:\\/\\/x.example\\/\\u044f\\ud83d\\ude00.jpg"}')
    (row,) = html.find(text.encode(), document="p", base_url=SITE).sets
    (candidate,) = row.candidates
    assert candidate.url == "https://x.example/%D1%8F%F0%9F%98%80.jpg"
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert text.encode()[slice(*candidate.reference.span)] == rb"https:\/\/x.example\/\u044f\ud83d\ude00.jpg"
    assert (candidate.reference.line, candidate.reference.attribute) == (2, None)


@pytest.mark.parametrize("payload", ['{"logo":"a.jpg","image":"b', '{"logo":"a.jpg"', '{"logo":"a.jpg"}}', "{logo: 1}"])
def test_malformed_json_is_a_problem_and_the_rest_is_still_read(payload: str) -> None:
    found = find(payload)
    assert [p.code for p in found.problems] == ["malformed-json"]
    assert [c.url.rpartition("/")[2] for s in found.sets for c in s.candidates] == (["a.jpg"] if '"' in payload else [])


@pytest.mark.parametrize(
    ("kind", "count"), [("APPLICATION/LD+JSON; charset=utf-8", 1), ("application/json", 0), ("text/x-template", 0)]
)
def test_only_a_script_of_the_type_is_read(kind: str, count: int) -> None:
    assert len(find('{"image":"a.jpg"}', kind).sets) == count


def test_nesting_of_any_depth_is_read() -> None:
    deep = 50_000
    assert images('{"a":' * deep + '{"image":"x.jpg"}' + "}" * deep) == [[("x.jpg", None, None)]]


def test_a_script_of_brackets_is_cut_and_says_so() -> None:
    found = find("[" * (MAX_NODES + 5))
    assert [p.code for p in found.problems] == ["json-too-large"]


def test_two_mebibytes_of_anything_cost_bounded_time() -> None:
    started = time.process_time()
    for unit in ("[", '"', "\\", ',"', "<!--", "{}", "\ufeff", '"\\'):
        read_json(unit * ((2 << 20) // len(unit)))
    assert time.process_time() - started < 60


def plain(value: Json, text: str) -> Any:
    if isinstance(value, Array):
        return [plain(item, text) for item in value.items]
    if isinstance(value, Object):
        return {name: plain(item, text) for name, item in value.members}
    if isinstance(value, Text):
        assert json.loads('"' + text[slice(*value.span)] + '"') == value.value
        return value.value
    return json.loads(value)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(JSON.map(lambda value: [value]), st.booleans(), st.sampled_from([None, 1]))
def test_valid_json_is_read_as_the_standard_library_reads_it(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    reading = read_json(text)
    assert reading.error is None
    assert [plain(each, text) for each in reading.values] == [value]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='{}[]":,\\ua1 <!-/*', max_size=60))
def test_no_text_makes_it_raise_and_every_span_lies_within(text: str) -> None:
    pending: list[Json] = list(read_json(text).values)
    while pending:
        node = pending.pop()
        if isinstance(node, Text):
            assert 0 <= node.span[0] <= node.span[1] < len(text)
        elif not isinstance(node, str):
            pending += node.items if isinstance(node, Array) else [value for _, value in node.members]

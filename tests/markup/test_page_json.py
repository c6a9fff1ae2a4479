from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mediamirror.markup.json.pictures import pictures
from mediamirror.markup.page import html
from mediamirror.markup.places.json_text import Text, read_json
from mediamirror.model import Extraction, ImageSet

SITE = "https://site.example/dir/page.html"
HERE = "https://site.example/dir/"


def find(page: str, *, merge: bool = True) -> Extraction:
    return html.find(page.encode(), document="p.html", base_url=SITE, merge=merge)


def short(url: str) -> str:
    return url.removeprefix(HERE)


def only(page: str) -> ImageSet:
    (found,) = find(page).sets
    return found


def urls(page: str) -> list[str]:
    return [short(c.url) for s in find(page).sets for c in s.candidates]


def test_json_on_an_image_belongs_to_it_and_elsewhere_each_picture_is_a_set() -> None:
    attrs = json.dumps({"src": "https://s3.example/b.jpeg", "width": 1456}).replace('"', "&quot;")
    assert urls(f'<img src="a.jpg" data-attrs="{attrs}">') == ["a.jpg", "https://s3.example/b.jpeg"]
    gallery = json.dumps({"images": [{"src": "g/1.jpg"}, {"src": "g/2.jpg", "alt": "Two"}], "ratio": "16/9"})
    found = find(f"<div data-gallery='{gallery}'></div>").sets
    assert [[short(c.url) for c in row.candidates] for row in found] == [["g/1.jpg"], ["g/2.jpg"]]


def test_names_that_are_urls_are_one_picture() -> None:
    value = '{"https://m.example/a._SX679_.jpg":[679,510],"https://m.example/a._SX522_.jpg":[522,392]}'
    assert urls(f"<div data-a-dynamic-image='{value}'></div>") == [
        "https://m.example/a._SX679_.jpg",
        "https://m.example/a._SX522_.jpg",
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"src": "/p.jpg", "srcSet": "/p-1.jpg 480w,\n/p-2.jpg 960w"}, [["/p-1.jpg", "/p-2.jpg", "/p.jpg"]]),
        (
            {"fallback": {"src": "/f.jpg", "srcSet": "/f-1.jpg 1x"}, "sources": [{"srcSet": "/f-1.webp 1x", "type": "image/webp"}]},
            [["/f-1.webp", "/f-1.jpg", "/f.jpg"]],
        ),
        ({"url": "/o.jpg", "formats": {"small": {"url": "/s.jpg"}, "thumb": {"url": "/t.jpg"}}}, [["/o.jpg", "/s.jpg", "/t.jpg"]]),
        (
            {"source_url": "/o.jpg", "media_details": {"sizes": {"medium": {"source_url": "/m.jpg"}}}},
            [["/o.jpg", "/m.jpg"]],
        ),
        ({"a": ["/1.jpg", "/2.png", "page.html", "alone.jpg", "rel/ative.jpg", "see /3.jpg"]}, [["/1.jpg"], ["/2.png"]]),
        ({"src": "/frame", "logo": "https://x.example/about", "video": "/v.mp4"}, []),
        ({"u": "https://images.ctfassets.net/s/1/photo?fm=webp&w=9"}, [["https://images.ctfassets.net/s/1/photo?fm=webp&w=9"]]),
    ],
)  # fmt: skip
def test_json_in_scripts_is_walked_by_the_shapes_that_scripts_use(data: object, found: list[list[str]]) -> None:
    script = f'<script id="__NEXT_DATA__" type="application/json">{json.dumps({"props": [data]})}</script>'
    state = f"<script>window.__STATE__ = {json.dumps({'props': [data]})};track('x')</script>"
    for page in (script, state):
        rows = find(page).sets
        assert [[c.url.removeprefix("https://site.example") for c in row.candidates] for row in rows] == found
        assert {s.carrier for row in rows for s in row.sources} <= {"json"}


def test_places_in_json_are_the_urls_as_spelled() -> None:
    page = '<p data-props=\'{"u": "https:\\/\\/c.example\\/\\u00e9.jpg?a&amp;b"}\'>\n'
    page += '<script type="application/json">["\\/a\\/b.jpg 1x, \\/a\\/c.jpg 2x"]</script>'
    data = page.encode()
    found = [c for row in find(page).sets for c in row.candidates]
    assert [c.url for c in found] == [
        "https://c.example/%C3%A9.jpg?a&b",
        "https://site.example/a/b.jpg",
        "https://site.example/a/c.jpg",
    ]
    spans = [c.reference.span for c in found if c.reference is not None]
    assert [data[slice(*span)].decode() for span in spans if span] == [
        r"https:\/\/c.example\/\u00e9.jpg?a&amp;b",
        r"\/a\/b.jpg",
        r"\/a\/c.jpg",
    ]


def test_other_scripts_are_left_alone() -> None:
    assert urls('<script src="/x.js">{"a": "/b.jpg"}</script><script>show("/b.jpg")</script>') == []
    assert urls('<script type="importmap">{"imports": {"a": "/b.png"}}</script>') == []


def test_what_json_only_repeats_becomes_a_place_of_the_set_that_shows_it() -> None:
    page = '<img srcset="/a.jpg 1x, /b.jpg 2x">\n<script type="application/json">{"u": "/b.jpg"}</script>'
    found = only(page)
    assert ([c.url[-5:] for c in found.candidates], [p.line for p in found.places]) == (["a.jpg", "b.jpg"], [2])
    assert len(find(page, merge=False).sets) == 2


HOSTILE = {
    "brackets": "<div data-props='" + '{"' + "[" * 100_000 + '"/a.jpg"' + "'></div>",
    "nested": "<script type='application/json'>" + '{"a":[' * 30_000 + '"/a.jpg"</script>',
    "groups": "<script type='application/json'>" + '{"sizes":' * 30_000 + '"/a.jpg"</script>',
    "state": "<script>" + 'a = {"' * 60_000 + ".jpg</script>",
    "many": "<p data-x='[" + '"/a.jpg",' * 30_000 + "]'>",
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_read_in_bounded_time(page: str) -> None:
    started = time.process_time()
    find(page)
    assert time.process_time() - started < 20


def test_what_is_too_much_json_is_said() -> None:
    assert [p.code for p in find("<p data-x='[" + '"/a.jpg",' + "1," * 250_000 + "]'>").problems] == ["json-too-large"]


JSON = st.recursive(
    st.sampled_from(["/a.jpg", "/b.png 1x, /c.png 2x", "no", ""]) | st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["src", "srcSet", "sizes", "sources", "fallback", "url", "/k.jpg"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@example({"sizes": [{"src": "/a.jpg", "srcSet": "/a.jpg"}]})
@given(JSON)
def test_every_image_url_of_any_json_is_in_one_picture_and_no_other(data: object) -> None:
    text = json.dumps(data)
    taken = [part.text for picture in pictures(read_json(text).values) for part in picture.parts]
    strings = [part.span for part in taken if isinstance(part, Text)]
    assert len(strings) == len(set(strings))
    values = text.replace('"/k.jpg":', "")
    assert sum(isinstance(part, Text) and part.value == "/a.jpg" for part in taken) == values.count('"/a.jpg"')


def test_what_a_rendition_holds_beside_its_file_is_not_lost() -> None:
    data = {
        "sizes": [{"src": "/a/b-480.jpg", "file": "b-480.jpg", "srcSet": "/b.png 1x, /c.png 2x", "thumb": "/d.jpg"}]
    }
    found = [[p.text.value for p in picture.parts] for picture in pictures(read_json(json.dumps(data)).values)]
    assert found == [["/a/b-480.jpg"], ["/b.png 1x, /c.png 2x"], ["/d.jpg"]]


@pytest.mark.parametrize(
    "script",
    [
        'window.__INITIAL_STATE__ = JSON.parse("{\\"a\\":\\"https://x.example/a.jpg\\"}");',
        'window.__INITIAL_STATE__ = JSON.parse(\'{"a":"https://x.example/a.jpg"}\');',
        'self.__next_f.push([1,"5:[\\"$\\",\\"img\\",null,{\\"src\\":\\"https://x.example/a.jpg\\"}]\\n"])',
        'window.__NUXT__=(function(a,b){return {data:[{$img:"https:\\u002F\\u002Fx.example\\u002Fa.jpg",alt:a}]}}("x",null));',
    ],
)
def test_state_in_a_string_or_in_a_function_is_read(script: str) -> None:
    page = f"<script>{script}</script>"
    (candidate,) = only(page).candidates
    assert candidate.url == "https://x.example/a.jpg"
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert page.encode()[slice(*candidate.reference.span)].endswith(b"a.jpg")


def test_a_srcset_in_json_within_a_string_is_not_the_string() -> None:
    inner = json.dumps(["$", "img", None, {"src": "/a.png", "srcSet": "/a-1.png 1x, /a-2.png 2x"}])
    found = find(f"<script>self.__next_f.push([1,{json.dumps('5:' + inner)}])</script>")
    assert [[c.url.rsplit("/", 1)[1] for c in s.candidates] for s in found.sets] == [["a-1.png", "a-2.png", "a.png"]]
    assert found.problems == ()


def test_names_without_quotes_are_names_and_an_error() -> None:
    reading = read_json('{a:"x",b:{"c":"y"}}')
    (value,) = reading.values
    assert [(key, type(inner).__name__) for key, inner in value.members] == [("a", "Text"), ("b", "Object")]  # type: ignore[union-attr]
    assert reading.error == 1


def test_the_properties_of_a_custom_element_are_read() -> None:
    props = json.dumps({"image": [0, {"src": [0, "/_astro/reed.a1.png"], "width": [0, 800]}], "n": [0, 3]})
    page = f"<astro-island uid=x props='{props}'></astro-island><div props='{props.replace('reed', 'div')}'></div>"
    assert urls(page) == ["https://site.example/_astro/reed.a1.png"]
    (candidate,) = only(page).candidates
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert page.encode()[slice(*candidate.reference.span)] == b"/_astro/reed.a1.png"


def test_the_gallery_of_magento_and_its_backgrounds_with_escaped_quotes_are_read_and_placed() -> None:
    gallery = json.dumps(
        {"[data-role=gallery]": {"mage/gallery": {"data": [{"thumb": "/t/1.jpg", "full": "/f/1.jpg"}]}}}
    )
    page = f'<script type="text/x-magento-init">{gallery}</script>'
    page += '<div data-background-images="{\\&quot;desktop_image\\&quot;:\\&quot;https://m.example/d.jpg\\&quot;}">'
    found = find(page)
    assert [c.url for s in found.sets for c in s.candidates] == [
        "https://site.example/t/1.jpg",
        "https://site.example/f/1.jpg",
        "https://m.example/d.jpg",
    ]
    for candidate in (c for s in found.sets for c in s.candidates):
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert page[slice(*candidate.reference.span)] == candidate.raw_url

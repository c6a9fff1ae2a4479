from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.page import html
from mediamirror.model import Extraction

IMG = ["$", "img", None, {"src": "/a.jpg?w=2&q=7", "srcSet": "/a.jpg?w=1&q=7 640w, /a.jpg?w=2&q=7 1920w", "alt": "Ä"}]
STREAM = "\n".join(
    (
        '1:HL["/a.css","style"]',
        f"2:{json.dumps(IMG)}",
        'a3:I[12,["7","x.js"],"default"]',
        "4:T2b,<p>Grüße<img src='/t.jpg'>\n<!-- 5 lines --></p>5:" + json.dumps({"image": {"url": "https://c.example/b.png"}}),
        "6:" + json.dumps({"content": {"__html": '<p><img src="/inner.jpg"></p>'}}),
    )
)  # fmt: skip
ALL = {"/a.jpg?w=1&q=7", "/a.jpg?w=2&q=7", "/t.jpg", "/inner.jpg", "https://c.example/b.png"}


def page(*chunks: str) -> str:
    scripts = (f"<script>self.__next_f.push([1,{json.dumps(chunk)}])</script>" for chunk in chunks)
    return f"<p>Ö</p><script>self.__next_f.push([0])</script>{''.join(scripts)}"


def find(text: str) -> Extraction:
    return html.find(text.encode(), document="p.html", base_url="https://s.example/dir/")


def urls(text: str) -> set[str]:
    return {c.url.removeprefix("https://s.example") for s in find(text).sets for c in s.candidates}


@given(st.lists(st.integers(0, len(STREAM)), max_size=4).map(sorted))
def test_a_stream_is_read_whole_wherever_it_is_cut(cuts: list[int]) -> None:
    chunks = [STREAM[start:end] for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    text = page(*chunks)
    assert urls(text) == ALL
    data = text.encode()
    for row in find(text).sets:
        for candidate in row.candidates:
            span = candidate.reference.span if candidate.reference else None
            if span is not None:
                assert data[slice(*span)].decode().replace("\\", "") == candidate.raw_url.replace("\\", "")
                assert b"</script" not in data[slice(*span)]


def test_a_url_that_goes_on_in_the_next_script_has_a_line_and_no_place() -> None:
    cut = STREAM.index("b.png")
    (row,) = [s for s in find(page(STREAM[:cut], "\n".join((STREAM[cut:], "")))).sets if "b.png" in s.candidates[0].url]
    reference = row.candidates[0].reference
    assert reference is not None
    assert (reference.line, reference.span) == (1, None)


def test_several_pushes_in_one_script_and_a_stream_that_breaks_off_are_read() -> None:
    text = (
        '<script>(self.__next_f=self.__next_f||[]).push([0]);self.__next_f.push([1,"1:{\\"image\\":\\"/a."]);'
        'self.__next_f.push([1,"jpg\\"}\\n2:{\\"image\\":\\"/b.jpg\\",\\"x\\":\\"/cu"])</script>'
    )
    assert urls(text) == {"/a.jpg", "/b.jpg"}


@pytest.mark.parametrize("text", ["1:T", "1:Tffffffff,", "1:[", ":" * 1000, "1:T0,", "\n" * 1000])
def test_a_stream_of_rubbish_is_passed_over(text: str) -> None:
    assert find(page(text, '\n2:{"image":"/a.jpg"}')).problems == ()

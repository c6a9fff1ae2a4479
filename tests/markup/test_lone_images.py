"""A row in which one value alone can name an image, by its plain URL, is read at once, and says what the long way says."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediamirror.markup.records import structured
from mediamirror.model import Extraction

NAMES = st.sampled_from(
    [
        *(
            "URL",
            "url",
            "image",
            "permalink",
            "TEXT",
            "caption",
            "id",
            "Width",
            "height",
            "mime",
            "srcset",
            "html",
            "src",
        ),
        *("image_name", "alt", "", "sizes", "data-srcset", "1", "a\\b"),
    ]
)
IMAGES = st.builds(
    "{}{}/{}{}".format,
    st.sampled_from(["https://", "http://", "HTTPS://", "//", ""]),
    st.sampled_from(
        ["a.example", "a.example:8080", "A.example", "1.2.3.4", "u:p@a.example", "github.com/x/blob", "é.example"]
    ),
    st.sampled_from(["", "../", "%41/", "File:", "a b/", "x,y/", "q;w/", "(a)/", "<b>/", "http://b.example/"]),
    st.sampled_from(["a.jpg", "a.JPG?w=1", "a.png#x", "a.jpg?sig=0123456789abcdef&amp;w=1", "a.html", "a", "a.jpg 2x"]),
)
TEXTS = st.sampled_from(
    [
        "two dogs",
        "1.5",
        "[a.b]",
        "a.jpg",
        "a < b",
        "a & b",
        "![x](y)",
        'say "so"',
        "\n",
        "\u2028é",
        "x/y",
        "",
        "{a.b}",
        "data:",
    ]
)
VALUES = st.one_of(
    IMAGES, TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.just([1]), st.just({"a": "b"})
)
ROWS = st.lists(st.tuples(NAMES, VALUES), max_size=4)


def spelled(row: list[tuple[str, object]], joint: str, ascii_: bool) -> str:
    members = (f"{json.dumps(name)}:{joint}{json.dumps(value, ensure_ascii=ascii_)}" for name, value in row)
    return f"{{{f',{joint}'.join(members)}}}"


@given(
    ROWS,
    st.sampled_from(["", " ", "\n  "]),
    st.booleans(),
    st.sampled_from(["", "\n", " ", ",", "{}", "\x00"]),
    st.booleans(),
    st.sampled_from([None, "https://base.example/x/"]),
)
@example([("URL", "https://a.example/a.jpg"), ("TEXT", "two dogs")], " ", False, "", True, None)
@example([("URL", "https://a.example/a.jpg"), ("URL", "https://a.example/b.jpg")], "", False, "", True, None)
@example([("URL", "https://a.example/a.jpg"), ("width", 5), ("height", 5)], "", False, "", True, None)
def test_a_row_is_read_at_once_as_step_by_step(
    row: list[tuple[str, object]], joint: str, ascii_: bool, tail: str, merge: bool, base: str | None
) -> None:
    data = (spelled(row, joint, ascii_) + tail).encode()

    def found() -> Extraction:
        return structured.find_json(data, document="rows:1", base_url=base, merge=merge)

    at_once = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structured, "lone_image", lambda _: None)
        assert at_once == found()


def test_most_rows_about_images_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structured, "collected", lambda *_, **__: pytest.fail("looked through"))
    row = {"URL": "https://a.example/1/a.jpg?w=640", "TEXT": "two dogs, at 5 p.m.", "score": 0.5, "tag": None}
    found = structured.find_json(json.dumps(row).encode(), document="rows:1", base_url=None)
    assert [(each.candidates[0].url, each.line) for each in found.sets] == [(row["URL"], 1)]

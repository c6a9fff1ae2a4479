from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediamirror.markup.page import html
from mediamirror.markup.page.lazy_values import repaired
from mediamirror.markup.standard.srcset import parse_srcset

UPLOAD = "https://res.example/upload/"


def read(value: str) -> list[tuple[str, int | float | None]]:
    return [(c.url, c.width or c.density) for c in repaired(value).candidates]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("/i/Review List-711.png 711w, ok.png 9w", [("/i/Review List-711.png", 711)]),
        ("test (1).jpg 320w", [("test (1).jpg", 320)]),
        ("a b.jpg 1x, c d.jpg 2x", [("a b.jpg", 1.0), ("c d.jpg", 2.0)]),
        ("a.png 320w. b.png 640w, c.png 960w", [("a.png", 320), ("b.png", 640)]),
        ("a.png 320w; b.png 640w", [("a.png", 320), ("b.png", 640)]),
        ("a.png 320w /b.png 640w", [("a.png", 320), ("/b.png", 640)]),
        ("a.png 320w.", [("a.png", 320)]),
        ("a.png 2x', b.png 3x\"", [("a.png", 2.0), ("b.png", 3.0)]),
        ("a.png 768W, b.png 2X", [("a.png", 768), ("b.png", 2.0)]),
        ("a.png 768px", [("a.png", 768)]),
        (f"{UPLOAD}c_scale, w_320, q_auto/v1/a.jpg 320w", [(f"{UPLOAD}c_scale,w_320,q_auto/v1/a.jpg", 320)]),
        (
            f"{UPLOAD}c_scale, w_3/a.jpg 3w, {UPLOAD}c_scale, w_4/a.jpg 4w",
            [(f"{UPLOAD}c_scale,w_3/a.jpg", 3), (f"{UPLOAD}c_scale,w_4/a.jpg", 4)],
        ),
    ],
)
def test_what_was_meant_is_found(value: str, found: list[tuple[str, int | float | None]]) -> None:
    assert read(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "a.jpg 1x, b.jpg 2x",
        "a.jpg 768, b.jpg",
        "a.jpg one two",
        "a.jpg b.jpg 1x",
        "https://x.example/a https://x.example/b.jpg 1x",
        f"{UPLOAD}c_scale,w_320/a.jpg 320w, b_c.jpg",
        "a.jpg, w_320, b.jpg",
        "a.jpg 0w, b c.jpg 0w",
        "",
    ],
)
def test_what_is_sound_or_means_nothing_is_left_alone(value: str) -> None:
    assert read(value) == []


def test_a_repair_is_flagged_said_and_never_selected_by_a_browser() -> None:
    page = b'<img srcset="a b.jpg 1x, c.jpg 2x" src="d.jpg">'
    (row,) = html.find(page, document="p", base_url="https://x.example/").sets
    assert [(c.url[-9:], c.flags, s.ignored) for s, c in row.entries] == [
        ("ple/c.jpg", (), None),
        ("ple/d.jpg", (), None),
        ("a%20b.jpg", ("repaired",), "repaired"),
    ]
    assert [p.code for p in row.problems] == ["unknown-descriptor", "repaired-srcset"]


def test_lazy_attributes_are_repaired_too() -> None:
    (row,) = html.find(b'<img data-srcset="a b.jpg 1x">', document="p", base_url="https://x.example/").sets
    assert [c.url for c in row.candidates] == ["https://x.example/a%20b.jpg"]


@given(st.text("ab.jpg 12wxWX,;'(/_\n", max_size=60))
@example("1px 1px")
def test_a_repair_only_adds_to_what_the_strict_parse_found_and_keeps_places_true(value: str) -> None:
    strict = {c.span for c in parse_srcset(value).candidates}
    for candidate in repaired(value).candidates:
        assert candidate.flags == ("repaired",)
        assert candidate.span not in strict
        spelled = value[slice(*candidate.span)]
        assert candidate.url in (spelled, ",".join(spelled.replace(",", " ").split()))

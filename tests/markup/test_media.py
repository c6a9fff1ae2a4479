from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.standard.media import matches_media

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "srcset" / "media.json").read_text("utf-8"))
VIEWPORT = (1000, 500)

operands = st.sampled_from(["(min-width: 0)", "(max-width: 0)", "(foo)"])
MEANING = {"(min-width: 0)": True, "(max-width: 0)": False, "(foo)": None}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_media_query_list(case: dict[str, Any]) -> None:
    assert matches_media(case["input"], viewport=VIEWPORT, dpr=2.0) is case["matches"]


@given(st.text(alphabet="()[]{}<>=:;,\"'\\/* andortscreenmi-wh0px1", max_size=60))
@settings(max_examples=300)
def test_any_text_is_answered(text: str) -> None:
    assert matches_media(text, viewport=VIEWPORT) in (True, False)


@given(st.lists(operands, min_size=1, max_size=5), st.booleans())
def test_and_is_the_weakest_operand(parts: list[str], negated: bool) -> None:
    meanings = [MEANING[part] for part in parts]
    truth = False if False in meanings else None if None in meanings else True
    query = f"not ({' and '.join(parts)})" if negated else " and ".join(parts)
    assert matches_media(query, viewport=VIEWPORT) is (truth is (not negated))


@given(st.lists(operands, min_size=1, max_size=5), st.booleans())
def test_or_is_the_strongest_operand(parts: list[str], negated: bool) -> None:
    meanings = [MEANING[part] for part in parts]
    truth = True if True in meanings else None if None in meanings else False
    query = f"not ({' or '.join(parts)})" if negated else " or ".join(parts)
    assert matches_media(query, viewport=VIEWPORT) is (truth is (not negated))


@given(st.integers(0, 4000), st.integers(0, 4000))
def test_every_spelling_of_a_range_agrees(width: int, bound: int) -> None:
    spellings = [
        f"(min-width: {bound}px)",
        f"(width >= {bound}px)",
        f"({bound}px <= width)",
        f"not (width < {bound}px)",
    ]
    assert {matches_media(query, viewport=(width, 500)) for query in spellings} == {width >= bound}


def test_a_viewport_without_height_is_wide() -> None:
    assert matches_media("(min-aspect-ratio: 1000/1)", viewport=(100, 0))


def test_the_pixel_ratio_is_known_by_its_prefixed_name_alone() -> None:
    assert matches_media("(-webkit-min-device-pixel-ratio: 1.5)", viewport=VIEWPORT, dpr=2.0)
    assert matches_media("(-webkit-device-pixel-ratio: 2)", viewport=VIEWPORT, dpr=2.0)
    assert not matches_media("(min-device-pixel-ratio: 1.5)", viewport=VIEWPORT, dpr=2.0)
    assert not matches_media("(device-pixel-ratio)", viewport=VIEWPORT, dpr=2.0)


UNKNOWN = ("prefers-reduced-data", "video-color-gamut", "nav-controls", "environment-blending")


@pytest.mark.parametrize("browser", ["common", "chromium", "firefox", "safari"])
@pytest.mark.parametrize("name", UNKNOWN)
def test_a_feature_that_no_browser_knows_is_false_and_so_is_its_not(name: str, browser: str) -> None:
    found = [matches_media(query, viewport=(1000, 700), browser=browser) for query in (f"({name})", f"not ({name})")]
    assert found == [False, False]


@pytest.mark.parametrize(
    ("query", "browsers"),
    [
        ("not (video-dynamic-range: high)", {"firefox"}),
        ("(device-posture: continuous)", {"chromium"}),
        ("not (inverted-colors)", {"common", "firefox", "safari"}),
        ("(-webkit-transform-3d)", {"common", "chromium", "firefox", "safari"}),
        ("(-webkit-transform-3d: 0)", set()),
    ],
)
def test_a_feature_that_one_browser_knows_matches_there_alone(query: str, browsers: set[str]) -> None:
    names = ("common", "chromium", "firefox", "safari")
    assert {name for name in names if matches_media(query, viewport=(1000, 700), browser=name)} == browsers

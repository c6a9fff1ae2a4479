from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import srcset as other
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mediamirror.markup.standard.media import matches_media
from mediamirror.markup.standard.sizes import evaluate_sizes, parse_sizes
from tests.growth import is_linear

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "srcset" / "sizes.json").read_text("utf-8"))
VIEWPORT = (1000, 500)

FRAGMENTS = [
    *" \n,,()[]{}<>=:;!\"'\\/*+-.",
    "10px",
    "5vw",
    "2em",
    "-3px",
    "0",
    "7",
    "50%",
    "1e3px",
    "auto",
    "calc(",
    "min(",
    "max(",
    "clamp(",
    "round(",
    "(min-width: 600px) ",
    "(max-width:600px)",
    "(foo) ",
    "not ",
    " and ",
    " or ",
    " + ",
    " - ",
    " * ",
    " / ",
    "(400px < width)",
    "screen ",
    "/**/",
    "\x0b",
    "\xa0",
    "\\70 x",
    "\r\n",
]
SIZES = [
    "10px",
    "-1px",
    "50vw",
    "3em",
    "0",
    "5",
    "5%",
    "auto",
    "min(5vw, 90px)",
    "max(-2px,1px + 4px)",
    "calc(9px - 1vw)",
]
SIZES += ["clamp(1px, 2vw, 9px)", "round(up, 7px, 2px)", "mod(7px, 4px)", "rem(-7px, 4px)", "abs(-1px)", "foo", "(1px)"]
TESTS = [
    "(min-width: 600px)",
    "(max-width:37.5em)",
    "(foo)",
    "(400px<width<=1000px)",
    "(height > 1px)",
    "(1 = 1)",
    "f(x)",
]
TESTS += [
    "(orientation: landscape)",
    "(min-aspect-ratio: 2/1)",
    "(resolution: 1x)",
    "(width)",
    "(min-width)",
    "([)",
    "(})",
]
operands = st.sampled_from(TESTS)
conditions = st.one_of(
    st.just(""),
    st.recursive(
        operands,
        lambda inner: (
            st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "not", ","]), inner)
            | st.builds("(not {})".format, inner)
        ),
        max_leaves=4,
    ),
    st.builds("{} {} {}".format, operands, st.sampled_from(["and", "or"]), operands),
    st.builds("not {}".format, operands),
)
entries = st.builds("{} {}".format, conditions, st.sampled_from(SIZES))
lists = st.lists(entries, max_size=4).map(", ".join)
values = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_branch_of_the_standard(case: dict[str, Any]) -> None:
    assert evaluate_sizes(case["input"], viewport=VIEWPORT) == pytest.approx(case["px"])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_problems_of_a_case(case: dict[str, Any]) -> None:
    problems = parse_sizes(case["input"]).problems if case["input"] is not None else ()
    assert [problem.code for problem in problems] == case["problems"]


@pytest.mark.parametrize(
    ("value", "img_sizes", "px"),
    [
        ("auto", None, 300),
        ("AUTO", None, 300),
        ("auto, 50px", None, 300),
        ("Auto,50px", None, 300),
        (" auto", None, 1000),
        ("auto ", None, 1000),
        ("auto , 50px", None, 50),
        ("50px, auto", None, 50),
        ("(min-width: 0) auto, 50px", None, 50),
        ("50px", "auto", 50),
        ("(min-width: 0) auto, 50px", "auto", 300),
        (" auto", "auto, 5px", 300),
        ("auto", "50px", 1000),
        ("auto", "", 1000),
    ],
)
def test_auto_is_the_layout_width_only_where_the_img_allows_it(value: str, img_sizes: str | None, px: float) -> None:
    assert evaluate_sizes(value, viewport=VIEWPORT, auto_width=300, img_sizes=img_sizes) == px


def test_entries_keep_what_was_written_and_where() -> None:
    value = "(max-width: 600px)\r\n 100vw ,\r\n(bad 1px, calc(1px)"
    parsed = parse_sizes("5%, " + value)
    assert [(entry.condition, entry.size) for entry in parsed.entries] == [("(max-width: 600px)", "100vw")]
    assert [("5%, " + value)[slice(*entry.span)] for entry in parsed.entries] == ["(max-width: 600px)\r\n 100vw"]
    assert [("5%, " + value)[slice(*(p.span or ()))] for p in parsed.problems][:2] == ["5%", "(bad 1px, calc(1px)"]


@given(values)
@settings(max_examples=300)
def test_any_text_gives_a_finite_width_and_spans_that_fit(value: str) -> None:
    px = evaluate_sizes(value, viewport=VIEWPORT, auto_width=10)
    assert math.isfinite(px)
    assert px >= 0
    parsed = parse_sizes(value)
    for entry in parsed.entries:
        assert value[slice(*entry.span)].endswith(entry.size)
    assert all(problem.span is not None and problem.span[1] <= len(value) for problem in parsed.problems)


@given(values)
@settings(max_examples=200)
def test_a_default_in_front_hides_the_rest(value: str) -> None:
    assert evaluate_sizes("3px, " + value, viewport=VIEWPORT) == 3


@given(values | lists)
@settings(max_examples=400)
def test_agrees_with_the_srcset_package(value: str) -> None:
    assume(not known_difference(value))
    theirs = other.parse_sizes(value, other.Environment(*map(float, VIEWPORT)))
    assert evaluate_sizes(value, viewport=VIEWPORT) == pytest.approx(theirs)


def known_difference(value: str) -> str:
    """The clause by which the package and the standard part ways on a value; empty where they should agree."""
    if "/" in value.replace("/**/", ""):
        return (
            "css-values-4, 10.9: a division by a length, and by zero, has a type and a value; the package refuses both"
        )
    if "*" in value.replace("/**/", ""):
        return "css-values-4, 10.9: a product of two lengths has a type; only as the result is it refused"
    return ""


@pytest.mark.parametrize(
    ("value", "ours", "theirs", "clause"),
    [
        ("calc(6px * 4px / 2px), 7px", 12, 7, "css-values-4, 10.9: types multiply"),
        ("calc(10px / 0), 7px", 1.7976931348623157e308, 7, "css-values-4, 10.9.1: infinity is clamped to the range"),
        ("calc(0px / 0), 7px", 0, 7, "css-values-4, 10.9.1: NaN becomes zero"),
        ("1e999px, 7px", 1.7976931348623157e308, 7, "css-syntax-3: a number out of range is clamped"),
        ("10cqw, 7px", 100, 7, "css-contain-3, 5: without a container, the small viewport"),
        ("calc(1px * cos(0)), 7px", 1, 7, "css-values-4, 10.4: trigonometric functions"),
        ("clamp(none, 5px, 9px), 7px", 5, 7, "css-values-4, 10.3: none for a bound"),
        ("(min-width: calc(0)) 5px, 7px", 7, 5, "css-values-4, 6: the unitless zero is a literal, not a result"),
        ("(hover) 5px, 7px", 5, 7, "mediaqueries-5, 6: interaction features"),
    ],
)
def test_known_difference_from_the_srcset_package(value: str, ours: float, theirs: float, clause: str) -> None:
    assert evaluate_sizes(value, viewport=VIEWPORT) == pytest.approx(ours), clause
    assert other.parse_sizes(value, other.Environment(*map(float, VIEWPORT))) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("value", "px"),
    [
        ("calc(" * 10_000 + "7px", 7),
        ("calc" + "(" * 10_000 + "7px", 7),
        ("(" * 10_000 + "min-width:0" + ")" * 10_000 + " 7px", 7),
        ("[" * 10_000 + "7px", 1000),
        ("9" * 5_000 + "px", 1.7976931348623157e308),
        ("0" * 5_000 + "7px", 7),
        ("." + "0" * 5_000 + "7px", 0),
    ],
    ids=["calc", "parentheses", "conditions", "brackets", "digits", "leading zeros", "trailing digits"],
)
def test_extremes_are_evaluated_like_anything_else(value: str, px: float) -> None:
    assert evaluate_sizes(value, viewport=VIEWPORT) == px


@pytest.mark.parametrize(
    "value", ["(" * 100_000 + "min-width:0" + ")" * 100_000 + " 7px", "(min-width:0) 7px, " * 100_000]
)
def test_what_is_longer_than_any_page_has_is_not_read_and_said(value: str) -> None:
    assert evaluate_sizes(value, viewport=VIEWPORT) == VIEWPORT[0]
    assert not matches_media(value, viewport=VIEWPORT)
    assert [problem.code for problem in parse_sizes(value).problems] == ["sizes-too-long"]


LONG: dict[str, Callable[[int], str]] = {
    "commas": lambda n: "," * n,
    "entries": lambda n: "(min-width: 5000px) 1px,\n" * (n // 20),
    "conditions": lambda n: "(min-width:0) and " * (n // 20),
    "terms": lambda n: "calc(" + "1px + " * (n // 6) + "1px)",
    "functions in features": lambda n: "(min-width: calc(" * (n // 17),
    "open blocks": lambda n: "([{" * (n // 3),
}


@pytest.mark.parametrize("build", LONG.values(), ids=LONG.keys())
def test_time_grows_with_the_length_and_no_faster(build: Callable[[int], str]) -> None:
    def work(value: str) -> None:
        evaluate_sizes(value, viewport=VIEWPORT)
        parse_sizes(value)

    assert is_linear(lambda n: work(build(n)), 2_000, 32_000)


@pytest.mark.parametrize(
    ("value", "browser", "px"),
    [
        ("auto, 480px", "common", 480),
        ("auto, 480px", "firefox", 480),
        ("auto, 480px", "chromium", 1000),
        ("calc((100vw)-(40px))", "common", 1000),
        ("calc((100vw)-(40px))", "chromium", 960),
        ("calc(100vw -(40px))", "common", 960),
        ("calc(100vw -40px)", "chromium", 1000),
    ],
)
def test_where_browsers_differ_the_named_one_is_followed(value: str, browser: str, px: float) -> None:
    assert evaluate_sizes(value, viewport=(1000, 700), browser=browser) == px

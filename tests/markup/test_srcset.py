from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import srcset as other
import srcset_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate
from tests.growth import is_linear

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "srcset" / "parse.json").read_text("utf-8"))

FRAGMENTS = [
    *"\t\n\f\r ,,,(()[]{}\"'\\/*-+.eEwxhWX09",
    "\x0b",
    "\x1c",
    "\x85",
    "\xa0",
    "\u3000",
    "\u0661",
    " 1w",
    " 2x",
    " 3h",
    " 0w",
    " -1x",
    " .5x",
    " 1e3x",
    " 1e999x",
    " 480w, ",
    "a.jpg",
    "data:,a",
    "https://x.example/w_1,h_2/a.jpg",
    "\U0001f600",
    "\ud800",
]
values = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join) | st.text(max_size=60)


def facts(candidate: Candidate | oracle.Parsed) -> tuple[Any, ...]:
    return (
        candidate.url,
        candidate.span,
        candidate.descriptor_span,
        candidate.width,
        candidate.density,
        candidate.height,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_branch_of_the_standard(case: dict[str, Any]) -> None:
    parsed = parse_srcset(case["input"])
    assert [facts(c) for c in parsed.candidates] == [
        (c["url"], tuple(c["span"]), tuple(c["descriptor_span"]), c.get("width"), c.get("density"), c.get("height"))
        for c in case["candidates"]
    ]
    assert [{"code": p.code, "text": case["input"][slice(*(p.span or ()))]} for p in parsed.problems] == case[
        "problems"
    ]


@given(values)
@settings(max_examples=400)
def test_agrees_with_a_step_by_step_reading_of_the_standard(value: str) -> None:
    parsed = parse_srcset(value)
    kept, dropped = oracle.parse(value)
    assert [facts(c) for c in parsed.candidates] == [facts(c) for c in kept]
    assert sum(problem.code != "stray-comma" for problem in parsed.problems) == dropped


@given(values)
def test_spans_give_back_what_was_written(value: str) -> None:
    parsed = parse_srcset(value)
    for candidate in parsed.candidates:
        assert value[slice(*candidate.span)] == candidate.url
        written = value[slice(*candidate.descriptor_span)]
        assert bool(written) == ((candidate.width, candidate.density, candidate.height) != (None, None, None))
        assert written == written.strip()
        assert written != "" or candidate.descriptor_span == (candidate.span[1], candidate.span[1])
    for problem in parsed.problems:
        assert problem.span is not None
        assert value[slice(*problem.span)] != ""


@given(values)
def test_spans_are_in_order_and_apart(value: str) -> None:
    parsed = parse_srcset(value)
    edges = [edge for c in parsed.candidates for edge in (*c.span, *c.descriptor_span)]
    assert edges == sorted(edges)


@given(values, values)
def test_parsing_is_local_when_a_separator_stands_between(first: str, second: str) -> None:
    # A parenthesis left open would swallow the second value, in both readings alike.
    if first.count("("):
        return
    joined = [c.url for c in parse_srcset(first + " , " + second).candidates]
    assert joined == [c.url for value in (first, second) for c in parse_srcset(value).candidates]


@given(values)
def test_a_rewritten_value_parses_to_the_same_candidates(value: str) -> None:
    parsed = parse_srcset(value).candidates
    pieces = [f"{c.url} {value[slice(*c.descriptor_span)]}".strip(" ") for c in parsed]
    again = parse_srcset(" , ".join(pieces)).candidates
    assert [facts(c)[3:] for c in again] == [facts(c)[3:] for c in parsed]
    assert [c.url for c in again] == [c.url for c in parsed]


def test_a_problem_says_what_and_why() -> None:
    (problem,) = parse_srcset("a.jpg 800W, b.jpg 1x").problems
    assert problem.message == (
        "Browsers drop the candidate `a.jpg` because `800W` is not a descriptor such as `480w` or `2x`."
    )


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_a_width_of_thousands_of_digits_never_raises(digits: int) -> None:
    parsed = parse_srcset("a " + "9" * digits + "w, b 1x")
    assert [c.url for c in parsed.candidates] == ["b"]
    assert [p.code for p in parsed.problems] == ["number-too-large"]


def test_thousands_of_leading_zeros_change_nothing() -> None:
    assert parse_srcset("a " + "0" * 10_000 + "7w").candidates[0].width == 7


def test_a_negative_zero_density_becomes_zero() -> None:
    (candidate,) = parse_srcset("a -0x").candidates
    assert str(candidate.density) == "0.0"


@given(values)
@settings(max_examples=300)
def test_agrees_with_the_srcset_package(value: str) -> None:
    theirs = [(c.url, c.width, c.density, c.height) for c in other.parse(value)]
    ours = [(c.url, c.width, c.density, c.height) for c in parse_srcset(value).candidates]
    assert ours == theirs


def test_known_difference_from_the_srcset_package_a_width_of_more_than_4300_digits() -> None:
    # Rules for parsing non-negative integers: no limit is named. The package keeps such a width, whose repr then
    # raises; here it is dropped with a problem.
    value = "a " + "9" * 4301 + "w"
    assert len(other.parse(value)) == 1
    assert parse_srcset(value).candidates == ()


LONG: dict[str, Callable[[int], str]] = {
    "commas": lambda n: "," * n,
    "candidates": lambda n: "https://x.example/a.jpg 480w, " * (n // 30),
    "bare urls": lambda n: "a, " * (n // 3),
    "one descriptor after another": lambda n: "a " * (n // 2),
    "open parentheses": lambda n: "a " + "(" * n,
    "pairs of parentheses": lambda n: "a " + "()" * (n // 2),
    "parentheses with commas": lambda n: "a (,), " * (n // 7),
    "digits": lambda n: "a " + "1" * n + "w",
    "digits of a density": lambda n: "a " + "1" * n + "." + "1" * n + "x",
    "dropped candidates": lambda n: "a b, " * (n // 5),
    "one url": lambda n: "a" * n,
    "a url of commas": lambda n: "a" + "," * n + "b",
    "spaces": lambda n: "a" + " " * n + "b",
}


@pytest.mark.parametrize("build", LONG.values(), ids=LONG.keys())
def test_time_grows_with_the_length_and_no_faster(build: Callable[[int], str]) -> None:
    assert is_linear(lambda n: parse_srcset(build(n)), 6_000, 96_000)

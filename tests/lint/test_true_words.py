"""Findings that are true of servers that negotiate, of names that are stored, and of files that have one name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from looking import BROWSER, options

from fixtures.defects import SITE, SOUND
from mediamirror.lint import Tolerance, VariantFacts, check_set, check_variant, choose_codes
from mediamirror.markup.extract import extract_document
from mediamirror.model import Download, Finding, ImageFacts, Look, Promise, Reference, Variant

WHEN = datetime(2026, 1, 5, tzinfo=UTC)
FACTS = ImageFacts("webp", 48, 32)
URL = f"{SITE}/a.png"


def served(url: str = URL, *, vary: str = "", kind: str = "image/webp") -> Download:
    headers = (("content-type", kind), *([("vary", vary)] if vary else []))
    return Download(url, url, 200, headers, None, WHEN)


def verified(html: str, facts: dict[str, VariantFacts], *codes: str) -> list[Finding]:
    (image_set,) = extract_document(html.encode(), document="p.html", base_url=f"{SITE}/").sets
    chosen = replace(options(SOUND), codes=choose_codes(codes))
    return list(check_set(image_set, facts, chosen, browser=BROWSER))


@pytest.mark.parametrize(("true_ending", "found"), [(False, ["MM303"]), (True, [])])
def test_mm303_judges_the_name_that_is_stored(true_ending: bool, found: list[str]) -> None:
    variant = Variant(URL, (Promise(48, None, Reference("p.html", "img", "src", 1)),))
    told = check_variant(variant, served(), FACTS, tolerance=Tolerance(1), true_ending=true_ending)  # type: ignore[arg-type]
    assert [finding.rule for finding in told] == found


@pytest.mark.parametrize(
    ("vary", "kind", "found"),
    [
        ("Accept", "image/webp", []),
        ("Origin, accept", "image/webp", []),
        ("", "image/webp", ["MM304"]),
        ("Origin", "image/webp", ["MM304"]),
        ("Accept", "image/png", ["MM304"]),
    ],
)
def test_a_typed_source_of_an_origin_that_negotiates_and_labels_truly_is_no_lie(
    vary: str, kind: str, found: list[str]
) -> None:
    html = '<picture><source type="image/png" srcset="/a.png"><img src="/a.png" alt=""></picture>'
    facts = {URL: VariantFacts(FACTS, served(vary=vary, kind=kind))}
    assert [finding.rule for finding in verified(html, facts, "MM304")] == found


def test_what_is_stored_is_served_without_negotiation_so_its_type_is_a_promise() -> None:
    variant = Variant(URL, (Promise(None, "image/png", Reference("p.html", "source", "srcset", 1)),))
    told = check_variant(variant, served(vary="Accept"), FACTS, tolerance=Tolerance(1), true_ending=True)  # type: ignore[arg-type]
    assert [finding.rule for finding in told] == ["MM304"]


RED, BLUE = Look(bytes((200, 0, 0)) * 1024), Look(bytes((0, 0, 200)) * 1024)


@pytest.mark.parametrize(("rows", "found"), [(5, []), (32, ["MM311"])])
def test_a_file_of_a_few_rows_is_too_small_to_be_told_another_picture(rows: int, found: list[str]) -> None:
    html = '<img alt="" srcset="/a.png 32w, /b.png 640w" sizes="10px">'
    facts = {
        URL: VariantFacts(ImageFacts("png", 32, rows), look=RED),
        f"{SITE}/b.png": VariantFacts(ImageFacts("png", 640, 20 * rows), look=BLUE),
    }
    assert [finding.rule for finding in verified(html, facts, "MM311")] == found


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("/320/a.png 320w", "/640/a.png 640w", ("a.png (320w)", "a.png (640w)")),
        ("/x/a.png 1x", "/y/a.png 1x", ("a.png (x)", "a.png (y)")),
        ("/a.png?w=1&v=3 1x", "/a.png?w=2&v=3 1x", ("a.png (w=1)", "a.png (w=2)")),
        ("/a.png 1x", "/b.png 2x", ("a.png", "b.png")),
    ],
)
def test_two_files_of_one_name_are_told_apart(first: str, second: str, names: tuple[str, str]) -> None:
    html = f'<picture><source srcset="{first}"><source srcset="{second}"><img src="{second.split(maxsplit=1)[0]}" alt=""></picture>'
    urls = [SITE + each.split()[0] for each in (first, second)]
    facts = {
        urls[0]: VariantFacts(ImageFacts("png", 320, 320, frames=1), look=RED),
        urls[1]: VariantFacts(ImageFacts("png", 640, 640, frames=9), look=BLUE),
    }
    told = {finding.rule: finding.message for finding in verified(html, facts, "MM311", "MM313")}
    assert told["MM311"] == f"{names[0]} shows a different image than {names[1]}."
    assert told["MM313"].split(" is ")[0] in names

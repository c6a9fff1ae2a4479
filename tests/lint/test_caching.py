"""What is made of the spellings in which origins allow and forbid caches to keep an image."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mediamirror.jobs.verify.job import StandardBrowser
from mediamirror.lint import VariantFacts, check_set, choose_codes, lint_options
from mediamirror.markup.extract import extract
from mediamirror.model import Download, Finding, ImageFacts

URL = "https://site.example/a.jpg"
WHEN = datetime(2026, 1, 5, tzinfo=UTC)
PAST, FUTURE = "Thu, 19 Nov 1981 08:52:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"


def findings(*headers: tuple[str, str]) -> list[Finding]:
    download = Download(URL, URL, 200, (("content-type", "image/jpeg"), *headers), None, WHEN)
    known = VariantFacts(ImageFacts("jpeg", 8, 8), download, 100)
    (image_set,) = extract(b'<img src="/a.jpg" alt="">', media_type="text/html", base_url=URL, document="p")
    rules = lint_options(codes=choose_codes(["MM205", "MM206"]))
    return list(check_set(image_set, {URL: known}, rules, browser=StandardBrowser()))


def control(value: str) -> tuple[str, str]:
    return ("cache-control", value)


@pytest.mark.parametrize(
    "headers",
    [
        [control("max-age=60")],
        [control("private, max-age=3600")],
        [control("public"), control("max-age=600")],
        [control("MAX-AGE = 60")],
        [control('max-age="60"')],
        [control("public, max-age=0, s-maxage=600")],
        [control("s-maxage=600")],
        [control('max-age=60, private="set-cookie", no-cache="set-cookie"')],
        [control('max-age=60, ext="no-store, no-cache, max-age=0"')],
        [control("max-age=60, no-storecast")],
        [control("max-age=086400, stale-while-revalidate=0")],
        [("expires", FUTURE)],
        [("expires", PAST), control("max-age=600")],
        [("expires", FUTURE), control("public")],
        [("pragma", "no-cache"), control("max-age=600")],
    ],
)
def test_a_lifetime_is_enough(headers: list[tuple[str, str]]) -> None:
    assert findings(*headers) == []


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("etag", '"a"'), ("last-modified", PAST)],
        [control("")],
        [control("public")],
        [control("private, must-revalidate")],
        [control("immutable")],
        [control("max-age=abc")],
        [control("max-age")],
    ],
)
def test_where_no_lifetime_is_given_it_is_told_once(headers: list[tuple[str, str]]) -> None:
    assert [finding.rule for finding in findings(*headers)] == ["MM205"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([control("no-store")], "no-store"),
        ([control("No-Store, s-maxage=600")], "No-Store, s-maxage=600"),
        ([control("public"), control("no-store")], "public, no-store"),
        ([control("no-cache")], "no-cache"),
        ([control("no-cache, max-age=600")], "no-cache, max-age=600"),
        ([control("public, max-age=0, must-revalidate")], "public, max-age=0, must-revalidate"),
        ([control('max-age="0"')], 'max-age="0"'),
        ([control("max-age=-1")], "max-age=-1"),
        ([control("max-age=0, s-maxage=0")], "max-age=0, s-maxage=0"),
        ([control("max-age=0, max-age=600")], "max-age=0, max-age=600"),
        ([("expires", "0")], "0"),
        ([("expires", "-1")], "-1"),
        ([("expires", PAST)], PAST),
        ([("expires", FUTURE), ("date", FUTURE)], FUTURE),
        ([("expires", PAST), control("public")], PAST),
        ([("pragma", "no-cache")], "no-cache"),
        ([("expires", PAST), control("no-store, no-cache"), ("pragma", "no-cache")], "no-store, no-cache"),
    ],
)
def test_what_forbids_to_keep_it_is_told_once_with_the_header(headers: list[tuple[str, str]], told: str) -> None:
    assert [(finding.rule, finding.actual) for finding in findings(*headers)] == [("MM206", told)]

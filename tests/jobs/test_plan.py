"""The decisions of the mirror job: one row of a truth table, one case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mediamirror.catalog.work import KnownFetch, WorkItem
from mediamirror.errors import UsageError
from mediamirror.jobs.mirror.plan import (
    Conditional,
    Fresh,
    Full,
    Situation,
    Verdict,
    Widths,
    check_rungs,
    decide_ask,
    judge,
    recorded_download,
    told_nothing,
    told_widths,
    wanted_urls,
)
from mediamirror.jobs.run.tally import exit_code
from mediamirror.model import Candidate, Download, ImageFacts, ImageSet, Source, Variant
from mediamirror.settings import SelectOptions

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FACTS = ImageFacts("webp", 480, 270, decoded=True)
FETCH = KnownFetch(
    NOW - timedelta(hours=1), "https://a/x.webp", 200, (("etag", '"1"'),), '"1"', None, "ab" * 32, 10, FACTS
)


def image_set(*specs: tuple[str, int | None, float | None]) -> ImageSet:
    candidates = tuple(Candidate(f"https://a/{url}", (0, 1), width, density) for url, width, density in specs)
    return ImageSet("d", 1, (Source("img", candidates),))


LADDER = image_set(("480", 480, None), ("768", 768, None), ("1280", 1280, None), ("bare", None, None))


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        ("all", {"480", "768", "1280", "bare"}),
        ("largest", {"1280"}),
        ("480,1280", {"480", "1280"}),
        ("480, 768", {"480", "768"}),
        ("1000", set()),
    ],
)
def test_rungs_choose_by_width_descriptor(rungs: str, expected: set[str]) -> None:
    assert wanted_urls(LADDER, SelectOptions(rungs=rungs)) == {f"https://a/{name}" for name in expected}


def test_largest_falls_back_to_density_where_no_width_is_declared() -> None:
    densities = image_set(("one", None, None), ("two", None, 2.0))
    assert wanted_urls(densities, SelectOptions(rungs="largest")) == {"https://a/two"}


def test_largest_keeps_every_bare_candidate_of_a_set_without_descriptors() -> None:
    assert wanted_urls(image_set(("a", None, None)), SelectOptions(rungs="largest")) == {"https://a/a"}


def test_min_width_leaves_narrower_descriptors_and_keeps_unknown_ones() -> None:
    kept = wanted_urls(LADDER, SelectOptions(min_width=768))
    assert kept == {"https://a/768", "https://a/1280", "https://a/bare"}


def test_a_plain_src_is_as_wide_as_the_descriptor_of_the_same_url_says() -> None:
    ladder = image_set(("480", 480, None), ("1280", 1280, None), ("480", None, None))
    assert wanted_urls(ladder, SelectOptions(min_width=768)) == {"https://a/1280"}


def test_where_the_options_left_out_everything_each_of_them_is_named() -> None:
    options = SelectOptions(rungs="99", min_width=640, include=("*.jpg",), exclude=("*/x/*",))
    assert told_nothing(options, 3) == (
        "Nothing was stored: all 3 variants are left out by --include *.jpg and --exclude */x/* and --rungs 99 and --min-width 640."
    )
    assert (
        told_nothing(SelectOptions(rungs="99"), 1) == "Nothing was stored: the only variant is left out by --rungs 99."
    )


def named(*names: str, inferred: bool = True) -> ImageSet:
    return replace(image_set(*((name, None, None) for name in names)), inferred=inferred)


@pytest.mark.parametrize(
    ("found", "options", "expected"),
    [
        (named("p_480.webp", "p_960.webp"), SelectOptions(rungs="largest"), {"p_960.webp"}),
        (named("p_480.webp", "p_960.webp"), SelectOptions(rungs="480"), {"p_480.webp"}),
        (named("p_480.webp", "p_960.webp"), SelectOptions(min_width=600), {"p_960.webp"}),
        (named("p-300x200.jpg", "p-600x400.jpg", "p.jpg"), SelectOptions(rungs="largest"), {"p-600x400.jpg", "p.jpg"}),
        (named("p-300x200.jpg", "p-600x400.jpg", "p.jpg"), SelectOptions(min_width=400), {"p-600x400.jpg", "p.jpg"}),
        (named("p-300x200.jpg", "p-600x400.jpg", "p.jpg"), SelectOptions(rungs="300"), {"p-300x200.jpg"}),
        (named("i/1/p.jpg?w=320", "i/1/p.jpg?w=640"), SelectOptions(rungs="largest"), {"i/1/p.jpg?w=640"}),
        (named("p-320w.jpg", inferred=False), SelectOptions(min_width=400), set()),
        (named("p_320.jpg", inferred=False), SelectOptions(min_width=400), {"p_320.jpg"}),
    ],
)
def test_where_a_set_has_no_descriptor_the_addresses_tell_the_widths(
    found: ImageSet, options: SelectOptions, expected: set[str]
) -> None:
    assert wanted_urls(found, options) == {f"https://a/{name}" for name in expected}


def test_a_descriptor_beats_what_an_address_says() -> None:
    found = image_set(("p_2000.webp", 480, None), ("p_480.webp", 960, None))
    assert wanted_urls(found, SelectOptions(rungs="largest")) == {"https://a/p_480.webp"}


def test_it_is_told_once_what_widths_were_taken_from() -> None:
    counts = {Widths.DECLARED: 7, Widths.NAMED: 1, Widths.UNKNOWN: 1200}
    assert list(told_widths(counts, SelectOptions(rungs="largest", min_width=640))) == [
        "1 image set has no descriptors: --rungs largest and --min-width 640 used the widths in the URLs.",
        "1,200 image sets have no width, in a descriptor or in a URL: --rungs largest takes every image, "
        "and --min-width 640 uses the real width.",
    ]
    assert "--rungs 480 leaves its images out" in list(told_widths(counts, SelectOptions(rungs="480")))[1]
    assert list(told_widths({Widths.DECLARED: 7}, SelectOptions(rungs="largest"))) == []


def test_include_and_exclude_are_globs_on_the_url() -> None:
    assert wanted_urls(LADDER, SelectOptions(include=("*/1*",))) == {"https://a/1280"}
    assert wanted_urls(LADDER, SelectOptions(exclude=("*80",))) == {"https://a/768", "https://a/bare"}


@pytest.mark.parametrize("rungs", ["", "big", "480;1280", "-480", "٤٨٠"])
def test_a_rung_that_is_none_is_a_usage_error(rungs: str) -> None:
    with pytest.raises(UsageError, match="--rungs"):
        check_rungs(rungs)


@pytest.mark.parametrize(
    ("fetch", "in_store", "not_published", "decode", "fresh_for", "expected"),
    [
        (None, False, False, True, 0, Full("never fetched")),
        (replace(FETCH, facts=None), True, False, True, 0, Full("was not a valid image")),
        (
            replace(FETCH, facts=replace(FACTS, decoded=False)),
            True,
            False,
            True,
            0,
            Full("only its header was checked"),
        ),
        (FETCH, False, False, True, 9999, Full("not in the store")),
        (FETCH, True, False, True, 7200, Fresh()),
        (FETCH, True, False, True, 3600, Conditional('"1"', None)),
        (FETCH, True, False, True, 0, Conditional('"1"', None)),
        (FETCH, False, True, True, 0, Conditional('"1"', None)),
        (replace(FETCH, etag=None), True, False, True, 0, Full("the origin gives no validator")),
        (replace(FETCH, facts=replace(FACTS, decoded=False)), True, False, False, 0, Conditional('"1"', None)),
        (replace(FETCH, fetched_at=NOW + timedelta(days=1)), True, False, True, 60, Conditional('"1"', None)),
        (replace(FETCH, fetched_at=NOW + timedelta(seconds=1)), True, False, True, 0, Conditional('"1"', None)),
        (replace(FETCH, fetched_at=NOW), True, False, True, 60, Fresh()),
    ],
)
def test_what_is_asked_of_the_origin(fetch, in_store, not_published, decode, fresh_for, expected) -> None:
    situation = Situation(fetch, in_store, not_published, decode)
    assert decide_ask(situation, now=NOW, fresh_for=fresh_for) == expected


@pytest.mark.parametrize(
    ("fetch", "in_store", "expected"),
    [
        (FETCH, True, Fresh()),
        (replace(FETCH, etag=None), True, Fresh()),
        (replace(FETCH, fetched_at=NOW - timedelta(hours=11.9)), True, Fresh()),
        (replace(FETCH, fetched_at=NOW - timedelta(hours=12.1)), True, Conditional('"1"', None)),
        (FETCH, False, Full("not in the store")),
        (replace(FETCH, facts=None), True, Full("was not a valid image")),
        (None, False, Full("never fetched")),
    ],
)
@pytest.mark.parametrize("fresh_for", [0, 3600])
def test_what_the_unfinished_run_asked_for_is_not_asked_for_again_for_half_a_day(
    fetch: KnownFetch | None, in_store: bool, expected: object, fresh_for: float
) -> None:
    situation = Situation(fetch, in_store, not_published=False, decode=True, goes_on=True)
    assert decide_ask(situation, now=NOW, fresh_for=fresh_for) == expected


def test_a_304_renews_the_recorded_headers() -> None:
    item = WorkItem(1, Variant("https://a/x.webp"), FETCH)
    old = replace(FETCH, headers=(("content-type", "image/webp"), ("etag", '"1"'), ("x", "kept")))
    answer = Download("https://a/x.webp", "https://a/x.webp", 304, (("etag", '"2"'),), None, NOW)
    renewed = recorded_download(item, old, answer)
    assert renewed.headers == (("content-type", "image/webp"), ("x", "kept"), ("etag", '"2"'))
    assert renewed.fetched_at == NOW


@pytest.mark.parametrize(
    ("facts", "rejected", "keep", "min_width", "declared", "verdict"),
    [
        (None, True, True, None, True, Verdict.REJECT),
        (FACTS, True, False, None, True, Verdict.REJECT),
        (FACTS, True, True, None, True, Verdict.PUBLISH),
        (FACTS, False, False, None, True, Verdict.PUBLISH),
        (FACTS, False, False, 640, False, Verdict.TOO_SMALL),
        (FACTS, False, False, 640, True, Verdict.PUBLISH),
        (FACTS, False, False, 480, False, Verdict.PUBLISH),
    ],
)
def test_what_is_done_with_the_bytes(facts, rejected, keep, min_width, declared, verdict) -> None:
    judged = judge(facts, rejected=rejected, keep_rejected=keep, min_width=min_width, declared=declared)
    assert judged is verdict


@pytest.mark.parametrize(
    ("statuses", "findings", "fail_on", "failed_inputs", "code"),
    [
        ({"stored": 3}, {}, "error", 0, 0),
        ({"failed": 1}, {}, "never", 0, 1),
        ({"rejected": 1}, {}, "error", 0, 1),
        ({"stored": 1}, {"warning": 1}, "error", 0, 0),
        ({"stored": 1}, {"warning": 1}, "warning", 0, 1),
        ({"stored": 1}, {"error": 1}, "error", 0, 1),
        ({"stored": 1}, {"error": 1}, "never", 0, 0),
        ({"stored": 1}, {"note": 1}, "warning", 0, 0),
        ({"stored": 1}, {}, "error", 1, 1),
        ({}, {}, "error", 0, 0),
    ],
)
def test_the_exit_code(statuses, findings, fail_on, failed_inputs, code) -> None:
    assert exit_code(statuses, findings, fail_on=fail_on, failed_inputs=failed_inputs) == code

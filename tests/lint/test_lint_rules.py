"""The first rules, each on one variant with real facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mediamirror.errors import (
    ImageError,
    ImageOverBudget,
    ImageTruncated,
    ImageUndecodable,
    NotAnImage,
    UsageError,
)
from mediamirror.lint import all_rules, check_variant, get_rule, parse_tolerance, rejects
from mediamirror.lint.subject import Subject
from mediamirror.lint.variant import browsers_differ
from mediamirror.model import Download, Finding, ImageFacts, Promise, Reference, Severity, Variant

URL = "https://h.example/a/photo.webp"
FACTS = ImageFacts("webp", 480, 320, decoded=True, orientation=1)


def place(line: int = 1) -> Reference:
    return Reference("page.html", "img", "srcset", line)


def check(
    result: ImageFacts | ImageError = FACTS,
    *promises: Promise,
    url: str = URL,
    content_type: str | None = "image/webp",
    tolerance: str = "1px",
    known_widths: tuple[int, ...] = (),
) -> tuple[Finding, ...]:
    headers = (("content-type", content_type),) if content_type is not None else ()
    download = Download(url, url, 200, headers, None, datetime(2025, 12, 8, tzinfo=UTC))
    variant = Variant(url, promises or (Promise(None, None, place()),))
    return check_variant(variant, download, result, tolerance=parse_tolerance(tolerance), known_widths=known_widths)


def width(declared: int | None, line: int = 1) -> Promise:
    return Promise(declared, None, place(line))


def typed(mime: str, line: int = 1) -> Promise:
    return Promise(None, mime, place(line))


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in findings]


def test_a_sound_variant_has_no_findings() -> None:
    assert check(FACTS, Promise(480, "image/webp", place())) == ()


def test_a_width_that_is_not_the_declared_one_is_told_with_both_values_and_the_place() -> None:
    (finding,) = check(FACTS, width(768, line=7))
    assert finding == Finding(
        "MM301",
        Severity.ERROR,
        "Declared 768w, but the image is 480 pixels wide.",
        URL,
        place(7),
        "768",
        "480",
    )


@pytest.mark.parametrize(
    ("tolerance", "declared", "found"),
    [
        ("1px", 481, []),
        ("1px", 479, []),
        ("1px", 482, ["MM301"]),
        ("0px", 481, ["MM301"]),
        ("1%", 484, []),
        ("1%", 485, ["MM301"]),
        ("0.5%", 482, []),
        ("0.5%", 483, ["MM301"]),
        ("100%", 9999, []),
    ],
)
def test_the_tolerance_counts_pixels_or_percent_of_the_declared_width(
    tolerance: str, declared: int, found: list[str]
) -> None:
    assert codes(check(FACTS, width(declared), tolerance=tolerance)) == found


def test_each_promise_that_is_broken_has_its_finding() -> None:
    findings = check(FACTS, width(480, 1), width(768, 2), width(1280, 3), width(768, 2))
    assert [(f.declared, f.reference and f.reference.line) for f in findings] == [("768", 2), ("1280", 3)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_turned_by_its_orientation_may_be_declared_either_way(orientation: int) -> None:
    facts = ImageFacts("png", 480, 320, orientation=orientation)
    told = {declared: [f.rule for f in check(facts, width(declared)) if f.rule == "MM301"] for declared in (480, 320)}
    assert told == {480: [], 320: [] if orientation >= 5 else ["MM301"]}


def test_a_turned_picture_of_another_width_is_told_with_both_of_its_widths() -> None:
    facts = replace(FACTS, orientation=6)
    told = {
        "jpeg": "turned by its EXIF orientation",
        "png": "turned by its EXIF orientation (not in Safari)",
        "avif": "turned by its irot and imir properties",
    }
    for format, why in told.items():
        (finding,) = (f for f in check(replace(facts, format=format), width(768)) if f.rule == "MM301")
        assert finding.message == f"Declared 768w, but the image is 480 pixels wide (320 as shown, {why})."


def test_a_picture_that_browsers_take_for_another_size_is_measured_by_that() -> None:
    jpeg = ImageFacts("jpeg", 640, 480, corrected=(320, 240))
    assert [f for f in check(jpeg, width(320)) if f.rule == "MM301"] == []
    (finding,) = (f for f in check(jpeg, width(640)) if f.rule == "MM301")
    assert (
        finding.message
        == "Declared 640w, but the image is 640 pixels wide (320 as shown, by the resolution in its EXIF)."
    )
    (finding,) = (f for f in check(replace(jpeg, format="avif"), width(640)) if f.rule == "MM301")
    assert "cut to its clean aperture (in Chromium; Firefox shows nothing)" in finding.message


@pytest.mark.parametrize(
    ("format", "firefox", "told"),
    [
        ("gif", (64, 48, 1), "Firefox shows 64 x 48"),
        ("jpeg", (480, 640, 6), "Firefox, which reads its EXIF in another way, shows 480 x 640 with orientation 6"),
        ("avif", (0, 0, 1), "Firefox shows nothing of it"),
    ],
)
def test_what_firefox_shows_otherwise_is_a_note(format: str, firefox: tuple[int, int, int], told: str) -> None:
    facts = ImageFacts(format, 640, 480, orientation=1, in_firefox=firefox)
    download = Download(URL, URL, 200, (), None, datetime(2025, 12, 8, tzinfo=UTC))
    variant = Variant(URL, (Promise(None, None, place()),))
    (finding,) = browsers_differ(Subject(variant, download, facts, parse_tolerance("1px"), frozenset()))
    assert finding.message == f"Chromium shows 640 x 480; {told}."


@pytest.mark.parametrize("name", ["a-sm-___webp_640.webp", "a-640x400.webp", "a-640w.webp", "a_w640.webp"])
def test_a_width_that_is_not_the_one_in_the_name_is_an_error_even_without_descriptor(name: str) -> None:
    (finding,) = check(url=f"https://h.example/{name}")
    assert (finding.rule, finding.declared, finding.actual, finding.severity) == ("MM302", "640", "480", "error")


def test_name_and_descriptor_are_two_promises() -> None:
    assert codes(check(FACTS, width(640), url="https://h.example/a_640.webp")) == ["MM301", "MM302"]


def test_a_bare_number_in_the_name_counts_when_a_sibling_declares_it() -> None:
    swapped = "https://h.example/a_768.webp"
    assert codes(check(FACTS, width(480), url=swapped)) == []
    assert codes(check(FACTS, width(480), url=swapped, known_widths=(480, 768))) == ["MM302"]


def test_a_year_in_the_name_is_no_width() -> None:
    assert check(FACTS, width(480), url="https://h.example/photo-2024.webp", known_widths=(480, 768)) == ()


@pytest.mark.parametrize(
    ("name", "format", "found"),
    [
        ("a.jpg", "webp", ["MM303"]),
        ("a.jpg.webp", "webp", []),
        ("a.webp.jpg", "webp", ["MM303"]),
        ("a.jpg", "jpeg", []),
        ("a.JPEG", "jpeg", []),
        ("a.jpe", "jpeg", []),
        ("a.jfif", "jpeg", []),
        ("a.apng", "png", []),
        ("a.svg", "png", ["MM303"]),
        ("a.php", "webp", []),
        ("a", "webp", []),
        ("a.jpg?format=webp", "webp", ["MM303"]),
        ("a?b=c.jpg", "webp", []),
    ],
)
def test_the_last_image_extension_is_a_promise(name: str, format: str, found: list[str]) -> None:
    facts = ImageFacts(format, 480, 320)
    assert codes(check(facts, url=f"https://h.example/{name}", content_type=f"image/{format}")) == found


@pytest.mark.parametrize(
    ("content_type", "format", "found"),
    [
        ("image/webp", "webp", []),
        ("Image/WebP; charset=utf-8", "webp", []),
        ("image/jpg", "jpeg", []),
        ("image/pjpeg", "jpeg", []),
        ("image/jpeg", "webp", ["MM201"]),
        ("text/html", "webp", ["MM201"]),
        ("image/svg+xml", "webp", ["MM201"]),
        ("application/octet-stream", "webp", ["MM202"]),
        ("binary/octet-stream", "webp", ["MM202"]),
        (None, "webp", ["MM202"]),
        ("", "webp", ["MM202"]),
    ],
)
def test_the_content_type_is_a_promise_unless_it_says_nothing(
    content_type: str | None, format: str, found: list[str]
) -> None:
    assert codes(check(ImageFacts(format, 1, 1), url="https://h.example/a", content_type=content_type)) == found


@pytest.mark.parametrize(
    ("mime", "found"),
    [("image/webp", []), ("image/webp; x=y", []), ("image/avif", ["MM304"]), ("webp", ["MM304"]), ("", []), (" ", [])],
)
def test_the_type_of_a_source_is_a_promise(mime: str, found: list[str]) -> None:
    assert codes(check(FACTS, typed(mime))) == found


def test_each_source_of_another_type_has_its_finding() -> None:
    findings = check(FACTS, typed("image/webp", 1), typed("image/avif", 2), typed("image/png", 3))
    assert [(f.declared, f.actual, f.reference and f.reference.line) for f in findings] == [
        ("image/avif", "image/webp", 2),
        ("image/png", "image/webp", 3),
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImageTruncated("cut."), "MM305"),
        (ImageUndecodable("bad."), "MM306"),
        (ImageError("other."), "MM306"),
        (NotAnImage("a page."), "MM307"),
        (ImageOverBudget("big."), "MM308"),
    ],
)
def test_an_image_error_is_one_finding_that_rejects(error: ImageError, code: str) -> None:
    findings = check(
        error, width(768), typed("image/avif"), url="https://h.example/a_640w.jpg", content_type="text/html"
    )
    assert codes(findings) == [code]
    assert findings[0].message == error.message
    assert rejects(findings[0])


def test_only_lies_about_pixels_and_unsound_bytes_reject() -> None:
    assert [rule.code for rule in all_rules() if rule.rejects] == [
        "MM301", "MM302", "MM305", "MM306", "MM307", "MM308",
    ]  # fmt: skip


def test_what_rejects_is_an_error() -> None:
    assert {rule.severity for rule in all_rules() if rule.rejects} == {Severity.ERROR}


def test_every_rule_says_what_why_and_what_to_do() -> None:
    for rule in all_rules():
        assert all(
            text.endswith(".") and len(text) > 20 for text in (rule.words.summary, rule.words.why, rule.words.fix)
        ), rule.code


def test_codes_and_names_of_rules_are_distinct_and_sorted() -> None:
    rules = all_rules()
    assert [rule.code for rule in rules] == sorted({rule.code for rule in rules})
    assert len({rule.name for rule in rules}) == len(rules)


@pytest.mark.parametrize("asked", ["MM301", "mm301", " MM301 ", "width-differs-from-descriptor"])
def test_a_rule_is_found_by_code_or_name(asked: str) -> None:
    assert get_rule(asked).code == "MM301"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("MM31x", r"did you mean MM31\d \("),
        ("truncate", r"did you mean MM305 \(truncated\)"),
        ("zzz", "mediamirror rules"),
    ],
)
def test_an_unknown_rule_is_answered_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        get_rule(asked)


@pytest.mark.parametrize("text", ["1px", " 1PX ", "0px", "1%", "0.5%", "2.5px", "100%"])
def test_a_tolerance_is_pixels_or_percent(text: str) -> None:
    assert str(parse_tolerance(text)) == text.strip().lower()


@pytest.mark.parametrize("text", ["", "1", "px", "-1px", "1 px", "1e3px", "nan%", "101%", "١px", "1px2", ".5%"])
def test_anything_else_is_no_tolerance(text: str) -> None:
    with pytest.raises(UsageError, match="write"):
        parse_tolerance(text)

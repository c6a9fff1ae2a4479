"""When a number in a file's name is a promise: every manner of image CDN, on every carrier, honest and lying."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape

import pytest

from fixtures.dialects import SHAPES, address
from mediamirror.jobs.verify.job import StandardBrowser
from mediamirror.lint import VariantFacts, check_set, choose_codes, lint_options
from mediamirror.markup.extract import extract_document
from mediamirror.model import Download, ImageFacts, ImageSet

WIDTHS = (320, 640, 1280)
WHEN = datetime(2026, 1, 5, tzinfo=UTC)


def srcset(shape: str) -> str:
    return ", ".join(f"{address(shape, width)} {width}w" for width in WIDTHS)


CARRIERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "img": lambda s: ("page.html", f'<img alt="" srcset="{escape(srcset(s))}" src="{escape(address(s, 640))}">'),
    "source": lambda s: (
        "page.html",
        f'<picture><source srcset="{escape(srcset(s))}"><img alt="" src="{escape(address(s, 640))}"></picture>',
    ),
    "json": lambda s: ("state.json", json.dumps({"cover": {"srcset": srcset(s), "alt": "a boat"}})),
    "script": lambda s: (
        "page.html",
        f'<script type="application/json">{json.dumps({"cover": {"srcset": srcset(s)}})}</script>',
    ),
    "markdown": lambda s: ("post.md", f'Words.\n\n<img alt="" srcset="{escape(srcset(s))}">\n'),
    "text": lambda s: ("dump.txt", f"date 2025-12-08 news.by {srcset(s)}, words\n"),
}


def read(carrier: str, shape: str) -> ImageSet:
    name, text = CARRIERS[carrier](shape)
    (image_set,) = extract_document(text.encode(), document=name, base_url="https://site.test/").sets
    return image_set


def served(image_set: ImageSet, widths: dict[str, int]) -> list[tuple[str, str]]:
    """The findings that matter (no notes) when each address is answered with a picture of that width."""
    facts = {
        url: VariantFacts(
            ImageFacts("png", width, round(width * 2 / 3)),
            Download(url, url, 200, (("content-type", "image/png"), ("vary", "Accept")), None, WHEN),
            1_000,
        )
        for url, width in widths.items()
    }
    options = lint_options(codes=choose_codes(["MM30"]))
    found = check_set(image_set, facts, options, browser=StandardBrowser())
    return [(finding.rule, finding.url) for finding in found if finding.severity != "note"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_honest_server_is_not_accused(carrier: str, shape: str) -> None:
    honest = {address(shape, width): width for width in WIDTHS}
    image_set = read(carrier, shape)
    assert {candidate.url for candidate in image_set.candidates} == set(honest)
    assert served(image_set, honest) == []


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_lie_is_caught_and_nothing_else(carrier: str, shape: str) -> None:
    lying = {address(shape, width): width for width in WIDTHS} | {address(shape, 640): 500}
    assert served(read(carrier, shape), lying) == [("MM301", address(shape, 640))]


def page(*rungs: tuple[str, int | None]) -> ImageSet:
    text = ", ".join(f"/{name} {width}w" if width else f"/{name}" for name, width in rungs)
    html = f'<img alt="" srcset="{text}">' if rungs[0][1] else f'<img alt="" src="{text}">'
    (image_set,) = extract_document(html.encode(), document="p.html", base_url="https://site.test/").sets
    return image_set


@pytest.mark.parametrize(
    ("rungs", "real", "accused"),
    [
        # no descriptor: the name is all there is
        ([("hill-800x533.png?v=3", None)], [400], ["MM302"]),
        ([("hill-800x533.png", None)], [800], []),
        # a number that every name of the set shares is the original's
        ([("a/boat-1600w.png", 320), ("b/boat-1600w.png", 640)], [320, 640], []),
        # a lone name is a weaker word than a descriptor that holds
        ([("news-770x433.jpg", 630), ("other.jpg", 315)], [630, 315], []),
        ([("logo_60x600.png", 600), ("logo.png", 300)], [600, 300], []),
        # names that form a ladder with the descriptors are promises
        ([("a-480w.webp", 480), ("a-960w.webp", 960), ("a-640w.webp", 700)], [480, 960, 700], ["MM302"]),
        # two files swapped, and the descriptors with them
        ([("a_480.webp", 768), ("a_768.webp", 480)], [768, 480], ["MM302", "MM302"]),
        ([("a-300x200.png", 300), ("a-600x400.png", 600)], [600, 300], ["MM301", "MM301"]),
        # the widest was not enlarged, and its descriptor says so
        ([("a.width-400.jpg", 400), ("a.width-1600.jpg", 1000)], [400, 1000], []),
        ([("b.fill-512x100.jpg", 512), ("b.fill-1024x200.jpg", 1000)], [512, 1000], []),
        ([("a-400w.jpg", 400), ("a-1600w.jpg", 1000), ("a-1200w.jpg", 1200)], [400, 1000, 1200], ["MM302"]),
    ],
)
def test_a_number_in_a_name_is_a_promise_only_where_nothing_says_better(
    rungs: list[tuple[str, int | None]], real: list[int], accused: list[str]
) -> None:
    widths = {f"https://site.test/{name}": width for (name, _), width in zip(rungs, real, strict=True)}
    assert [rule for rule, _ in served(page(*rungs), widths)] == accused


@pytest.mark.parametrize(("width", "height"), [(225, 300), (300, 225), (300, 300)])
def test_a_box_in_a_name_is_kept_when_one_side_fills_it(width: int, height: int) -> None:
    url = "https://site.test/portrait.max-300x300.jpg"
    facts = {url: VariantFacts(ImageFacts("jpeg", width, height))}
    options = lint_options(codes=choose_codes(["MM302"]))
    assert check_set(page(("portrait.max-300x300.jpg", None)), facts, options, browser=StandardBrowser()) == ()


def messages(html: str, sizes: dict[str, tuple[int, int]], rule: str) -> list[str]:
    (image_set,) = extract_document(html.encode(), document="p.html", base_url="https://site.test/").sets
    facts = {f"https://site.test/{name}": VariantFacts(ImageFacts("png", *size)) for name, size in sizes.items()}
    options = lint_options(codes=choose_codes([rule]))
    return [finding.message for finding in check_set(image_set, facts, options, browser=StandardBrowser())]


def test_a_provider_that_snaps_widths_is_named_with_what_mends_it() -> None:
    (told,) = messages('<img alt="" srcset="/a.png?w=640 400w">', {"a.png?w=640": (640, 427)}, "MM301")
    assert "Its address asks for 640" in told
    assert "add 400 to that list, or declare 640w" in told


def test_one_address_for_every_rung_is_named_as_the_cause() -> None:
    html = '<img alt="" srcset="/a.png?w=640 320w, /a.png?w=640 960w">'
    told = messages(html, {"a.png?w=640": (640, 427)}, "MM301")
    assert len(told) == 2
    assert all("One address stands for several widths" in each for each in told)


def test_a_height_left_over_in_every_address_is_named_as_the_cause_of_other_shapes() -> None:
    html = '<img alt="" srcset="/a.png?w=300&amp;h=200 300w, /a.png?w=600&amp;h=200 600w">'
    (told,) = messages(html, {"a.png?w=300&h=200": (300, 200), "a.png?w=600&h=200": (600, 200)}, "MM310")
    assert "asks for a height of 200" in told

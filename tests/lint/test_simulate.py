"""Which file each screen loads, and what it wastes."""

from __future__ import annotations

import pytest
from looking import BROWSER, sets_of

from fixtures.defects import SITE, Case
from mediamirror.errors import UsageError
from mediamirror.lint import DEVICES, Screen, VariantFacts, parse_ladder, parse_screen
from mediamirror.lint.screens import ever_matches
from mediamirror.lint.simulate import Choice, simulate
from mediamirror.model import ImageFacts

PHONE, DESK = Screen(390, 844, 3.0), Screen(1440, 900)
HTML = '<img src="/640.webp" srcset="/640.webp 640w, /1280.webp 1280w, /1920.webp 1920w" sizes="{}" alt="">'
FACTS = {
    f"{SITE}/{width}.webp": VariantFacts(ImageFacts("webp", width, width // 2), size=width * 100)
    for width in (640, 1280, 1920)
}


def choices(html: str, *screens: Screen) -> tuple[Choice, ...]:
    (found,) = sets_of(Case("", "", html, {}))
    return simulate(found, FACTS, browser=BROWSER, screens=screens)


def test_each_screen_loads_the_smallest_file_that_is_enough_and_wastes_the_rest() -> None:
    assert choices(HTML.format("(max-width: 600px) 100vw, 480px"), PHONE, DESK) == (
        Choice(PHONE, f"{SITE}/1280.webp", "1280w", 390.0, 1170, 1280, 640, 128_000, 21_055, 0),
        Choice(DESK, f"{SITE}/640.webp", "640w", 480.0, 480, 640, 320, 64_000, 28_000, 0),
    )


def test_a_file_that_is_too_small_wastes_nothing_and_lacks_pixels() -> None:
    (choice,) = choices(HTML.format("100vw"), Screen(1440, 900, 2.0))
    assert (choice.descriptor, choice.needed, choice.wasted, choice.missing) == ("1920w", 2880, 0, 960)


def test_the_real_width_counts_and_not_the_declared_one() -> None:
    (choice,) = choices(HTML.format("960px").replace("/1280.webp 1280w", "/640.webp 1280w"), DESK)
    assert (choice.descriptor, choice.width, choice.missing) == ("1280w", 640, 320)


def test_without_widths_the_slot_is_not_known_and_no_waste_is_claimed() -> None:
    html = '<img src="/640.webp" srcset="/1280.webp 2x" alt="">'
    assert [(c.url, c.descriptor, c.slot, c.wasted) for c in choices(html, PHONE, DESK)] == [
        (f"{SITE}/1280.webp", "2x", None, None),
        (f"{SITE}/640.webp", None, None, None),
    ]


def test_art_direction_is_followed() -> None:
    html = '<picture><source media="(max-width: 600px)" srcset="/1920.webp"><img src="/640.webp" alt=""></picture>'
    assert [c.url for c in choices(html, PHONE, DESK)] == [f"{SITE}/1920.webp", f"{SITE}/640.webp"]


def test_a_file_that_was_not_looked_at_has_no_size() -> None:
    (choice,) = choices('<img src="/nothing.webp" alt="">', DESK)
    assert (choice.url, choice.size, choice.width) == (f"{SITE}/nothing.webp", None, None)


def test_without_screens_common_devices_are_tried() -> None:
    (found,) = sets_of(Case("", "", HTML.format("100vw"), {}))
    assert [choice.screen for choice in simulate(found, FACTS, browser=BROWSER)] == list(DEVICES)


@pytest.mark.parametrize(
    ("text", "screen"),
    [("390x844@3", "390x844@3"), (" 1440X900 ", "1440x900@1"), ("412x915@2.625", "412x915@2.625"), ("1x1@1x", "1x1@1")],
)
def test_a_viewport_is_width_height_and_density(text: str, screen: str) -> None:
    assert str(parse_screen(text)) == screen


@pytest.mark.parametrize(
    "text", ["", "390", "390x", "0x844", "390x844@0", "390x844@", "-1x5", "٣x٣", "390 x 844", "1e3x5"]
)
def test_anything_else_is_no_viewport(text: str) -> None:
    with pytest.raises(UsageError, match="390x844@3"):
        parse_screen(text)


def test_a_ladder_is_widths_in_any_order() -> None:
    assert parse_ladder(" 1280w, 480,480 ,768 ") == (480, 768, 1280)
    assert parse_ladder("") == ()


@pytest.mark.parametrize("text", ["480,", "a", "0", "-1", "480px", "1.5", "²", "9" * 6])
def test_anything_else_is_no_ladder(text: str) -> None:
    with pytest.raises(UsageError, match="480,768,1280,1920"):
        parse_ladder(text)


@pytest.mark.parametrize(
    ("media", "ever"),
    [
        ("(min-width: 1733px) and (max-width: 1733px)", True),
        ("(min-width: 60em) and (max-width: 40em)", False),
        ("(width > 1000px) and (width < 1001px)", False),
        ("(min-height: 4000px)", True),
        ("(orientation: portrait)", True),
        ("(min-aspect-ratio: 21/9)", True),
        ("(min-resolution: 2.5dppx)", True),
        ("(hover: none)", True),
        ("(prefers-color-scheme: dark)", True),
        ("(prefers-color-scheme: dark) and (min-width: 900px)", True),
        ("(prefers-color-scheme: dark) and (min-width: 900px) and (max-width: 600px)", False),
        ("(prefers-color-scheme: drak)", False),
        ("not (prefers-color-scheme: light)", True),
        ("screen and (prefers-reduced-motion: reduce)", True),
        ("(prefers-reduced-motion) or (max-width: 0px)", True),
        ("(color-gamut: p3) and (dynamic-range: high)", True),
        ("(min-monochrome: 1)", True),
        ("print", False),
        ("tv", False),
        ("", True),
    ],
)
def test_a_condition_is_tried_on_screens_around_its_numbers(media: str, ever: bool) -> None:
    assert ever_matches(media, BROWSER) is ever

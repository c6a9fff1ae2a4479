"""Screens, and what has to be asked of a browser about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Candidate, ImageSet, Problem, Source

_SCREEN = pattern(r"([0-9]{1,5})x([0-9]{1,5})(?:@([0-9]{1,2}(?:\.[0-9]{1,4})?)x?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Screen:
    """A viewport in CSS pixels and the device pixels to each of them."""

    width: int
    height: int
    dpr: float = 1.0
    name: str = ""

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{self.dpr:g}"


DEVICES = (
    Screen(360, 800, 3.0, "small phone"),
    Screen(390, 844, 3.0, "phone"),
    Screen(412, 915, 2.625, "large phone"),
    Screen(820, 1180, 2.0, "tablet"),
    Screen(1366, 768, 1.0, "laptop"),
    Screen(1440, 900, 2.0, "dense laptop"),
    Screen(1920, 1080, 1.0, "desktop"),
    Screen(2560, 1440, 1.0, "large desktop"),
)
"""The screens that are tried when nobody names others."""


def parse_screen(text: str) -> Screen:
    """Parse ``390x844@3`` or ``1440x900`` (one device pixel per CSS pixel). Raises `UsageError` for anything else."""
    found = _SCREEN.fullmatch(text.strip().lower())
    screen = Screen(int(found[1]), int(found[2]), float(found[3] or 1)) if found else None
    if screen is None or not screen.width or not screen.height or not screen.dpr:
        raise UsageError(f"{text!r} is no viewport: write width x height @ density, such as 390x844@3 or 1440x900@1.")
    return screen


class Browser(Protocol):
    """The algorithms of the HTML standard that rules and the simulator need.

    They live in the markup room, which this one may not import: the job that runs the rules brings them along. Nothing here
    raises for any string.
    """

    def __hash__(self) -> int:
        """Browsers are told apart, so that what one of them answered can be remembered."""

    def select(self, image_set: ImageSet, screen: Screen) -> Candidate | None:
        """The candidate that a screen would load."""

    def source_size(self, image_set: ImageSet, source: Source, screen: Screen) -> float:
        """The width in CSS pixels that a source's ``sizes`` gives for a screen; the whole viewport when it gives none."""

    def sizes_of(self, image_set: ImageSet, source: Source) -> str | None:
        """The ``sizes`` that count for a source: its own, or those that it has from its img; None for none."""

    def matches(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches a screen."""

    def may_match(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches some device with such a screen, whatever it can do and its owner prefers."""

    def supports(self, mime: str) -> bool:
        """Whether a ``type`` lets a browser use the source."""

    def sizes_problems(self, sizes: str) -> Sequence[Problem]:
        """What is wrong with a ``sizes`` value."""

    def sizes_conditions(self, sizes: str) -> Sequence[str]:
        """The media conditions of a ``sizes`` value that a browser keeps."""


_NUMBER = pattern(r"([0-9]{1,6}(?:\.[0-9]{1,4})?)(r?em)?", re.ASCII | re.IGNORECASE)
_MOST_NUMBERS = 8
_LONGEST = 1000
"""Code points of a condition that are looked into; a longer one is believed."""
_SIDES = (320, 768, 1366, 2560, 5120)
_DENSITIES = (1.0, 2.0, 3.0)


@lru_cache(maxsize=1024)
def ever_matches(media: str, browser: Browser) -> bool:
    """Whether any screen worth thinking of may match: common ones, and those just around each number in the condition."""
    return len(media) > _LONGEST or any(browser.may_match(media, screen) for screen in _screens(media))


_SIZES_ONLY = pattern(
    r"(?:(?:only\s+)?(?:all|screen)\b|and\b|,|\(\s*(?:(?:min-|max-)?(?:width|height|aspect-ratio|resolution)\b|orientation\b)"
    r"[^()]*\)|\([0-9.]+(?:px|r?em)\s*[<>]=?\s*(?:width|height)[^()]*\)|\s)+",
    re.IGNORECASE,
)
"""Media whose answer the size and density of a screen decide."""


@lru_cache(maxsize=1024)
def always_taken(earlier: tuple[str, ...], later: str, browser: Browser) -> bool:
    """Whether on every screen that a media query list may match, one of those before it matches for certain."""
    sure = [media for media in earlier if len(media) <= _LONGEST and _SIZES_ONLY.fullmatch(media)]
    if not sure or len(later) > _LONGEST:
        return False
    met = [screen for screen in _screens(" ".join((later, *sure))) if browser.may_match(later, screen)]
    return bool(met) and all(any(browser.matches(media, screen) for media in sure) for screen in met)


def _screens(media: str) -> Iterator[Screen]:
    numbers = [float(found[1]) * (16 if found[2] else 1) for found in _NUMBER.finditer(media)][:_MOST_NUMBERS]
    near = {round(number) + step for number in numbers for step in (-1, 0, 1) if 0 < number < 20_000}
    sides = sorted({*_SIDES, *(side for side in near if side > 0)})
    yield from (Screen(side, 800, dpr) for dpr in _DENSITIES for side in sides)
    if any(word in media.lower() for word in ("height", "ratio", "orientation")):
        yield from (Screen(width, height) for width in sides for height in sides)

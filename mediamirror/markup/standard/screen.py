"""The screen that media conditions and lengths are evaluated against, and the CSS units with their types."""

from __future__ import annotations

import math

from mediamirror.first_use import dataclass, pattern

Type = tuple[tuple[str, int], ...]
"""Base types and their powers, sorted; a plain number has none."""

COMMON, CHROMIUM, FIREFOX, SAFARI = "common", "chromium", "firefox", "safari"
BROWSERS = (COMMON, CHROMIUM, FIREFOX, SAFARI)
"""Whom to follow where browsers differ: what they have in common, or one of them (docs/decisions/0010-selection-policy.md)."""

NUMBER: Type = ()
LENGTH: Type = (("length", 1),)
ANGLE: Type = (("angle", 1),)
RESOLUTION: Type = (("resolution", 1),)

_OTHER_UNITS: dict[str, tuple[float, float, Type]] = {
    "deg": (1.0, 1.0, ANGLE), "grad": (0.9, 1.0, ANGLE), "rad": (180.0, math.pi, ANGLE), "turn": (360.0, 1.0, ANGLE),
    "s": (1.0, 1.0, (("time", 1),)), "ms": (1.0, 1000.0, (("time", 1),)),
    "hz": (1.0, 1.0, (("frequency", 1),)), "khz": (1000.0, 1.0, (("frequency", 1),)),
    "dppx": (1.0, 1.0, RESOLUTION), "x": (1.0, 1.0, RESOLUTION),
    "dpi": (1.0, 96.0, RESOLUTION), "dpcm": (2.54, 96.0, RESOLUTION),
}  # fmt: skip
"""Numerator and denominator that lead to the canonical unit, and the type."""

_ABSOLUTE = {
    "px": (1.0, 1.0), "in": (96.0, 1.0), "cm": (96.0, 2.54), "mm": (96.0, 25.4), "q": (96.0, 101.6), "pt": (96.0, 72.0),
    "pc": (16.0, 1.0),
}  # fmt: skip
"""CSS pixels as a numerator and a denominator: 2.54cm has to come out as 96px to the last bit."""

_FONT = {"em": 1.0, "ex": 0.5, "ch": 0.5, "cap": 0.7, "ic": 1.0, "lh": 1.2}
"""Multiples of the font size; all but em are the fallbacks of the standard where no font is at hand."""

_VIEWPORT = pattern(r"(?:[sld]?v|cq)(w|h|i|b|min|max)")


@dataclass(frozen=True, slots=True)
class Screen:
    """A colour desktop screen: the viewport in CSS pixels, device pixels per CSS pixel, the initial font size in px.

    A dimension that is negative or not a number counts as 0.
    """

    width: float
    height: float
    dpr: float = 1.0
    font_size: float = 16.0
    browser: str = COMMON
    """Which browser shows it, of `BROWSERS`, where they differ."""
    any_device: bool = False
    """Whether it stands for every device with such a screen, rather than for one with a mouse and no preferences."""

    @classmethod
    def of(cls, viewport: tuple[float, float], dpr: float = 1.0, browser: str = COMMON) -> Screen:
        """The screen for a viewport (width, height)."""
        width, height = (float(side) if side > 0 else 0.0 for side in viewport)
        return cls(width, height, dpr if dpr > 0 else 1.0, browser=browser)

    def px(self, value: float, unit: str) -> float | None:
        """A length in CSS pixels; None when ``unit`` (lower case) is not a unit of length.

        Container query units measure the small viewport, as they do wherever there is no container.
        """
        if unit in _ABSOLUTE:
            numerator, denominator = _ABSOLUTE[unit]
            return value * numerator / denominator
        font = unit if unit in _FONT else unit.removeprefix("r")
        if font in _FONT:
            return value * _FONT[font] * self.font_size
        match = _VIEWPORT.fullmatch(unit)
        return value * self._side(match[1]) / 100 if match else None

    def _side(self, axis: str) -> float:
        if axis in ("w", "i"):
            return self.width
        if axis in ("h", "b"):
            return self.height
        return min(self.width, self.height) if axis == "min" else max(self.width, self.height)


def canonical(value: float, unit: str, screen: Screen) -> tuple[float, Type] | None:
    """A dimension in the canonical unit of its type (px, deg, s, Hz, dppx); None for an unknown ``unit``."""
    if unit in _OTHER_UNITS:
        numerator, denominator, kind = _OTHER_UNITS[unit]
        return value * numerator / denominator, kind
    px = screen.px(value, unit)
    return None if px is None else (px, LENGTH)

"""Media features of a colour desktop screen: https://drafts.csswg.org/mediaqueries-5/#media-descriptor-table

The device is as large as its viewport, has a mouse, 8 bits per colour, scripting, and no stated preferences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tinycss2 import ast

from mediamirror.first_use import dataclass
from mediamirror.markup.standard.calc import is_math_function, quantity
from mediamirror.markup.standard.screen import CHROMIUM, COMMON, FIREFOX, LENGTH, NUMBER, RESOLUTION, SAFARI, Screen
from mediamirror.markup.standard.values import Node, keyword, literal, without_space

Comparison = tuple[str, Sequence[Node]]
"""An operator (``:``, ``=``, ``<``, ``<=``, ``>`` or ``>=``) and the value on its right."""

_COLOR_BITS = 8.0
_OF_THE_DEVICE = frozenset(
    {"color", "color-index", "grid", "monochrome", "horizontal-viewport-segments", "vertical-viewport-segments"}
)
_PREFIXES = {"min-": ">=", "max-": "<="}
# The `!` is in no identifier: without a prefix no browser knows the name.
_LEGACY = {
    "-webkit-device-pixel-ratio": "device-pixel-ratio!",
    "-webkit-min-device-pixel-ratio": "min-device-pixel-ratio!",
    "-webkit-max-device-pixel-ratio": "max-device-pixel-ratio!",
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ":": lambda a, b: a == b,
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class _Keywords:
    """A feature of type discrete: what this screen is, what else it could have been, what is false on its own."""

    true: frozenset[str]
    known: frozenset[str]
    off: str = "none"


def _one_of(actual: str, others: str, *, off: str = "none") -> _Keywords:
    true = frozenset(actual.split())
    return _Keywords(true, true | frozenset(others.split()), off)


_NO_PREFERENCE = "no-preference"
_DISCRETE = {
    "any-hover": _one_of("hover", "none"),
    "any-pointer": _one_of("fine", "none coarse"),
    "color-gamut": _one_of("srgb", "p3 rec2020"),
    "device-posture": _one_of("continuous", "folded"),
    "display-mode": _one_of("browser", "fullscreen standalone minimal-ui picture-in-picture window-controls-overlay"),
    "dynamic-range": _one_of("standard", "high"),
    "forced-colors": _one_of("none", "active"),
    "hover": _one_of("hover", "none"),
    "inverted-colors": _one_of("none", "inverted"),
    "overflow-block": _one_of("scroll", "none paged"),
    "overflow-inline": _one_of("scroll", "none"),
    "pointer": _one_of("fine", "none coarse"),
    "prefers-color-scheme": _one_of("light", "dark"),
    "prefers-contrast": _one_of(_NO_PREFERENCE, "less more custom", off=_NO_PREFERENCE),
    "prefers-reduced-motion": _one_of(_NO_PREFERENCE, "reduce", off=_NO_PREFERENCE),
    "prefers-reduced-transparency": _one_of(_NO_PREFERENCE, "reduce", off=_NO_PREFERENCE),
    "scan": _one_of("", "interlace progressive"),
    "scripting": _one_of("enabled", "none initial-only"),
    "update": _one_of("fast", "none slow"),
    "video-dynamic-range": _one_of("standard", "high"),
}
"""Features of the standard that no browser knows (video-color-gamut, nav-controls, ...) are unknown here as well."""
_BITS = {"grid": 0, "-webkit-transform-3d": 1}
"""This screen is no character grid; every browser turns things in space."""
_ONLY_IN = {
    "device-posture": frozenset({CHROMIUM}),
    "inverted-colors": frozenset({COMMON, FIREFOX, SAFARI}),
    "video-dynamic-range": frozenset({FIREFOX}),
}


def evaluate_feature(name: str, comparisons: Sequence[Comparison], screen: Screen) -> bool | None:
    """``(name)``, ``(name: value)`` or a range; None (unknown) for an unknown name or a value that does not fit.

    A prefix ``min-`` or ``max-`` counts only in the plain form ``(min-name: value)`` of a range feature.
    """
    name = _LEGACY.get(name, name)
    if name[:4] in _PREFIXES:
        if len(comparisons) != 1 or comparisons[0][0] != ":":
            return None
        comparisons = [(_PREFIXES[name[:4]], comparisons[0][1])]
        name = name[4:]
        return _evaluate_range(name, comparisons, screen)
    if name in _RANGES:
        return _evaluate_range(name, comparisons, screen)
    if any(operator != ":" for operator, _ in comparisons):
        return None
    return _evaluate_discrete(name, comparisons, screen)


def varies(name: str) -> bool:
    """Whether a feature (lower case) is about the device or its owner, and not about the sides and the density of the screen."""
    return name in _DISCRETE or name.removeprefix("min-").removeprefix("max-") in _OF_THE_DEVICE


def _evaluate_discrete(name: str, comparisons: Sequence[Comparison], screen: Screen) -> bool | None:
    if name == "orientation":
        portrait = screen.height >= screen.width
        feature = _one_of("portrait", "landscape") if portrait else _one_of("landscape", "portrait")
    elif name in _BITS:
        return _evaluate_bit(comparisons, _BITS[name])
    elif name in _DISCRETE and screen.browser in _ONLY_IN.get(name, (screen.browser,)):
        feature = _DISCRETE[name]
    else:
        return None
    if not comparisons:
        return bool(feature.true - {feature.off})
    value = without_space(comparisons[0][1])
    word = keyword(value[0]) if len(value) == 1 else ""
    return word in feature.true if word in feature.known else None


def _evaluate_bit(comparisons: Sequence[Comparison], actual: int) -> bool | None:
    """A <mq-boolean>: 0 or 1."""
    if not comparisons:
        return actual == 1
    bit = _integer(without_space(comparisons[0][1]), Screen(0, 0))
    return bit == actual if bit in (0, 1) else None


def _evaluate_range(name: str, comparisons: Sequence[Comparison], screen: Screen) -> bool | None:
    if name not in _RANGES:
        return None
    actual_of, read = _RANGES[name]
    actual = actual_of(screen)
    if not comparisons:
        return actual != 0
    results = []
    for operator, values in comparisons:
        expected = read(without_space(values), screen)
        if expected is None:
            return None
        results.append(_COMPARE[operator](actual, expected))
    return all(results)


def _length(values: Sequence[Node], screen: Screen) -> float | None:
    if len(values) != 1:
        return None
    found = quantity(values[0], screen)
    if found is None:
        return None
    zero = isinstance(values[0], ast.NumberToken) and found.value == 0
    return found.value if found.type == LENGTH or zero else None


def _resolution(values: Sequence[Node], screen: Screen) -> float | None:
    if len(values) != 1:
        return None
    if keyword(values[0]) == "infinite":
        return math.inf
    found = quantity(values[0], screen)
    if found is None or found.type != RESOLUTION:
        return None
    return _not_negative(values[0], found.value)


def _number(values: Sequence[Node], screen: Screen) -> float | None:
    if len(values) != 1:
        return None
    found = quantity(values[0], screen)
    return found.value if found is not None and found.type == NUMBER else None


def _integer(values: Sequence[Node], screen: Screen) -> float | None:
    """An <integer>: `1.0` is none, while a math function is rounded to one."""
    found = _number(values, screen)
    if found is None:
        return None
    if isinstance(values[0], ast.NumberToken):
        return found if values[0].is_integer else None
    return float(math.floor(found + 0.5)) if abs(found) < 2**52 else found


def _ratio(values: Sequence[Node], screen: Screen) -> float | None:
    """A <ratio>: one or two numbers, neither negative. A ratio to zero is infinite."""
    if len(values) == 3 and literal(values[1]) == "/":
        sides = [values[0], values[2]]
    elif len(values) == 1:
        sides = [values[0]]
    else:
        return None
    numbers: list[float] = []
    for side in sides:
        found = _number([side], screen)
        allowed = None if found is None else _not_negative(side, found)
        if allowed is None:
            return None
        numbers.append(allowed)
    below = numbers[1] if len(numbers) == 2 else 1.0
    return numbers[0] / below if below else math.inf


def _not_negative(node: Node, value: float) -> float | None:
    """A negative literal is out of range; a negative result of math is clamped to it."""
    return value if value >= 0 else 0.0 if is_math_function(node) else None


def _aspect(screen: Screen) -> float:
    return screen.width / screen.height if screen.height else math.inf


_Reader = Callable[[Sequence[Node], Screen], "float | None"]
_RANGES: dict[str, tuple[Callable[[Screen], float], _Reader]] = {
    "width": (lambda screen: screen.width, _length),
    "height": (lambda screen: screen.height, _length),
    "device-width": (lambda screen: screen.width, _length),
    "device-height": (lambda screen: screen.height, _length),
    "aspect-ratio": (_aspect, _ratio),
    "device-aspect-ratio": (_aspect, _ratio),
    "resolution": (lambda screen: screen.dpr, _resolution),
    "device-pixel-ratio!": (lambda screen: screen.dpr, _number),
    "color": (lambda screen: _COLOR_BITS, _integer),  # noqa: ARG005
    "color-index": (lambda screen: 0.0, _integer),  # noqa: ARG005
    "monochrome": (lambda screen: 0.0, _integer),  # noqa: ARG005
    "horizontal-viewport-segments": (lambda screen: 1.0, _integer),  # noqa: ARG005
    "vertical-viewport-segments": (lambda screen: 1.0, _integer),  # noqa: ARG005
}

"""Whether two pictures are the same one: pure arithmetic on what a decode left of each (`Look.colours`).

Structure counts first (correlation of the grey values), and colour second, so that another size, format, quality or a colour
profile make no other picture, and another photograph does.

Transparent pictures are compared on white and on black: on white alone, all white drawings are one. Beside an opaque one,
which a fallback without transparency is, a transparent one is laid on the colour that explains the opaque one best.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import sqrt
from operator import mul, sub

from mediamirror.first_use import dataclass
from mediamirror.model import LOOK_SIDE, Look

_ALIKE = 0.85
"""Correlation of grey values from which on two pictures are the same. Rescaled and recompressed ones have 0.97 and more."""
_FLAT = 4.0
"""Standard deviation, in grey levels, below which a picture has no structure to speak of."""
_WEAK, _NEAR = 10.0, 10.0
"""The same for a structure that may come from shrinking alone (noise shrunk by leaving pixels out), and the mean difference of
colours that goes with it."""
_TINT = 40.0
"""Mean difference of colours, in levels, that no compression and no profile explains."""
_FAINT = 6.0
"""Mean difference of colours, in levels, that is none."""
_COLOURED = 6.0
"""Root mean square of the distance from grey, in levels, from which on a picture has colours to speak of."""
_HUED = 0.25
"""Share of the colours of the more colourful one that the other has too: a grey copy has none of them."""
_BLANK, _DRAWN = 8, 12.0
"""Range of levels of a row that is one colour, and spread of the same row in a picture that has something there."""
_CUT_ROWS = 4
"""Rows of one colour at the foot from which on a picture is half a picture: it came from a file that was cut short."""
_SHIFTS = 5


@dataclass(frozen=True, slots=True)
class _Square:
    """A squeezed picture: `Look.colours` and `Look.opacity`."""

    colours: bytes
    opacity: bytes

    @classmethod
    def of(cls, look: Look) -> _Square:
        return cls(look.colours, look.opacity)

    def cut(self, share: float, at: float, *, tall: bool) -> _Square:
        """A part, ``share`` of the width (of the height when ``tall``), squeezed into the square again."""
        opacity = _cut(self.opacity, share, at, tall=tall, channels=1) if self.opacity else b""
        return _Square(_cut(self.colours, share, at, tall=tall, channels=3), opacity)


def alike(one: Look, other: Look) -> bool:
    """Whether two pictures of the same shape are the same picture."""
    return _same(_Square.of(one), _Square.of(other))


def alike_cropped(one: Look, other: Look, shapes: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    """Whether one picture is a part of the other; ``shapes`` are their widths and heights as shown.

    The wider one is cut to the shape of the other at a few places from one end to the other.
    """
    first, second = _Square.of(one), _Square.of(other)
    if _same(first, second):
        return True
    (width, height), (other_width, other_height) = shapes
    share = (other_width * height) / (other_height * width)
    whole, part = (first, second) if share < 1 else (second, first)
    share = min(share, 1 / share)
    places = [at / (_SHIFTS - 1) for at in range(_SHIFTS)]
    return any(_same(whole.cut(share, at, tall=False), part) for at in places) or any(
        _same(part.cut(share, at, tall=True), whole) for at in places
    )


def _same(one: _Square, other: _Square) -> bool:
    return all(_alike(*pair) for pair in _laid(one, other))


def _laid(one: _Square, other: _Square) -> Iterator[tuple[bytes, bytes]]:
    """The colours to compare: both pictures on one ground, or on one after the other."""
    if one.opacity and other.opacity:
        yield one.colours, other.colours
        yield _on(one, (0, 0, 0)), _on(other, (0, 0, 0))
    elif one.opacity:
        yield _on(one, _ground(one, other.colours)), other.colours
    elif other.opacity:
        yield _on(other, _ground(other, one.colours)), one.colours
    else:
        yield one.colours, other.colours


@lru_cache(maxsize=256)
def _ground(clear: _Square, opaque: bytes) -> tuple[int, ...]:
    """The colour under a transparent picture that leaves the least squares of differences to an opaque one."""
    through = [255 - level for level in clear.opacity]
    weight = sum(share * share for share in through)
    gains = (
        sum(share * (b - a) for share, a, b in zip(through, clear.colours[at::3], opaque[at::3], strict=True))
        for at in range(3)
    )
    return tuple(min(255, max(0, round(255 + 255 * gain / weight))) for gain in gains)


@lru_cache(maxsize=256)
def _on(clear: _Square, ground: tuple[int, ...]) -> bytes:
    """The colours of a picture on another ground than white."""
    darker = [255 - level for level in ground]
    levels = bytearray(clear.colours)
    for at in range(3):
        levels[at::3] = bytes(
            max(0, level - round((255 - opacity) * darker[at] / 255))
            for level, opacity in zip(levels[at::3], clear.opacity, strict=True)
        )
    return bytes(levels)


def _alike(one: bytes, other: bytes) -> bool:
    return _compared(*sorted((one, other)))


@lru_cache(maxsize=256)
def _compared(one: bytes, other: bytes) -> bool:
    gap = sum(map(abs, map(sub, one, other))) / len(one)
    if _ends_early(one, other) or _ends_early(other, one):
        return False
    if gap <= _FAINT:
        return _hued(one, other)
    greys, others = _greys(one), _greys(other)
    if min(greys.spread, others.spread) < _FLAT:
        most = max(greys.spread, others.spread)
        return (most < _FLAT and gap < _TINT) or (most < _WEAK and gap < _NEAR)
    shared = sum(map(mul, greys.values, others.values)) / len(greys.values)
    if shared / (greys.spread * others.spread) < _ALIKE or gap >= _TINT:
        return False
    return _hued(one, other)


def _ends_early(one: bytes, other: bytes) -> bool:
    """Whether one picture ends in rows of a single colour where the other goes on."""
    row = 3 * LOOK_SIDE
    feet = (slice(at, at + row) for at in range(len(one) - row * _CUT_ROWS, len(one), row))
    return all(_is_blank(one[foot]) and _spread(_grey(other[foot])) >= _DRAWN for foot in feet)


def _is_blank(row: bytes) -> bool:
    return all(max(row[at::3]) - min(row[at::3]) <= _BLANK for at in range(3))


def _hued(one: bytes, other: bytes) -> bool:
    """Whether the colours go the same way from grey, and about as far: not so for a grey copy, nor for swapped channels."""
    hues, others = _hues(one), _hues(other)
    most = max(hues.squares, others.squares)
    return most < _COLOURED**2 * len(one) or sum(map(mul, hues.away, others.away)) >= _HUED * most


@dataclass(frozen=True, slots=True)
class _Hues:
    """How far each level is from the mean of its pixel, and the sum of their squares."""

    away: tuple[float, ...]
    squares: float


@lru_cache(maxsize=256)
def _hues(colours: bytes) -> _Hues:
    """Each picture is compared with several: what is its own is worked out once."""
    pixels = zip(colours[::3], colours[1::3], colours[2::3], strict=True)
    away = tuple(level - sum(pixel) / 3 for pixel in pixels for level in pixel)
    return _Hues(away, sum(map(mul, away, away)))


@dataclass(frozen=True, slots=True)
class _Greys:
    """Grey values around their mean, and their standard deviation."""

    values: tuple[float, ...]
    spread: float


@lru_cache(maxsize=256)
def _greys(colours: bytes) -> _Greys:
    values = _grey(colours)
    return _Greys(values, _spread(values))


def _grey(colours: bytes) -> tuple[float, ...]:
    values = [
        0.299 * r + 0.587 * g + 0.114 * b for r, g, b in zip(colours[::3], colours[1::3], colours[2::3], strict=True)
    ]
    mean = sum(values) / len(values)
    return tuple(value - mean for value in values)


def _spread(values: tuple[float, ...]) -> float:
    return sqrt(sum(map(mul, values, values)) / len(values))


def _cut(levels: bytes, share: float, at: float, *, tall: bool, channels: int) -> bytes:
    start = (1 - share) * at * LOOK_SIDE
    places = [min(LOOK_SIDE - 1, int(start + (n + 0.5) * share)) for n in range(LOOK_SIDE)]
    length = channels * LOOK_SIDE
    rows = [levels[y * length : (y + 1) * length] for y in range(LOOK_SIDE)]
    if tall:
        return b"".join(rows[y] for y in places)
    return b"".join(row[channels * x : channels * (x + 1)] for row in rows for x in places)

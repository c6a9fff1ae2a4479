"""Whether two pictures are the same one: pure arithmetic on what a decode left of each (`Look.colours`).

Structure counts first (correlation of the grey values), and colour second, so that another size, format, quality or a colour
profile make no other picture, and another photograph does.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

from mediamirror.model import LOOK_SIDE, Look

_ALIKE = 0.85
"""Correlation of grey values from which on two pictures are the same. Rescaled and recompressed ones have 0.97 and more."""
_FLAT = 4.0
"""Standard deviation, in grey levels, below which a picture has no structure to speak of."""
_TINT = 40.0
"""Mean difference of colours, in levels, that no compression and no profile explains."""
_FAINT = 6.0
"""Mean difference of colours, in levels, that is none."""
_SHIFTS = 5


def alike(one: Look, other: Look) -> bool:
    """Whether two pictures of the same shape are the same picture."""
    return _alike(one.colours, other.colours)


def alike_cropped(one: Look, other: Look, shapes: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    """Whether one picture is a part of the other; ``shapes`` are their widths and heights as shown.

    The wider one is cut to the shape of the other at a few places from one end to the other.
    """
    if _alike(one.colours, other.colours):
        return True
    (width, height), (other_width, other_height) = shapes
    share = (other_width * height) / (other_height * width)
    whole, part = (one.colours, other.colours) if share < 1 else (other.colours, one.colours)
    share = min(share, 1 / share)
    return any(_alike(_cut(whole, share, at / (_SHIFTS - 1), tall=False), part) for at in range(_SHIFTS)) or any(
        _alike(_cut(part, share, at / (_SHIFTS - 1), tall=True), whole) for at in range(_SHIFTS)
    )


@lru_cache(maxsize=256)
def _alike(one: bytes, other: bytes) -> bool:
    gap = sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
    if gap <= _FAINT:
        return True
    greys, others = _grey(one), _grey(other)
    spread, other_spread = _spread(greys), _spread(others)
    if min(spread, other_spread) < _FLAT:
        return max(spread, other_spread) < _FLAT and gap < _TINT
    return _correlation(greys, others) / (spread * other_spread) >= _ALIKE and gap < _TINT


def _grey(colours: bytes) -> list[float]:
    """Grey values around their mean."""
    values = [
        0.299 * r + 0.587 * g + 0.114 * b for r, g, b in zip(colours[::3], colours[1::3], colours[2::3], strict=True)
    ]
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _spread(values: list[float]) -> float:
    return sqrt(sum(value * value for value in values) / len(values))


def _correlation(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / len(one)


def _cut(colours: bytes, share: float, at: float, *, tall: bool) -> bytes:
    """A part of a squeezed picture, ``share`` of its width (of its height when ``tall``), squeezed into the square again."""
    start = (1 - share) * at * LOOK_SIDE
    places = [min(LOOK_SIDE - 1, int(start + (n + 0.5) * share)) for n in range(LOOK_SIDE)]
    rows = [colours[y * 3 * LOOK_SIDE : (y + 1) * 3 * LOOK_SIDE] for y in range(LOOK_SIDE)]
    if tall:
        return b"".join(rows[y] for y in places)
    return b"".join(row[3 * x : 3 * x + 3] for row in rows for x in places)

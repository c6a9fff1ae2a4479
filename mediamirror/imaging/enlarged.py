"""Whether a picture can be made from a narrower one of itself: what is lost when it is shrunk to a width and enlarged again.

An enlarged picture is reproduced nearly whole, if it is shrunk to the very width it was made from, on the same grid of pixels,
and enlarged with a filter like the one that made it. Shrinking blurs, so the narrower picture is corrected by what it fails
to reproduce (iterative back-projection; Irani and Peleg, 1991). Measured on a part of the picture. Imported in worker
processes only.
"""

from __future__ import annotations

from math import ceil, log2

from PIL import Image, ImageChops, ImageStat

from mediamirror.first_use import dataclass
from mediamirror.imaging.raster import Raster
from mediamirror.model import Regained

_SIDE = 128
_MARGIN = 4
_ROUNDS = 2
_NEAREST, _FURTHEST = 0.85, 0.2
"""Ratios of widths between which something can be told."""
_MOST = 5
_FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
"""What the first reproduces badly after its rounds, the second does not reproduce well: see `_HOPELESS`."""
_HOPELESS = 0.8
_FLAT, _DRAWN = 3.0, 3.5
"""Bits of the histogram of 32 grey levels below which a part is drawn rather than photographed, and may be."""
_BELOW = 0.7

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A part of the narrower picture, ``n`` pixels that start at ``x``, ``y``; ``sx`` and ``sy`` are its scale."""

    x: int
    y: int
    n: tuple[int, int]
    sx: float
    sy: float

    def cover(self, inset: int = 0) -> Box:
        """Where it lies in the picture, without ``inset`` of its pixels on each side."""
        right, bottom = self.x + self.n[0] - inset, self.y + self.n[1] - inset
        return (self.x + inset) / self.sx, (self.y + inset) / self.sy, right / self.sx, bottom / self.sy


def regained(
    raster: Raster, centre: tuple[int, int], widths: tuple[int, ...], *, on_its_side: bool = False
) -> tuple[Regained, ...]:
    """Measure around ``centre`` for up to five of the widths, spread from the largest to the smallest.

    Widths are those of pictures as they are shown: heights of the raster, where that lies ``on_its_side``.
    """
    shown = raster.height if on_its_side else raster.width
    chosen = _spread(sorted({w for w in widths if _FURTHEST <= w / shown <= _NEAREST}, reverse=True))
    found = (_measure(raster, centre, width, on_its_side=on_its_side) for width in chosen)
    return tuple(each for each in found if each is not None)


def _spread(widths: list[int]) -> list[int]:
    if len(widths) <= _MOST:
        return widths
    return [widths[at * (len(widths) - 1) // (_MOST - 1)] for at in range(_MOST)]


def _measure(raster: Raster, centre: tuple[int, int], width: int, *, on_its_side: bool) -> Regained | None:
    grid = _grid(raster.size, centre, width, on_its_side=on_its_side)
    outer = grid.cover()
    around = (int(outer[0]), int(outer[1]), min(raster.width, ceil(outer[2])), min(raster.height, ceil(outer[3])))
    within = (ceil(outer[0] - 1e-9), ceil(outer[1] - 1e-9), int(outer[2] + 1e-9), int(outer[3] + 1e-9))
    target = raster.crop(within).convert("L")
    bits = _bits(target)
    shrunk = [max(1, round(side * grid.sx * _BELOW)) for side in target.size]
    lanczos = Image.Resampling.LANCZOS
    below = _gap(target, target.resize(shrunk, lanczos).resize(target.size, lanczos), grid)
    cover = raster.crop(around).convert("L")
    box = _shifted(outer, around[:2], cover.size)
    nearest = Image.Resampling.NEAREST
    # Drawings made for two densities have their edges on the grid of the smaller one by right, as repeated pixels have.
    blocks = (
        below
        if bits < _FLAT
        else _gap(target, _up(cover.resize(grid.n, nearest, box), target, within, grid, nearest), grid)
    )
    soft = float("inf")
    for kernel in _FILTERS:
        soft = min(soft, _softly(cover.resize(grid.n, Image.Resampling.BICUBIC, box), target, within, grid, kernel))
        if soft > _HOPELESS * below:
            break
    return Regained(width, round(below, 3), round(soft, 3), round(blocks, 3), bits < _DRAWN)


def _grid(size: tuple[int, int], centre: tuple[int, int], width: int, *, on_its_side: bool) -> _Grid:
    across, along = size[::-1] if on_its_side else size
    narrow = (width, max(1, round(along * width / across)))
    narrow = narrow[::-1] if on_its_side else narrow
    sx, sy = narrow[0] / size[0], narrow[1] / size[1]
    x, across = _span(centre[0] * sx, _SIDE * sx, narrow[0])
    y, down = _span(centre[1] * sy, _SIDE * sy, narrow[1])
    return _Grid(x, y, (across, down), sx, sy)


def _span(centre: float, length: float, limit: int) -> tuple[int, int]:
    whole = min(limit, ceil(length) + 2 * _MARGIN)
    start = min(max(0, round(centre - whole / 2)), limit - whole)
    return start, whole


def _softly(
    narrow: Image.Image, target: Image.Image, within: tuple[int, int, int, int], grid: _Grid, kernel: Image.Resampling
) -> float:
    rim = _shifted(grid.cover(1), within[:2], target.size)
    inside = (1, 1, grid.n[0] - 1, grid.n[1] - 1)
    for _ in range(_ROUNDS):
        missing = ImageChops.subtract(target, _up(narrow, target, within, grid, kernel), 1, 128)
        less = missing.resize((grid.n[0] - 2, grid.n[1] - 2), Image.Resampling.BICUBIC, rim)
        narrow.paste(ImageChops.add(narrow.crop(inside), less, 1, -128), (1, 1))
    return _gap(target, _up(narrow, target, within, grid, kernel), grid)


def _up(
    narrow: Image.Image, target: Image.Image, within: tuple[int, int, int, int], grid: _Grid, kernel: Image.Resampling
) -> Image.Image:
    left, top, right, bottom = within
    box = (
        max(0.0, left * grid.sx - grid.x),
        max(0.0, top * grid.sy - grid.y),
        min(float(grid.n[0]), right * grid.sx - grid.x),
        min(float(grid.n[1]), bottom * grid.sy - grid.y),
    )
    return narrow.resize(target.size, kernel, box)


def _shifted(box: Box, origin: tuple[int, int], limit: tuple[int, int]) -> Box:
    x, y = origin
    return max(0.0, box[0] - x), max(0.0, box[1] - y), min(limit[0], box[2] - x), min(limit[1], box[3] - y)


def _gap(one: Image.Image, other: Image.Image, grid: _Grid) -> float:
    """Root mean square of the difference, in grey levels, away from the rim."""
    rim = round(_MARGIN / grid.sx)
    inside = (rim, rim, max(rim + 1, one.width - rim), max(rim + 1, one.height - rim))
    return float(ImageStat.Stat(ImageChops.difference(one, other).crop(inside)).rms[0])


def _bits(grey: Image.Image) -> float:
    counts = grey.histogram()
    total = sum(counts)
    shares = (sum(counts[at : at + 8]) / total for at in range(0, 256, 8))
    return -sum(share * log2(share) for share in shares if share)

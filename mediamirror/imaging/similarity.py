"""Measurements of a decoded picture, for comparing it with its siblings. Imported in worker processes only.

Everything is taken from pixels that are in memory anyway, mostly from a reduced copy, so that it costs a small part of
decoding them, and no second copy of them is made: Pillow's WebP and AVIF plugins decode into bytes and then copy those into an image;
here the bytes are looked at where they are (`Raster`).

Whether a picture can be made from a narrower one of itself is told by what is lost when it is shrunk to a width and enlarged
again. An enlarged picture is reproduced nearly whole, if it is shrunk to the very width it was made from, on the same grid of
pixels, and enlarged with a filter like the one that made it. Shrinking blurs, so the narrower picture is corrected by what it
fails to reproduce (iterative back-projection; Irani and Peleg, 1991). Measured on a part of the picture.
"""

from __future__ import annotations

import io
from math import ceil, log2, sqrt
from operator import mul
from typing import Any

from PIL import Image, ImageChops, ImageCms, ImageFilter

from mediamirror.first_use import dataclass
from mediamirror.imaging.exif import personal_entries
from mediamirror.model import LOOK_SIDE, SAYS_LITTLE, ImageFacts, Look, Regained

_BAND = 1 << 20
"""Pixels that are copied at once."""

Box = tuple[int, int, int, int]


class Raster:
    """A frame, read in boxes of 8 bits a channel: L, RGB or RGBA, whatever its mode.

    ``size`` is that of the part from its upper left corner that is there for its readers; all of it by default.
    """

    def __init__(self, image: Image.Image, pixels: bytes | None = None, size: tuple[int, int] | None = None) -> None:
        """Read the pixels of ``image``, or ``pixels``, where its decoder gave them as bytes (`decoder_bytes`)."""
        self.image = image
        self._pixels = pixels
        self._whole = image if pixels is None else _mapped(image, pixels)
        self.width, self.height = self.size = size or image.size

    def crop(self, box: Box) -> Image.Image:
        """Copy the part between left, top, right and bottom."""
        return _plain(self._part(box))

    def grey(self, box: Box) -> Image.Image:
        """The part between left, top, right and bottom as grey levels."""
        part = self._part(box)
        return (part if part.mode == "RGBX" else _plain(part)).convert("L")

    def reduced(self, factor: int) -> Image.Image:
        """Each ``factor`` x ``factor`` pixels as one, their mean."""
        if factor == 1:
            return self.crop((0, 0, self.width, self.height))
        if self._whole is not None and self._whole.mode in _REDUCED_AT_ONCE:
            return _plain(self._whole.reduce(factor, (0, 0, self.width, self.height)))
        rows = max(1, _BAND // self.width // factor) * factor
        small: Image.Image | None = None
        for top in range(0, self.height, rows):
            part = self.crop((0, top, self.width, min(top + rows, self.height))).reduce(factor)
            if small is None:
                small = Image.new(part.mode, (part.width, -(-self.height // factor)))
            small.paste(part, (0, top // factor))
        assert small is not None  # noqa: S101 - a picture has a row
        return small

    def _part(self, box: Box) -> Image.Image:
        if self._whole is not None:
            return self._whole.crop(box)
        assert self._pixels is not None  # noqa: S101 - there is one or the other
        left, top, right, bottom = box
        band = self._rows(self._pixels, top, bottom)
        return band if (left, right) == (0, band.width) else band.crop((left, 0, right, bottom - top))

    def _rows(self, pixels: bytes, top: int, bottom: int) -> Image.Image:
        width, height = self.image.size
        stride = len(pixels) // height
        part = memoryview(pixels)[top * stride : bottom * stride]
        return Image.frombytes(self.image.mode, (width, bottom - top), part, "raw", _raw_mode(self.image))


_REDUCED_AT_ONCE = ("L", "RGB", "RGBX")
"""Of other modes Pillow makes a second copy first."""


def _mapped(image: Image.Image, pixels: bytes) -> Image.Image | None:
    """A decoder's bytes as a picture, without a copy of them; None where they don't lie as Pillow's pixels do."""
    raw = _raw_mode(image)
    if raw not in ("RGBX", "RGBA") or len(pixels) != 4 * image.width * image.height:
        return None
    return Image.frombuffer(raw, image.size, pixels, "raw", raw, 0, 1)


def _raw_mode(image: Image.Image) -> str:
    raw: str = getattr(image, "rawmode", image.mode)
    return raw


def decoder_bytes(image: Image.Image, frame: int) -> bytes | None:
    """Decode a frame, each in turn, and return it as its decoder gives it; None for a format whose plugin does not do so.

    Raises EOFError where the decoder finds no such frame, and what else it raises.
    """
    decoder: Any = getattr(image, "_decoder", None)
    if decoder is None or image.format not in ("WEBP", "AVIF"):
        return None
    answer = decoder.get_next() if image.format == "WEBP" else decoder.get_frame(frame)
    if answer is None:
        raise EOFError("the decoder failed at the next frame")
    pixels: bytes = answer[0]
    return pixels


def forget_decoder(image: Image.Image) -> None:
    """Free what the decoder of a frame's bytes holds: twice its canvas for WebP. No further frame can be had."""
    if hasattr(image, "_decoder"):
        image._decoder = None


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode == "RGBX":
        return image.convert("RGB")
    if image.mode.startswith("I"):  # 16 bits of grey; convert() would cut all above 255.
        return image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


_SRGB_AREA = 0.1121
"""Of the triangle of sRGB's primaries in the xy plane (IEC 61966-2-1)."""
_WIDER = 1.1
"""Profiles that differ from sRGB by rounding or by another white are not wide."""
_SHIFT = 6
"""Levels that a colour has to move by when it is forced into sRGB, to count as outside of it."""
_SHARE = 0.002
"""Share of the pixels that have to be outside: single ones are compression noise."""


def describe_profile(profile: object, picture: Image.Image) -> tuple[str | None, str | None]:
    """The description of a profile, and ``used`` or ``unused`` when it is wider than sRGB.

    ``picture`` is a small copy in RGB with the profile's own values. A profile that can't be read has neither.
    """
    if not isinstance(profile, bytes) or not profile:
        return None, None
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile))
        name = str(opened.profile.profile_description or "").strip()[:200] or None
        if str(opened.profile.xcolor_space).strip() != "RGB" or _area(opened.profile) < _SRGB_AREA * _WIDER:
            return name, None
        return name, "used" if _outside(picture, opened) > _SHARE else "unused"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None, None


def _area(profile: Any) -> float:
    """Of the triangle of the profile's primaries in the xy plane; 0 for a profile that tells none."""
    primaries = [profile.red_primary, profile.green_primary, profile.blue_primary]
    if not all(primaries):
        return 0.0
    (ax, ay), (bx, by), (cx, cy) = (primary[1][:2] for primary in primaries)
    return float(abs(ax * (by - cy) + bx * (cy - ay) + cx * (ay - by)) / 2)


def _outside(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> float:
    """The share of pixels that come back changed from a way to sRGB and back."""
    srgb = ImageCms.createProfile("sRGB")
    there = ImageCms.profileToProfile(picture, profile, srgb)
    back = ImageCms.profileToProfile(there, srgb, profile) if there is not None else None
    if back is None:
        return 0.0
    red, green, blue = ImageChops.difference(picture, back).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    return sum(most[_SHIFT:]) / (picture.width * picture.height)


THUMBNAIL_SIDE = 320
SCALES = (0.94, 0.8, 0.65, 0.52, 0.42, 0.32, 0.22, 0.15, 0.12)
"""The scales of `Look.detail`."""
_TILE = 192
_SMALLEST = 64
_CELLS = 12
_SAYS_SOMETHING = 3.6
"""Grey levels lost at the smallest scale under which no curve of detail accuses a picture: a tenth less than the rule asks for."""
_TEXTURE_SIDES = (160, 80)
_UNKNOWN = 0.72
"""Share of the width that is measured where no sibling's width is known: who has more than that has more than each narrower one."""
# WebP takes ten times as long as JPEG, which has no transparency.
_OPAQUE: dict[str, object] = {"format": "JPEG", "quality": 80}
_CLEAR: dict[str, object] = {"format": "WEBP", "quality": 75, "method": 0}
_ESTIMATED_PIXELS = 2_000_000
_ESTIMATES = (
    ("webp", {"format": "WEBP", "quality": 80, "method": 4}),
    ("avif", {"format": "AVIF", "quality": 80, "speed": 8, "max_threads": 1}),
)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What puts a picture upright, by its EXIF orientation."""


_Box = tuple[int, int, int, int]


def look_at(
    raster: Raster,
    facts: ImageFacts,
    *,
    estimate: bool = False,
    widths: tuple[int, ...] = (),
    shrink: int = 1,
    thumbnail: bool = True,
) -> Look:
    """Measure a frame; ``estimate`` also encodes it anew, which takes far longer than the rest.

    One that was decoded with its sides divided by ``shrink`` has lost its details: they are not measured.
    """
    image = raster.image
    small = raster.reduced(max(1, max(raster.size) // THUMBNAIL_SIDE))
    flat = _on_white(small)
    grey = flat.convert("L")
    tile = _busiest(raster.size, grey) if min(raster.size) >= _SMALLEST and shrink == 1 else None
    measured, detail = _measured(raster, tile, widths, on_its_side=facts.on_its_side)
    shown = _as_shown(small, facts)
    profile, wide = describe_profile(image.info.get("icc_profile"), flat)
    return Look(
        colours=_squeezed(flat if shown is small else _on_white(shown)),
        opacity=_opacity(shown),
        detail=detail,
        thumbnail=_thumbnail(raster, facts) if thumbnail else b"",
        personal=personal_entries(image.getexif()),
        profile=profile,
        wide=wide,
        estimates=_estimates(raster) if estimate and shrink == 1 else (),
        regained=measured,
        texture=_texture(grey),
    )


def _texture(grey: Image.Image) -> tuple[tuple[int, float, float], ...]:
    found = []
    for side in _TEXTURE_SIDES:
        if side <= max(grey.size):
            grey = _shrunk(grey, side)
            found.append((side, *_texture_of(grey)))
    return tuple(found)


def _shrunk(grey: Image.Image, side: int) -> Image.Image:
    """A picture with a longer side of ``side`` pixels: the means of as many pixels, where their number is whole, or nearly so."""
    longer = max(grey.size)
    if longer % side == 0:
        return grey.reduce(longer // side)
    return grey.resize([max(2, round(each * side / longer)) for each in grey.size], Image.Resampling.BICUBIC)


def _texture_of(grey: Image.Image) -> tuple[float, float]:
    width, height = grey.size
    across = ImageChops.difference(grey.crop((1, 0, width, height)), grey.crop((0, 0, width - 1, height)))
    down = ImageChops.difference(grey.crop((0, 1, width, height)), grey.crop((0, 0, width, height - 1)))
    third = grey.resize((max(1, width // 3), max(1, height // 3)), Image.Resampling.BOX)
    lost = ImageChops.difference(grey, third.resize(grey.size, Image.Resampling.BICUBIC))
    return round((_mean(across) + _mean(down)) / 2, 3), round(_rms(lost), 3)


_LEVELS = range(256)
_SQUARES = tuple(level * level for level in _LEVELS)


def _mean(grey: Image.Image) -> float:
    counts = grey.histogram()
    return float(sum(map(mul, counts, _LEVELS))) / max(1, sum(counts))


def _rms(grey: Image.Image) -> float:
    counts = grey.histogram()
    return sqrt(sum(map(mul, counts, _SQUARES)) / max(1, sum(counts)))


def _thumbnail(raster: Raster, facts: ImageFacts) -> bytes:
    small = raster.reduced(max(1, max(raster.size) // (2 * THUMBNAIL_SIDE)))
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    shown = _as_shown(small, facts)
    return _save(shown, _CLEAR if shown.mode == "RGBA" else _OPAQUE)


def _as_shown(small: Image.Image, facts: ImageFacts) -> Image.Image:
    """A small copy upright, and of the shape that a browser shows."""
    if facts.corrected is not None:
        width, height = facts.corrected
        scale = max(small.size) / max(width, height)
        small = small.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC)
    turn = _UPRIGHT.get(facts.orientation or 1)
    return small if turn is None else small.transpose(turn)


def _squeezed(image: Image.Image) -> bytes:
    # By far the most of it is done by means of whole pixels, which take a tenth of the time.
    return image.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0).tobytes()


def _opacity(image: Image.Image) -> bytes:
    if image.mode != "RGBA":
        return b""
    opacity = image.getchannel("A")
    return b"" if opacity.getextrema() == (255, 255) else _squeezed(opacity)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _save(image: Image.Image, options: dict[str, object]) -> bytes:
    out = io.BytesIO()
    image.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _measured(
    raster: Raster, box: _Box | None, widths: tuple[int, ...], *, on_its_side: bool
) -> tuple[tuple[Regained, ...], tuple[tuple[float, float], ...]]:
    """What tells an enlarged picture, of its busiest part: `Look.regained` and `Look.detail`."""
    if box is None:
        return (), ()
    tile = raster.grey(box)
    coarse = _missing(tile, SCALES[-1])
    lost = _rms(coarse)
    measured = () if _is_soft(coarse) else _regained(raster, box, widths, on_its_side=on_its_side)
    if lost < _SAYS_SOMETHING or (measured and all(each.has_more for each in measured)):
        return measured, ()
    finer = tuple((scale, round(_rms(_missing(tile, scale)), 3)) for scale in SCALES[:-1])
    return measured, (*finer, (SCALES[-1], round(lost, 3)))


def _is_soft(coarse: Image.Image) -> bool:
    """Whether so little is lost around the centre when nearly all is taken away that no width can say anything.

    A tenth is left for the places where the grids of the measurements differ.
    """
    rim = [(side - min(side, _SIDE)) // 2 for side in coarse.size]
    inner = coarse.crop((rim[0], rim[1], coarse.width - rim[0], coarse.height - rim[1]))
    return _rms(inner) < 0.9 * SAYS_LITTLE


def _regained(raster: Raster, box: _Box, widths: tuple[int, ...], *, on_its_side: bool) -> tuple[Regained, ...]:
    left, top, right, bottom = box
    centre = ((left + right) // 2, (top + bottom) // 2)
    measured = regained(raster, centre, widths, on_its_side=on_its_side)
    if measured:
        return measured
    unknown = (round(_UNKNOWN * (raster.height if on_its_side else raster.width)),)
    # With little detail there, what is lost beyond it says nothing.
    return tuple(m for m in regained(raster, centre, unknown, on_its_side=on_its_side) if m.below >= SAYS_LITTLE)


def _busiest(size: tuple[int, int], grey: Image.Image) -> _Box:
    """The box of the tile, in pixels of the whole picture, around the place that has the most edges in the small one."""
    edges = grey.filter(ImageFilter.FIND_EDGES)
    # The filter marks the rim of every picture.
    inner = edges.crop((1, 1, edges.width - 1, edges.height - 1)) if min(edges.size) > 2 else edges
    cells = inner.resize((_CELLS, _CELLS), Image.Resampling.BOX).tobytes()
    at = max(range(len(cells)), key=cells.__getitem__)
    centre = ((at % _CELLS + 0.5) / _CELLS, (at // _CELLS + 0.5) / _CELLS)
    left, top = (
        round(min(max(part * side - _TILE / 2, 0), max(side - _TILE, 0)))
        for part, side in zip(centre, size, strict=True)
    )
    return left, top, min(left + _TILE, size[0]), min(top + _TILE, size[1])


def _missing(tile: Image.Image, scale: float) -> Image.Image:
    """What shrinking to a scale takes away."""
    shrunk = tile.resize([max(1, round(side * scale)) for side in tile.size], Image.Resampling.LANCZOS)
    return ImageChops.difference(tile, shrunk.resize(tile.size, Image.Resampling.LANCZOS))


def _estimates(raster: Raster) -> tuple[tuple[str, int], ...]:
    """Sizes in bytes at quality 80; of a large picture the middle is encoded, and stands for all of it."""
    width, height = raster.size
    share = min(1.0, (_ESTIMATED_PIXELS / (width * height)) ** 0.5)
    inner = (max(1, round(width * share)), max(1, round(height * share)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    part = raster.crop((left, top, left + inner[0], top + inner[1]))
    scale = width * height / (inner[0] * inner[1])
    return tuple((name, round(len(_save(part, dict(options))) * scale)) for name, options in _ESTIMATES)


_SIDE = 128
_MARGIN = 4
_ROUNDS = 2
_NEAREST, _FURTHEST = 0.85, 0.2
"""Ratios of widths between which something can be told."""
_MOST = 5
_FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
"""What the first reproduces badly after its rounds, the second does not reproduce well: see `_HOPELESS`."""
_HOPELESS = 0.8
_UNLIKELY = 0.7
"""What is lost of the detail below before any correction, beyond which a picture was not enlarged: docs/decisions/0064."""
_FLAT, _DRAWN = 3.0, 3.5
"""Bits of the histogram of 32 grey levels below which a part is drawn rather than photographed, and may be."""
_BELOW = 0.7

_Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A part of the narrower picture, ``n`` pixels that start at ``x``, ``y``; ``sx`` and ``sy`` are its scale."""

    x: int
    y: int
    n: tuple[int, int]
    sx: float
    sy: float

    def cover(self, inset: int = 0) -> _Area:
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
    target = raster.grey(within)
    bits = _bits(target)
    shrunk = [max(1, round(side * grid.sx * _BELOW)) for side in target.size]
    lanczos = Image.Resampling.LANCZOS
    below = _gap(target, target.resize(shrunk, lanczos).resize(target.size, lanczos), grid)
    cover = raster.grey(around)
    box = _shifted(outer, around[:2], cover.size)
    if below < SAYS_LITTLE:
        # It says nothing about where the picture comes from, but that it may just be soft: no need to be exact.
        narrow = cover.resize(grid.n, Image.Resampling.BICUBIC, box)
        soft = _gap(target, _up(narrow, target, within, grid, Image.Resampling.BICUBIC), grid)
        return Regained(width, round(below, 3), round(soft, 3), round(below, 3), bits < _DRAWN)
    nearest = Image.Resampling.NEAREST
    # Drawings made for two densities have their edges on the grid of the smaller one by right, as repeated pixels have.
    blocks = (
        below
        if bits < _FLAT
        else _gap(target, _up(cover.resize(grid.n, nearest, box), target, within, grid, nearest), grid)
    )
    narrow = cover.resize(grid.n, Image.Resampling.BICUBIC, box)
    soft = _gap(target, _up(narrow, target, within, grid, _FILTERS[0]), grid)
    kernels = () if soft > _UNLIKELY * below else _FILTERS
    for kernel in kernels:
        soft = min(soft, _softly(narrow.copy(), target, within, grid, kernel))
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


def _shifted(box: _Area, origin: tuple[int, int], limit: tuple[int, int]) -> _Area:
    x, y = origin
    return max(0.0, box[0] - x), max(0.0, box[1] - y), min(limit[0], box[2] - x), min(limit[1], box[3] - y)


def _gap(one: Image.Image, other: Image.Image, grid: _Grid) -> float:
    """Root mean square of the difference, in grey levels, away from the rim."""
    rim = round(_MARGIN / grid.sx)
    inside = (rim, rim, max(rim + 1, one.width - rim), max(rim + 1, one.height - rim))
    return _rms(ImageChops.difference(one, other).crop(inside))


def _bits(grey: Image.Image) -> float:
    counts = grey.histogram()
    total = sum(counts)
    shares = (sum(counts[at : at + 8]) / total for at in range(0, 256, 8))
    return -sum(share * log2(share) for share in shares if share)

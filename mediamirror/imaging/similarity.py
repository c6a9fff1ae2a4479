"""Measurements of a decoded picture, for comparing it with its siblings. Imported in worker processes only.

Everything is taken from pixels that are in memory anyway, mostly from a reduced copy, so that it costs a small part of
decoding them, and no second copy of them is made.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageChops, ImageCms, ImageFilter, ImageStat

from mediamirror.imaging.enlarged import regained
from mediamirror.imaging.exif import personal_entries
from mediamirror.imaging.raster import Raster
from mediamirror.model import LOOK_SIDE, ImageFacts, Look, Regained

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
_TEXTURE_SIDES = (160, 80)
_LITTLE = 3.0
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
    raster: Raster, facts: ImageFacts, *, estimate: bool = False, widths: tuple[int, ...] = (), shrink: int = 1
) -> Look:
    """Measure a frame; ``estimate`` also encodes it anew, which takes far longer than the rest.

    One that was decoded with its sides divided by ``shrink`` has lost its details: they are not measured.
    """
    image = raster.image
    small = raster.reduced(max(1, max(raster.size) // (2 * THUMBNAIL_SIDE)))
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    tile = _busiest(raster.size, small) if min(raster.size) >= _SMALLEST else None
    measured = () if shrink > 1 else _regained(raster, tile, widths, on_its_side=facts.on_its_side)
    shown = _as_shown(small, facts)
    profile, wide = describe_profile(image.info.get("icc_profile"), _on_white(small))
    return Look(
        colours=_squeezed(_on_white(shown)),
        opacity=_opacity(shown),
        detail=_detail(raster, tile) if shrink == 1 and _wants_curve(measured) else (),
        thumbnail=_save(shown, _CLEAR if shown.mode == "RGBA" else _OPAQUE),
        personal=personal_entries(image.getexif()),
        profile=profile,
        wide=wide,
        estimates=_estimates(raster) if estimate and shrink == 1 else (),
        regained=measured,
        texture=_texture(_on_white(small).convert("L")),
    )


def _texture(grey: Image.Image) -> tuple[tuple[int, float, float], ...]:
    longer = max(grey.size)
    return tuple((side, *_texture_at(grey, side / longer)) for side in _TEXTURE_SIDES if side <= longer)


def _texture_at(grey: Image.Image, scale: float) -> tuple[float, float]:
    if scale in (0.5, 0.25):
        grey = grey.reduce(round(1 / scale))
    else:
        grey = grey.resize([max(2, round(side * scale)) for side in grey.size], Image.Resampling.BICUBIC)
    width, height = grey.size
    across = ImageChops.difference(grey.crop((1, 0, width, height)), grey.crop((0, 0, width - 1, height)))
    down = ImageChops.difference(grey.crop((0, 1, width, height)), grey.crop((0, 0, width, height - 1)))
    third = grey.resize((max(1, width // 3), max(1, height // 3)), Image.Resampling.BOX)
    lost = ImageChops.difference(grey, third.resize(grey.size, Image.Resampling.BICUBIC))
    step = (ImageStat.Stat(across).mean[0] + ImageStat.Stat(down).mean[0]) / 2
    return round(step, 3), round(ImageStat.Stat(lost).rms[0], 3)


def _as_shown(small: Image.Image, facts: ImageFacts) -> Image.Image:
    """A small copy upright, and of the shape that a browser shows."""
    if facts.corrected is not None:
        width, height = facts.corrected
        scale = max(small.size) / max(width, height)
        small = small.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC)
    turn = _UPRIGHT.get(facts.orientation or 1)
    return small if turn is None else small.transpose(turn)


def _squeezed(image: Image.Image) -> bytes:
    return image.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BICUBIC).tobytes()


def _opacity(image: Image.Image) -> bytes:
    if image.mode != "RGBA":
        return b""
    opacity = image.getchannel("A")
    return b"" if opacity.getextrema() == (255, 255) else _squeezed(opacity)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _save(image: Image.Image, options: dict[str, object]) -> bytes:
    out = io.BytesIO()
    image.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _detail(raster: Raster, box: _Box | None) -> tuple[tuple[float, float], ...]:
    if box is None:
        return ()
    tile = raster.crop(box).convert("L")
    return tuple((scale, round(_lost(tile, scale), 3)) for scale in SCALES)


def _wants_curve(measured: tuple[Regained, ...]) -> bool:
    """Whether the curve of detail can still say something: it takes half as long as decoding a photograph of 1,280 pixels."""
    return not measured or any(not each.has_more for each in measured)


def _regained(raster: Raster, box: _Box | None, widths: tuple[int, ...], *, on_its_side: bool) -> tuple[Regained, ...]:
    if box is None:
        return ()
    left, top, right, bottom = box
    centre = ((left + right) // 2, (top + bottom) // 2)
    if widths:
        return regained(raster, centre, widths, on_its_side=on_its_side)
    unknown = (round(_UNKNOWN * (raster.height if on_its_side else raster.width)),)
    # With little detail there, what is lost beyond it says nothing.
    return tuple(m for m in regained(raster, centre, unknown, on_its_side=on_its_side) if m.below >= _LITTLE)


def _busiest(size: tuple[int, int], small: Image.Image) -> _Box:
    """The box of the tile, in pixels of the whole picture, around the place that has the most edges in the small one."""
    edges = small.convert("L").filter(ImageFilter.FIND_EDGES)
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


def _lost(tile: Image.Image, scale: float) -> float:
    """Root mean square of what shrinking to a scale takes away."""
    shrunk = tile.resize([max(1, round(side * scale)) for side in tile.size], Image.Resampling.LANCZOS)
    again = shrunk.resize(tile.size, Image.Resampling.LANCZOS)
    return float(ImageStat.Stat(ImageChops.difference(tile, again)).rms[0])


def _estimates(raster: Raster) -> tuple[tuple[str, int], ...]:
    """Sizes in bytes at quality 80; of a large picture the middle is encoded, and stands for all of it."""
    width, height = raster.size
    share = min(1.0, (_ESTIMATED_PIXELS / (width * height)) ** 0.5)
    inner = (max(1, round(width * share)), max(1, round(height * share)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    part = raster.crop((left, top, left + inner[0], top + inner[1]))
    scale = width * height / (inner[0] * inner[1])
    return tuple((name, round(len(_save(part, dict(options))) * scale)) for name, options in _ESTIMATES)

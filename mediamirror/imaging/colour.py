"""Embedded colour profiles (ICC.1): what they are called, and whether a picture has colours that sRGB lacks.

Imported in worker processes only: profiles are as hostile as pixels.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageChops, ImageCms

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

"""Widths told by file names, the way image sets are named in the wild.

A number in a file name is rarely a width: it is a year, a date, a counter, an id. So a tag counts in two cases only: it has a form
that nothing else has, or it stands at the end of the name and equals a width descriptor of the same image set.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from mediamirror.lint.formats import file_name, split_extensions

_SURE = (
    # Spatie's media library: name___conversion_width_height, and this family's name-sm-___webp_480.
    re.compile(r"___(?P<tag>[A-Za-z][A-Za-z0-9_-]{0,60}?_(?P<width>\d{2,5})(?:_\d{2,5})?)\Z", re.ASCII),
    # WordPress and many others: name-300x200. Aspect ratios (16x9) have one digit or two.
    re.compile(r"[-_](?P<tag>(?P<width>\d{2,5})x\d{2,5})\Z", re.ASCII),
    # name-480w, name_480w, name@480w, name.480w; or the tag alone.
    re.compile(r"(?:^|[-_@.])(?P<tag>(?P<width>\d{2,5})w)\Z", re.ASCII | re.IGNORECASE),
    # name-w480, name_w480, name@w480, name_w_480, w480.
    re.compile(r"(?:^|[-_@.])(?P<tag>w_?(?P<width>\d{2,5}))\Z", re.ASCII | re.IGNORECASE),
)
_MAYBE = re.compile(r"[-_@.](?P<tag>(?P<width>\d{2,5})(?:px)?)\Z", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d+)x(\d+)", re.ASCII)
_LONGEST = 80
"""Tags stand at the end of a name and are short: no more of it is searched."""
_RATIOS = 32
"""Sides below this many pixels are ratios or icons, not rungs."""


@dataclass(frozen=True, slots=True)
class WidthTag:
    """A width in pixels that a file name tells, and the piece of the name that tells it."""

    width: int
    text: str


def width_tag(url: str, known_widths: Collection[int] = ()) -> WidthTag | None:
    """The width that a URL's file name promises, or None.

    ``known_widths`` are the width descriptors of the image set that the URL belongs to: only they make a width of a bare number
    (``name_480.webp``).
    """
    stem = split_extensions(file_name(url))[0][-_LONGEST:]
    for form in _SURE:
        if (found := form.search(stem)) is not None:
            return _sure(found)
    found = _MAYBE.search(stem)
    if found is not None and int(found["width"]) in known_widths:
        return WidthTag(int(found["width"]), found["tag"])
    return None


def _sure(found: re.Match[str]) -> WidthTag | None:
    width, size = int(found["width"]), _SIZE.fullmatch(found["tag"])
    small = min(int(size[1]), int(size[2])) < _RATIOS if size else width == 0
    return None if small else WidthTag(width, found["tag"])

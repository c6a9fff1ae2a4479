"""Tell by its name whether a URL leads to an image file."""

from __future__ import annotations

import re

_EXTENSION = re.compile(
    r"\.(?:jpe?g|jfif|pjpeg|png|apng|webp|avif|gif|svgz?|bmp|ico|cur|tiff?|heic|heif|jxl|jp2)\Z", re.IGNORECASE
)
_TAIL = 16


def has_image_extension(url: str) -> bool:
    """Say whether the path of a URL, absolute or not, ends like an image file."""
    cut = min((at for mark in "?#" if (at := url.find(mark)) >= 0), default=len(url))
    return _EXTENSION.search(url[max(0, cut - _TAIL) : cut].rstrip()) is not None


def is_image_type(mime: str | None) -> bool:
    """Say whether a MIME type is an image's, by its essence."""
    return mime is not None and mime.strip().lower().startswith("image/")

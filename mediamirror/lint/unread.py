"""Pictures in formats that browsers show and that are not read here. Where a page promises one, one is what it should get."""

from __future__ import annotations

from mediamirror.errors import FetchError, ImageError, NotAnImage
from mediamirror.lint.formats import essence, file_name, format_of_extension, split_extensions
from mediamirror.model import Download, ImageFacts, Variant

_SHOWN = frozenset({"svg", "ico", "bmp"})
"""Formats that every browser shows, so that a name or a Content-Type is promise enough."""
_TYPES = {
    "image/svg+xml": "svg",
    "image/x-icon": "ico", "image/vnd.microsoft.icon": "ico",
    "image/bmp": "bmp", "image/x-ms-bmp": "bmp",
    "image/jxl": "jxl", "image/jp2": "jp2", "image/heic": "heic", "image/heif": "heic", "image/tiff": "tiff",
}  # fmt: skip
"""Types that a ``source`` may name: browsers that can't show the format go on to the next source."""


def some_browser_shows(mime: str) -> bool:
    """Whether a type is one of those that are not read here and that some browser decodes."""
    return essence(mime) in _TYPES


def unread_kind(
    variant: Variant, result: ImageFacts | ImageError | FetchError, download: Download | None
) -> str | None:
    """The format of a picture that is what the page promises, and can't be looked into; None for every other file.

    Promises are the ``type`` of a ``source``, and of an SVG drawing, an icon or a BMP also the file's name or its Content-Type.
    """
    if not isinstance(result, NotAnImage) or result.kind is None:
        return None
    promised = {_TYPES.get(essence(promise.mime)) for promise in variant.promises if promise.mime}
    if result.kind in _SHOWN:
        promised.add(format_of_extension(split_extensions(file_name(variant.url))[1]))
        promised.add(_TYPES.get(download.content_type or "") if download else None)
    return result.kind if result.kind in promised else None

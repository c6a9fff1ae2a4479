"""What names promise: file extensions, MIME types, the widths that file names tell.

A number in a file name is rarely a width: it is a year, a date, a counter, an id. So a width tag counts in two cases only: it has a
form that nothing else has, or it stands at the end of the name and equals a width descriptor of the same image set.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

from mediamirror.errors import FetchError, ImageError, NotAnImage
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Download, ImageFacts, Variant

_SURE = (
    # Spatie's media library: name___conversion_width_height, and this family's name-sm-___webp_480.
    pattern(r"___(?P<tag>[A-Za-z][A-Za-z0-9_-]{0,60}?_(?P<width>\d{2,5})(?:_\d{2,5})?)\Z", re.ASCII),
    # WordPress and many others: name-300x200. Aspect ratios (16x9) have one digit or two.
    pattern(r"[-_](?P<tag>(?P<width>\d{2,5})x(?P<height>\d{2,5}))\Z", re.ASCII),
    # name-480w, name_480w, name@480w, name.480w; or the tag alone.
    pattern(r"(?:^|[-_@.])(?P<tag>(?P<width>\d{2,5})w)\Z", re.ASCII | re.IGNORECASE),
    # name-w480, name_w480, name@w480, name_w_480, w480.
    pattern(r"(?:^|[-_@.])(?P<tag>w_?(?P<width>\d{2,5}))\Z", re.ASCII | re.IGNORECASE),
)
_MAYBE = pattern(r"[-_@.](?P<tag>(?P<width>\d{2,5})(?:px)?)\Z", re.ASCII | re.IGNORECASE)
_SIZE = pattern(r"(\d+)x(\d+)", re.ASCII)
_LONGEST = 80
"""Tags stand at the end of a name and are short: no more of it is searched."""
_RATIOS = 32
"""Sides below this many pixels are ratios or icons, not rungs."""


@dataclass(frozen=True, slots=True)
class WidthTag:
    """A width in pixels that a file name tells, and the piece of the name that tells it.

    With a ``height`` it is a box: the file fills one of its sides, as ``max-600x600`` and WordPress's thumbnails do.
    """

    width: int
    text: str
    height: int | None = None

    @property
    def sides(self) -> tuple[int, ...]:
        """The sizes in pixels, one of which the file has."""
        return (self.width,) if self.height is None else (self.width, self.height)


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
    return None if small else WidthTag(width, found["tag"], int(size[2]) if size else None)


_EXTENSIONS = {
    "avif": "avif", "avifs": "avif",
    "gif": "gif", "gifv": "gifv",
    "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "jif": "jpeg", "jfi": "jpeg", "pjpeg": "jpeg", "pjp": "jpeg",
    "png": "png", "apng": "png",
    "webp": "webp",
    "bmp": "bmp", "heic": "heic", "heif": "heif", "ico": "ico", "jp2": "jp2", "jxl": "jxl", "svg": "svg",
    "tif": "tiff", "tiff": "tiff",
}  # fmt: skip

# image/jpg, image/x-png and their like are registered nowhere, and every browser takes them for what they mean.
_MIME_TYPES = {
    "image/avif": "avif", "image/avif-sequence": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/pjpeg": "jpeg", "image/x-jpeg": "jpeg",
    "image/png": "png", "image/x-png": "png", "image/apng": "png", "image/vnd.mozilla.apng": "png",
    "image/webp": "webp", "image/x-webp": "webp",
}  # fmt: skip

VAGUE_TYPES = frozenset({
    "application/octet-stream", "binary/octet-stream", "application/x-octet-stream", "application/unknown", "image/*",
    "*/*",
})  # fmt: skip
"""Content types that say nothing about the format."""


def file_name(url: str) -> str:
    """The last segment of a URL's path, percent-decoded; empty when there is none."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def split_extensions(name: str) -> tuple[str, str]:
    """A file name's stem without any image extension, and the last extension (lower case) when it is an image one.

    >>> split_extensions("a-480.jpg.webp")
    ('a-480', 'webp')
    >>> split_extensions("show.php")
    ('show.php', '')
    """
    last = ""
    while True:
        stem, dot, extension = name.rpartition(".")
        extension = extension.lower()
        if not dot or extension not in _EXTENSIONS:
            return name, last
        name, last = stem, last or extension


def format_of_extension(extension: str) -> str | None:
    """The format that a file extension promises, or None for one that promises none."""
    return _EXTENSIONS.get(extension.lower())


def essence(mime: str) -> str:
    """A MIME type in lower case, without its parameters."""
    return mime.partition(";")[0].strip().lower()


def format_of_mime(mime: str) -> str | None:
    """The format that a MIME type names, or None when it names none that is read here."""
    return _MIME_TYPES.get(essence(mime))


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

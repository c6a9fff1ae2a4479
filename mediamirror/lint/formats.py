"""The names that an image format goes by: file extensions and MIME types."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

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

VAGUE_TYPES = frozenset(
    {
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-octet-stream",
        "application/unknown",
        "image/*",
        "*/*",
    }
)
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

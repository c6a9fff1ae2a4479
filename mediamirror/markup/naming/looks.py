"""What the spelling of a URL tells: whether it leads to an image, whether it can be a URL at all, whether two are one picture."""

from __future__ import annotations

import re
from itertools import islice

from mediamirror.first_use import pattern
from mediamirror.model import Span

_EXTENSION = pattern(
    r"\.(?:jpe?g|jfif|pjpeg|png|apng|webp|avif|gif|svgz?|bmp|ico|cur|tiff?|heic|heif|jxl|jp2)\Z", re.IGNORECASE
)
_EXTENSION_TAIL = 16


def has_image_extension(url: str) -> bool:
    """Say whether the path of a URL, absolute or not, ends like an image file."""
    cut = min((at for mark in "?#" if (at := url.find(mark)) >= 0), default=len(url))
    return _EXTENSION.search(url[max(0, cut - _EXTENSION_TAIL) : cut].rstrip()) is not None


def is_image_type(mime: str | None) -> bool:
    """Say whether a MIME type is an image's, by its essence."""
    return mime is not None and mime.strip().lower().startswith("image/")


MAX_LOOKED_AT = 8192
"""Longest value taken for one URL, in code points."""
_NO_URL = pattern(r"[\s\"'<>`\\^]")
_START = pattern(r"(?:https?:)?//[^\s/]|/[^\s/]|\.{1,2}/", re.IGNORECASE)
_SERVICE = pattern(
    r"/_next/image\?|/_image\?|/_ipx/|/_vercel/image\?|/cdn-cgi/image/|/image/(?:fetch|upload)/|/images?/resize/"
    r"|[?&](?:wx_fmt|fm|format|fmt|output)=(?:auto|jpe?g|pjpg|png|webp|avif|gif)(?![a-z])"
    r"|//(?:images\.unsplash\.com|miro\.medium\.com|images\.ctfassets\.net|cdn\.sanity\.io/images|mmbiz\.qpic\.cn"
    r"|lh\d\.googleusercontent\.com|i\.kinja-img\.com|substackcdn\.com/image|images\.prismic\.io)/",
    re.IGNORECASE,
)
_DESCRIPTOR = pattern(
    r"(?<=[ \t\r\n])[0-9]{1,9}(?:\.[0-9]{1,9})?[wx](?=[ \t\r\n]*+(?:[0-9]{1,9}h[ \t\r\n]*+|(?!))?+(?:,|\Z))"
)
_HEIGHT = pattern(r"[0-9]{1,9}h")
_LOOKED_BACK = 512
_MAX_DESCRIPTORS = 32


def is_url(text: str) -> bool:
    """Say whether a value is one URL as pages write them: absolute, or with a leading ``/`` or ``./``."""
    return is_one_word(text) and _START.match(text) is not None


def is_reference(text: str) -> bool:
    """Say whether a value can hold URLs at all, and not the name of an attribute or ``none``."""
    return "/" in text or "." in text


def is_one_word(text: str) -> bool:
    """Say whether a value can be one URL at all: not empty, not too long, free of spaces and quotes."""
    return 0 < len(text) <= MAX_LOOKED_AT and _NO_URL.search(text) is None


def is_image_url(text: str) -> bool:
    """Say whether a value is the URL of an image: by the extension of its path, or by the image service it names."""
    if has_image_extension(text):
        if names_page(text):
            return False
        return is_url(text) or (is_one_word(text) and "/" in text)
    return is_url(text) and _SERVICE.search(text) is not None


_JOINT = pattern(r"[,;|][ \t\r\n]*+(?=(?:https?:/|/))", re.IGNORECASE)
_WIKI_PAGE = pattern(r"[^\W\d_]{2,24}:[^/]")
_FILE_PAGES = ("//github.com/", "//gitlab.com/", "//api.github.com/")


def names_page(url: str) -> bool:
    """Say whether a URL that ends like an image file leads to a page about it: ``File:Kite.jpg``, a file at a code host."""
    path, _, query = url.partition("?")
    if _WIKI_PAGE.match(path, path.rfind("/") + 1) is not None:
        return True
    return any(host in url for host in _FILE_PAGES) and ("/blob/" in path or "//api." in path) and query[:3] != "raw"


def joined(text: str) -> list[Span]:
    """The places of the URLs in a value that joins several by ``,``, ``;`` or ``|``; none where it holds one, or something else.

    A comma may be part of a URL. One parts two where an image's ending stands before it and a scheme or a ``/`` behind it.
    """
    start = len(text) - len(text.lstrip())
    # Nearly every value ends here: it begins with no URL, or joins nothing.
    if _START.match(text, start) is None or not any(mark in text for mark in ",;|"):
        return []
    spans: list[Span] = []
    end = len(text.rstrip(" \t\r\n,;|"))
    for joint in _JOINT.finditer(text, start, end):
        if has_image_extension(text[start : joint.start()]):
            spans.append((start, start + len(text[start : joint.start()].rstrip())))
            start = joint.end()
    spans.append((start, end))
    parts = [text[slice(*span)] for span in spans]
    return spans if len(parts) > 1 and all(map(_is_joined, parts)) else []


def _is_joined(url: str) -> bool:
    return is_url(url) and (has_image_extension(url) or url[:4].lower() == "http")


def is_srcset_like(text: str) -> bool:
    """Say whether a value reads as a srcset: somewhere an image's URL, white space and a descriptor that ends there."""
    return ("w" in text or "x" in text) and any(
        _ends_described(text, match.start()) for match in islice(_DESCRIPTOR.finditer(text), _MAX_DESCRIPTORS)
    )


def _ends_described(text: str, descriptor: int) -> bool:
    words = text[max(0, descriptor - _LOOKED_BACK) : descriptor].split()
    if words and _HEIGHT.fullmatch(words[-1]):
        words.pop()
    return bool(words) and (has_image_extension(words[-1]) or _START.match(words[-1]) is not None)


_WORD = pattern(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")
_ORIGIN = pattern(r"(?:https?:)?(?:\\?/){2}[^/\\?#]*", re.IGNORECASE)
_SIZE = pattern(
    r"\d+|[wh]\d+|\d+[wh]|\d+x\d*|x\d+|xs|sm|md|lg|x{1,3}l|thumb|small|medium|large|mini|full|original|scaled",
    re.IGNORECASE,
)


def same_stem(one: str, other: str) -> bool:
    """Say whether two URLs differ only in words that name a size (``480``, ``w480``, ``300x200``, ``sm``, ``2x``)."""
    words, others = _WORD.findall(one), _WORD.findall(other)
    if len(words) != len(others):
        return False
    return all(a == b or (_SIZE.fullmatch(a) and _SIZE.fullmatch(b)) for a, b in zip(words, others, strict=True))


def same_host(one: str, other: str) -> bool:
    """Say whether two URLs start with the same scheme and host as written, or both with none."""
    origins = [_ORIGIN.match(url) for url in (one, other)]
    first, second = (origin[0].lower() if origin is not None else "" for origin in origins)
    return first == second

"""Tell by its looks whether a value that may be anything is an image's URL, or a srcset of them."""

from __future__ import annotations

import re
from itertools import islice

from mediamirror.markup.naming.image_names import has_image_extension

MAX_LOOKED_AT = 8192
"""Longest value taken for one URL, in code points."""
_NO_URL = re.compile(r"[\s\"'<>`\\^]")
_START = re.compile(r"(?:https?:)?//[^\s/]|/[^\s/]|\.{1,2}/", re.IGNORECASE)
_SERVICE = re.compile(
    r"/_next/image\?|/_image\?|/_ipx/|/_vercel/image\?|/cdn-cgi/image/|/image/(?:fetch|upload)/|/images?/resize/"
    r"|[?&](?:wx_fmt|fm|format|fmt|output)=(?:auto|jpe?g|pjpg|png|webp|avif|gif)(?![a-z])"
    r"|//(?:images\.unsplash\.com|miro\.medium\.com|images\.ctfassets\.net|cdn\.sanity\.io/images|mmbiz\.qpic\.cn"
    r"|lh\d\.googleusercontent\.com|i\.kinja-img\.com|substackcdn\.com/image|images\.prismic\.io)/",
    re.IGNORECASE,
)
_DESCRIPTOR = re.compile(r"(?<=[ \t\r\n])[0-9]{1,9}(?:\.[0-9]{1,9})?[wx](?=[ \t\r\n]*+(?:,|\Z))")
_LOOKED_BACK = 512
_MAX_DESCRIPTORS = 32


def is_url(text: str) -> bool:
    """Say whether a value is one URL as pages write them: absolute, or with a leading ``/`` or ``./``."""
    return is_one_word(text) and _START.match(text) is not None


def is_one_word(text: str) -> bool:
    """Say whether a value can be one URL at all: not empty, not too long, free of spaces and quotes."""
    return 0 < len(text) <= MAX_LOOKED_AT and _NO_URL.search(text) is None


def is_image_url(text: str) -> bool:
    """Say whether a value is the URL of an image: by the extension of its path, or by the image service it names."""
    if has_image_extension(text):
        return is_url(text) or (is_one_word(text) and "/" in text)
    return is_url(text) and _SERVICE.search(text) is not None


def is_srcset_like(text: str) -> bool:
    """Say whether a value reads as a srcset: somewhere an image's URL, white space and a descriptor that ends there."""
    return ("w" in text or "x" in text) and any(
        _ends_described(text, match.start()) for match in islice(_DESCRIPTOR.finditer(text), _MAX_DESCRIPTORS)
    )


def _ends_described(text: str, descriptor: int) -> bool:
    words = text[max(0, descriptor - _LOOKED_BACK) : descriptor].split()
    return bool(words) and (has_image_extension(words[-1]) or _START.match(words[-1]) is not None)

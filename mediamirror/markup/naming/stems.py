"""Tell whether two URLs are sizes of one picture, or of one site, by their spelling alone."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")
_ORIGIN = re.compile(r"(?:https?:)?(?:\\?/){2}[^/\\?#]*", re.IGNORECASE)
_SIZE = re.compile(
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

"""lazysizes' ``data-bgset``: srcset values parted by ``|``, each with ``[media]`` and ``[type: …]`` behind it.

https://github.com/aFarkas/lazysizes/tree/gh-pages/plugins/bgset
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BAR = re.compile(r"\s\|\s*|(?<=\S)\|\s+")
"""A bar with white space at a side; one without is part of a URL."""
_TYPE = re.compile(r"\(*\s*type\s*:\s*([^)]*?)\s*\)*", re.IGNORECASE)
_MAX_BRACKETS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a bgset: its srcset, where that starts in the value, and what is said about it."""

    srcset: str
    start: int
    media: str | None = None
    mime: str | None = None


def parts(value: str) -> list[Part]:
    """Part a ``data-bgset`` value into its sources, in order."""
    out: list[Part] = []
    start = 0
    for end, following in [*(m.span() for m in _BAR.finditer(value)), (len(value), len(value))]:
        part = _part(value[start:end], start)
        if part.srcset.strip():
            out.append(part)
        start = following
    return out


def _part(text: str, start: int) -> Part:
    media = mime = None
    rest = text.rstrip()
    for _ in range(_MAX_BRACKETS):
        opening = rest.rfind("[")
        if not rest.endswith("]") or opening < 0:
            break
        inner = rest[opening + 1 : -1].strip()
        kind = _TYPE.fullmatch(inner)
        if kind is not None:
            mime = kind[1] or None
        else:
            media = inner or None
        rest = rest[:opening].rstrip()
    return Part(rest, start, media, mime)

"""Words of a text, from a position backwards or forwards, without scanning it over and over."""

from __future__ import annotations

import re

from mediamirror.model import Span

_WORD = re.compile(r"\S+")
_WINDOW = 16384


def last_word(text: str, start: int, stop: int) -> Span | None:
    """Return the place of the last word of ``text[start:stop]``; a short window is tried first."""
    near = max(start, stop - _WINDOW)
    found = _last(text, near, stop)
    if near > start and (found is None or found[0] == near):
        return _last(text, start, stop)
    return found


def next_word(text: str, position: int) -> Span:
    """Return the place of the first word at or after a position, or an empty one at the end."""
    match = _WORD.search(text, position)
    return match.span() if match is not None else (len(text), len(text))


def _last(text: str, start: int, stop: int) -> Span | None:
    piece = text[start:stop]
    words = piece.rsplit(None, 1)
    if not words:
        return None
    end = start + len(piece.rstrip())
    return end - len(words[-1]), end

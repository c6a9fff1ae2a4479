"""What a URL looks like in plain text, and the clean-up it needs: glued prefixes, invisible characters, escapes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from urllib.parse import unquote

from mediamirror.first_use import dataclass, pattern

_UNSEEN = "\u00ad\u200b\u2060\ufeff"
_INVISIBLE = pattern(f"[{_UNSEEN}]+")
_SPACE_ESCAPED = pattern(r"&(?:nbsp|ensp|emsp|thinsp|#160|#xa0|#32|#x20);", re.IGNORECASE)
_NOT_PLAIN = pattern(f"{_INVISIBLE.pattern}|{_SPACE_ESCAPED.pattern}", re.IGNORECASE)
_SCHEME = pattern(r"https?:(?:\\?/){2}", re.IGNORECASE)
_ATTRIBUTE = pattern(r"[^=\s]{0,40}?[\w\-]=(?:\\?[\"']|&(?:quot|apos|#0?3[49]|#x2[27]);)", re.IGNORECASE)
_SRCSET = pattern(r"srcset=(?:\\?[\"']|&(?:quot|apos|#0?3[49]|#x2[27]);)")
_LINK = pattern(r"!?\[[^\]\s]{0,200}\]\(|[^\]\s]{0,200}\]\(")
_OPENERS = ",\"'`<([{“”«„‘"
_CLOSERS = {'"': '"', "'": "'", "`": "`", "<": ">", "“": "”", "«": "»", "„": "“", "‘": "’"}
_ENCODED = pattern(r"https?%(?:25){0,2}3A%(?:25){0,2}2F", re.IGNORECASE)
_EXTENSION = pattern(r"\.(?:jpe?g|jfif|png|apng|webp|avif|gif|svg|bmp|ico|tiff?|heic|jxl)(?:[?#]|$)", re.IGNORECASE)
_RELATIVE = pattern(r"//[^\s/]|/[^\s/]|\.\.?/|data:image/", re.IGNORECASE)
_BACKSLASHED = pattern(r"\\(?:u0026|([!-/:-@\[-`{-~]))")
_ESCAPED = pattern(r"&(?:amp|#0?38|#x26);", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visible:
    """Text without soft hyphens and zero-width spaces, escaped spaces as spaces, and the way back to the original positions."""

    text: str
    _removed: tuple[int, ...]
    _shifts: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the place of ``text[start:end]`` in the original text."""
        if not self._removed or end <= start:
            return self._at(start), self._at(start) + end - start
        return self._at(start), self._at(end - 1) + 1

    def _at(self, position: int) -> int:
        index = bisect_right(self._removed, position) - 1
        return position if index < 0 else position + self._shifts[index]


def visible(text: str) -> Visible:
    """Take the characters out that nobody sees and that cut a URL in two, and make ``&nbsp;`` and its like a space."""
    if "&" not in text and not any(mark in text for mark in _UNSEEN):
        return Visible(text, (), ())
    removed: list[int] = []
    shifts: list[int] = []
    shift = 0
    for match in _NOT_PLAIN.finditer(text):
        kept = 1 if match[0].startswith("&") else 0
        removed.append(match.start() - shift + kept)
        shift += match.end() - match.start() - kept
        shifts.append(shift)
    if not removed:
        return Visible(text, (), ())
    return Visible(
        _NOT_PLAIN.sub(lambda match: " " if match[0].startswith("&") else "", text), tuple(removed), tuple(shifts)
    )


def is_absolute(token: str) -> bool:
    """Say whether a token starts with http:// or https:// (slashes may be escaped as in JSON)."""
    return _SCHEME.match(token) is not None


def is_image_name(token: str) -> bool:
    """Say whether a token's path ends in an image extension."""
    return _EXTENSION.search(token) is not None


def is_url_like(token: str) -> bool:
    """Say whether a token can be a URL: a scheme, ``//``, ``/``, ``./``, ``data:image/`` or an image extension."""
    return is_absolute(token) or _RELATIVE.match(token) is not None or is_image_name(token)


def trim(token: str) -> tuple[int, int]:
    """Return where the URL starts and ends within a token: cuts glued prefixes, openers and the quote that closes them."""
    start, end = 0, len(token)
    attribute = _ATTRIBUTE.match(token)
    link = _LINK.match(token)
    cut = attribute or link
    if cut is not None and not is_absolute(token):
        start = cut.end()
    # Markdown with attributes (pandoc, Quarto): `](a.png?w=1){srcset="a-320.png 320w, …"}` is one word up to the blank.
    within = _SRCSET.match(token, token.rfind("srcset=")) if "srcset=" in token else None
    if within is not None:
        start = max(start, within.end())
    start += len(token) - start - len(token[start:].lstrip(_OPENERS))
    if not (is_absolute(token[start:]) or _RELATIVE.match(token, start)):
        scheme = _SCHEME.search(token, start)
        start = scheme.start() if scheme is not None else start
    closer = _CLOSERS.get(token[start - 1]) if start else None
    if closer is not None and end - start > 1 and token.endswith(closer):
        end -= 1
    return start, end


def unescaped(urls: Iterable[str]) -> bool:
    """Say whether the set's text was HTML-escaped: every ``&`` of its URLs is ``&amp;`` (and there is one)."""
    rows = list(urls)
    escaped = sum(len(_ESCAPED.findall(url)) for url in rows)
    return escaped > 0 and escaped == sum(url.count("&") for url in rows)


def unescape(url: str) -> str:
    """Undo HTML escaping of ampersands, once per level that is there (dumps are often escaped twice)."""
    for _ in range(3):
        once = _ESCAPED.sub("&", url)
        if once == url:
            break
        url = once
    return url


def decoded_whole(token: str) -> str | None:
    """Return the absolute URL that a token is, percent-encoded as a whole, once or several times; None if it is none."""
    url = token
    for _ in range(3):
        if _ENCODED.match(url) is None:
            break
        url = unquote(url)
    return url if url != token and is_absolute(url) else None


def without_backslashes(url: str) -> str:
    r"""Undo the escapes of JSON (``\/``, ``\u0026``) and of Markdown: a backslash before ASCII punctuation (CommonMark 2.4)."""
    return _BACKSLASHED.sub(lambda match: match[1] or "&", url) if "\\" in url else url

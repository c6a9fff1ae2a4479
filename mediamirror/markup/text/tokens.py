"""Tokens of a text dump: descriptor tokens, the URL before each, and what stands between two of them.

Before that, what a URL looks like in plain text, and the clean-up it needs: glued prefixes, invisible characters, escapes.

Linear in the text's length: one regular expression without backtracking finds the descriptors, and only the text since
the descriptor before is looked at for the URL.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

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


_WORD = pattern(r"\S+")
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


Mended = tuple[Span, str, tuple[str, ...]]

_BREAK = pattern(r"[ \t]*(?:\r\n?|\n)[ \t]*")
_SEPARATOR = pattern(r"\s*,[\s,]*")
_FILLED_COLUMN = 40
_MAX_PIECES = 40
_MAX_NAME = 512
_CONTINUED = tuple("-/_=&?%+~")


def rewrapped(text: str, region: int, last: Span) -> Mended | None:
    """Join a URL that was broken over lines, if its first piece fills a line and the whole makes an image's URL.

    ``last`` is the place of the last piece; nothing before ``region`` is looked at.
    """
    if not starts_line(text, region, last[0]):
        return None
    pieces = [text[slice(*last)]]
    at = last[0]
    for _ in range(_MAX_PIECES):
        before = last_word(text, max(region, at - 4096), at)
        if before is None or not _BREAK.fullmatch(text, before[1], at):
            return None
        at = before[0]
        start = _head(text[at : before[1]], pieces[-1])
        if start is not None:
            head = text[at + start : before[1]]
            url = head + "".join(reversed(pieces))
            return ((at + start, last[1]), url, ("wrapped",)) if _broken(text, before, head, url) else None
        pieces.append(text[at : before[1]])
    return None


def _head(piece: str, following: str) -> int | None:
    """Where a URL starts in a piece that ends a line, or None if it starts further up."""
    if "/" not in piece:
        # The break may fall into "https://" itself.
        return 0 if len(piece) < 8 and is_absolute(piece + following[:8]) else None
    cut, _ = trim(piece)
    return cut if is_absolute(piece[cut:] + following[:8]) else None


def starts_line(text: str, region: int, position: int) -> bool:
    """Say whether only spaces lie between a position and the line break before it."""
    while position > region and text[position - 1] in " \t":
        position -= 1
    return position > region and text[position - 1] in "\r\n"


def _broken(text: str, place: Span, head: str, url: str) -> bool:
    if head.endswith(",") or url.endswith(",") or is_image_name(head) or not is_image_name(url):
        return False
    start, end = place
    newline = max(text.rfind(mark, max(0, start - _FILLED_COLUMN), start) for mark in "\r\n")
    column = end - newline - 1 if newline >= 0 else end - max(0, start - _FILLED_COLUMN)
    return column >= _FILLED_COLUMN or head.endswith(_CONTINUED)


def respaced(text: str, region: int, last: Span) -> Mended | None:
    """Join a file name with spaces: all that stands between the comma of the candidate before and a descriptor."""
    separator = _SEPARATOR.match(text, region, last[1])
    if separator is None or not 0 < last[1] - separator.end() <= _MAX_NAME:
        return None
    start = separator.end()
    url = text[start : last[1]]
    first, _, rest = url.partition(" ")
    starts = is_absolute(first) or first.startswith(("/", "./"))
    if not rest or not starts or "\n" in url or ", " in url or is_image_name(first) or not is_image_name(url):
        return None
    return (start, last[1]), url, ("spaces",)


# \s and str.split agree in Python: ASCII whitespace, U+00A0, U+2028, U+3000 and the other Unicode spaces.
# A width may be broken over two lines, as in "19", line break, "20w". The last branch is for what was meant as a
# descriptor and is none: `480W`, `480px`, `480,`.
_DESCRIPTOR = pattern(
    r"(?<!\S)(?:(?:([0-9]{1,9}+)h\s{1,16}+(?=[0-9]{1,9}+w(?![\w\-])))?([0-9]{1,9}+(?:\r?\n[0-9]{0,4}+)?)w(?:\s{1,16}+([0-9]{1,9}+)h(?![\w\-]))?"
    r"|([0-9]{1,9}+(?:\.[0-9]{1,18}+)?|\.[0-9]{1,18}+)x"
    r"|[0-9]{1,9}+(?:(?:W|X|px|h)(?![^\s,])|(?=,)))"
)
_ENTITY = pattern(r"&(?:quot|apos|lt|gt|nbsp|#\d{1,4}|#x[0-9a-f]{1,4});", re.IGNORECASE)
# Full-width, ideographic and Arabic commas are what an editor or an input method makes of a comma.
_JOINED = pattern(r"\s*[,\uff0c\u3001\u060c][\s,\uff0c\u3001\u060c]*")
_MAX_BARE = 16
# A URL in which there is nothing to mend: no quote, bracket, comma, backslash or character reference.
_PLAIN = r"https?://[A-Za-z0-9\-._~!$*+=:@/?&%]{1,2000}+"
_PLAIN_URL = pattern(_PLAIN)
_NEXT_PAIR = pattern(
    rf"\s{{0,16}}+,\s{{0,16}}+({_PLAIN})\s{{1,16}}+"
    r"(?:([0-9]{1,9}+)w|([0-9]{1,9}+(?:\.[0-9]{1,18}+)?|\.[0-9]{1,18}+)x)(?:(?=,)|(?=\s)(?!\s{1,16}+[0-9]{1,9}+h)|\Z)"
)
"""The pair that follows another in a set where all is as it should be, which is nearly every one: what the steps of `scan` find."""


class Pair(NamedTuple):
    """A URL and the descriptor after it. Positions count code points.

    ``tail`` says what the descriptor's end is glued to: ``end``, ``comma``, ``closer`` (punctuation), ``word`` (upper
    case or not ASCII) or ``letters`` (lower case, digits). ``bare`` are places of URLs without descriptor directly
    before it, each ended by a comma. ``plain`` says that there is nothing to mend in it, ``follows`` that a comma joins it to the
    descriptor before it.
    """

    url: str
    place: Span
    descriptor: Span
    width: int | None
    density: float | None
    tail: str
    flags: tuple[str, ...] = ()
    bare: tuple[Span, ...] = ()
    plain: bool = False
    follows: bool = False
    height: int | None = None

    @property
    def absolute(self) -> bool:
        """Whether the URL starts with http:// or https://."""
        return is_absolute(self.url)


class Orphan(NamedTuple):
    """A descriptor whose left neighbour is not a URL: usually an ordinary word (``camera 5x``).

    ``lost`` is the place of an image's URL that the descriptor was meant for, if there is one.
    """

    descriptor: Span
    lost: Span | None = None


def scan(text: str) -> Iterator[Pair | Orphan]:
    """Yield every descriptor token in order, with its URL where it has one."""
    region = 0
    while True:
        while region and (pair := _NEXT_PAIR.match(text, region)) is not None:
            yield _plain_pair(text, pair)
            region = pair.end()
        match = _DESCRIPTOR.search(text, region)
        if match is None:
            return
        found = _url_before(text, region, match.start())
        before, wide, after, dense = match.groups()
        if found is None or not (wide or dense):
            yield Orphan(match.span(), _lost(text, region, match.start()))
        else:
            place, url, flags = found
            tail = _tail(text, match.end())
            width = int("".join(wide.split())) if wide else None
            flags += ("wrapped",) if wide and not wide.isdigit() else ()
            density = float(dense) if dense else None
            height = int(before or after) if before or after else None
            bare = _bare_before(text, region, place[0])
            plain = (
                not flags
                and not bare
                and height is None
                and tail in {"end", "comma"}
                and _PLAIN_URL.fullmatch(url) is not None
            )
            yield Pair(url, place, match.span(), width, density, tail, flags, bare, plain, height=height)
        region = match.end()


def _plain_pair(text: str, found: re.Match[str]) -> Pair:
    url, width, density = found.groups()
    end = found.end()
    tail = "comma" if text.startswith(",", end) else "end"
    if width is not None:
        return Pair(url, found.span(1), (end - 1 - len(width), end), int(width), None, tail, (), (), True, True)
    return Pair(url, found.span(1), (end - 1 - len(density), end), None, float(density), tail, (), (), True, True)


def joined(text: str, start: int, end: int) -> bool:
    """Say whether only a comma and whitespace lie between two positions."""
    return _JOINED.fullmatch(text, start, end) is not None


def _tail(text: str, end: int) -> str:
    char = text[end : end + 1]
    if not char or char.isspace():
        return "end"
    if char == ",":
        return "comma"
    if char == "&":
        return "closer" if _ENTITY.match(text, end) else "letters"
    if not char.isalnum() and char != "_":
        return "closer"
    return "word" if char.isupper() or not char.isascii() else "letters"


def _url_before(text: str, region: int, stop: int) -> tuple[Span, str, tuple[str, ...]] | None:
    """The URL that ends right before a descriptor: its place, its text, and what was mended."""
    last = last_word(text, region, stop)
    if last is None:
        return None
    start, end = last
    if not _worth_a_look(text, region, last):
        return None
    if _PLAIN_URL.fullmatch(text, start, end) is not None:
        return last, text[start:end], ()
    cut, upto = trim(text[start:end])
    url = text[start + cut : start + upto]
    if not is_absolute(url):
        whole = decoded_whole(url)
        if whole is not None:
            return (start + cut, start + upto), whole, ("percent-encoded",)
        mended = rewrapped(text, region, last) or respaced(text, region, last)
        if mended is not None:
            return mended
    if not is_url_like(url) or url.endswith(","):
        return None
    return (start + cut, start + upto), url, ()


def _lost(text: str, region: int, stop: int) -> Span | None:
    last = last_word(text, region, stop)
    if last is None or not _worth_a_look(text, region, last):
        return None
    word = text[slice(*last)].rstrip(",")
    cut, upto = trim(word)
    url = word[cut:upto]
    return (last[0] + cut, last[0] + upto) if is_absolute(url) and is_image_name(url) else None


def _worth_a_look(text: str, region: int, last: Span) -> bool:
    # Nearly every descriptor look-alike of an article stands after an ordinary word: those go no further.
    start, end = last
    if text.find("/", start, end) >= 0 or text.find(".", start, end) >= 0:
        return True
    return starts_line(text, region, start)


def _bare_before(text: str, region: int, start: int) -> tuple[Span, ...]:
    """URLs that stand directly before a pair and end with a comma, in order."""
    found: list[Span] = []
    at = start
    while len(found) < _MAX_BARE and (last := last_word(text, region, at)) is not None:
        word = text[slice(*last)].rstrip(",")
        if len(word) == last[1] - last[0]:
            break
        cut, upto = trim(word)
        if not _stands_alone(word[cut:upto]):
            break
        found.append((last[0] + cut, last[0] + upto))
        at = last[0]
        if cut:
            break
    return tuple(reversed(found))


def _stands_alone(url: str) -> bool:
    return is_absolute(url) or (is_url_like(url) and is_image_name(url))

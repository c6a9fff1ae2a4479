"""Bytes to text and back: the decoded document, and the place of every code point in its raw bytes.

Encodings follow the Encoding standard's labels (https://encoding.spec.whatwg.org/) and the HTML standard's order:
byte order mark, what the transport said, ``<meta>``, UTF-8 if it is valid, then detection.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from typing import Protocol

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CODECS = {
    "ibm866": "cp866", "iso-8859-8-i": "iso-8859-8", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
    "windows-874": "cp874", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc-kr": "cp949",
    "x-user-defined": "latin-1", "replacement": "utf-8", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
}  # fmt: skip
_MULTI_BYTE = frozenset({"utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "cp932", "cp949", "euc-jp"})
_UTF_8 = frozenset({"utf-8", "utf8"})
_STATEFUL = frozenset({"iso-2022-jp"})
_SNIFFED_BYTES = 1024  # HTML, "prescan a byte stream to determine its encoding"
_DETECTED_BYTES = 65536
_TO_ASCII = b"\x1b(B"
"""What ends a run of other characters in ISO-2022-JP."""
_STRIDE = 4096
_WALKED_BYTES = 1 << 20
"""Longest document that is decoded byte by byte for its places: a place for each code point takes memory."""
_MALFORMED = 0xDC80
_MALFORMED_MARK = pattern("[\udc80-\udcff]")
_LINE_END = pattern(r"\r\n?|\n")
_HANDLER = "mediamirror-malformed"


def _malformed(error: UnicodeError) -> tuple[str | bytes, int]:
    # Each malformed sequence becomes one lone surrogate that remembers how many bytes it stood for: no valid text
    # decodes to one, so the byte map stays exact.
    if isinstance(error, UnicodeDecodeError):
        return chr(_MALFORMED + min(error.end - error.start, 127)), error.end
    if isinstance(error, UnicodeEncodeError):
        marks = error.object[error.start : error.end]
        size = sum(max(1, ord(mark) - _MALFORMED) for mark in marks)
        # An odd number of bytes can only end a UTF-16 document; its encoder takes pairs, so the last mark is capped.
        return b"?" * (size + size % 2 if error.encoding.startswith("utf-16") else size), error.end
    raise error


codecs.register_error(_HANDLER, _malformed)


@dataclass(frozen=True, slots=True)
class SourceText:
    """A decoded document. Positions count code points of ``text``, which has no byte order mark.

    ``encoding`` is the Python codec's name. A malformed sequence is one U+FFFD in ``text``.
    """

    text: str
    encoding: str
    bom: int
    _wire: str
    _marks: tuple[int, ...] | None
    _lines: tuple[int, ...]
    _stride: int = _STRIDE
    """Code points from one mark to the next."""
    first_byte: int = 0
    """Where these bytes begin in the document they are a slice of."""
    lines_before: int = 0

    def span(self, start: int, end: int) -> Span | None:
        """Return the half-open byte span of ``text[start:end]``, or None for an encoding that allows none."""
        if self._marks is None:
            return None
        return self.first_byte + self._byte(start), self.first_byte + self._byte(end)

    @property
    def shift(self) -> int | None:
        """What to add to a position to get its byte, where that is all there is to it; else None: ask `span`."""
        return None if self._marks is None or self._marks else self.first_byte + self.bom

    def place(self, start: int, end: int) -> tuple[int, Span | None, str]:
        """Return the line and the byte span of ``text[start:end]``, and how it is spelled."""
        return self.line(start), self.span(start, end), self.text[start:end]

    def line(self, position: int) -> int:
        """Return the line of a position, counted from 1; CRLF, CR and LF end a line."""
        return self.lines_before + bisect_right(self._lines, position) + 1

    def _byte(self, position: int) -> int:
        if not self._marks:
            return self.bom + position
        index = position // self._stride
        piece = self._wire[index * self._stride : position]
        return min(self._marks[index] + len(piece.encode(self.encoding, _HANDLER)), self._marks[-1])


class Text(Protocol):
    """A text to look through, and the way from its code points to the document that holds it: a `SourceText`, or a part of one."""

    @property
    def text(self) -> str:
        """What is looked through."""

    @property
    def shift(self) -> int | None:
        """As of a `SourceText`; None where the text is spelled in another way."""

    def line(self, position: int) -> int:
        """Return the document's line of a position."""

    def place(self, start: int, end: int) -> tuple[int, Span | None, str]:
        """Return the line and the byte span in the document of ``text[start:end]``, and how it is spelled there."""


def codec_of(label: str | None) -> str | None:
    """Return the Python codec for an encoding label of the Encoding standard, or None if there is no such label."""
    if not label:
        return None
    if label.lower() in _UTF_8:
        return "utf-8"
    import turbohtml  # noqa: PLC0415 - a text in UTF-8 needs no HTML parser

    try:
        name = turbohtml.parse(b"", encoding=label.strip().strip("\"'")).encoding
    except (LookupError, ValueError):
        return None
    return _codec(name)


def decode(data: bytes, encoding: str | None = None, *, markup: bool = False) -> SourceText:
    """Decode a document. ``encoding`` is a label from the transport; ``markup`` looks for a ``<meta>`` too."""
    bom, codec = _choose(data, encoding, markup=markup)
    body = data[bom:] if bom else data
    wire, text = _decode(body, codec)
    lines = _line_starts(text)
    marks, stride = _byte_marks(wire, codec, data, bom, exact=wire is text), _STRIDE
    if marks is None and len(data) <= _WALKED_BYTES:
        marks, stride = _walked(wire, codec, data, bom), 1
    return SourceText(text, codec, bom, wire, marks, lines, stride)


def _line_starts(text: str) -> tuple[int, ...]:
    if "\r" in text:
        return tuple(match.end() for match in _LINE_END.finditer(text))
    # Searching for one character runs at memory speed; a page of 100 KB is a tenth faster for it.
    starts = []
    found = text.find("\n")
    while found != -1:
        starts.append(found + 1)
        found = text.find("\n", found + 1)
    return tuple(starts)


def from_text(text: str) -> SourceText:
    """Wrap text that was never bytes: spans are those of its UTF-8 form."""
    return decode(text.encode("utf-8", "replace"), "utf-8")


def _choose(data: bytes, label: str | None, *, markup: bool) -> tuple[int, str]:
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return len(mark), codec
    return 0, codec_of(label) or (_meta(data) if markup else None) or _guess(data)


def _meta(data: bytes) -> str | None:
    head = data[:_SNIFFED_BYTES]
    # Without a declaration the parser answers UTF-8 or windows-1252, by validity; only a declared one is news.
    if b"charset" not in head.lower():
        return None
    import turbohtml  # noqa: PLC0415 - see `codec_of`

    codec = _codec(turbohtml.parse(head + b"\x81").encoding)
    return None if codec == "cp1252" and not re.search(rb"1252|8859-1|latin1|ascii", head.lower()) else codec


def _guess(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A document cut in the middle of a character, or with a stray byte, is still UTF-8.
        if error.start > 0 and not data[: error.start].isascii():
            return "utf-8"
    else:
        return "utf-8"
    from turbohtml.detect import detect  # noqa: PLC0415 - see `codec_of`

    return _codec(detect(data[:_DETECTED_BYTES]).encoding) or "cp1252"


def _codec(name: str | None) -> str | None:
    if name is None:
        return None
    lowered = name.lower()
    found = _CODECS.get(lowered, lowered)
    if found.startswith("windows-"):
        return found.replace("windows-", "cp")
    try:
        codecs.lookup(found)
    except LookupError:
        return None
    return found


def _decode(body: bytes, codec: str) -> tuple[str, str]:
    try:
        text = body.decode(codec)
    except UnicodeDecodeError:
        wire = body.decode(codec, _HANDLER)
        return wire, _MALFORMED_MARK.sub("\ufffd", wire)
    return text, text


def _byte_marks(wire: str, codec: str, data: bytes, bom: int, *, exact: bool) -> tuple[int, ...] | None:
    """Byte offsets of every ``_STRIDE``-th code point; empty when offsets are positions; None without a map."""
    if codec in _STATEFUL:
        return None
    if codec not in _MULTI_BYTE or (codec == "utf-8" and wire.isascii()):
        return ()
    marks, at = [bom], bom
    for start in range(0, len(wire), _STRIDE):
        piece = wire[start : start + _STRIDE].encode(codec, _HANDLER)
        # Legacy encodings spell some characters in two ways: then this map would be wrong.
        if exact and not data.startswith(piece, at):
            return None
        at += len(piece)
        marks.append(min(at, len(data)))
    return tuple(marks) if marks[-1] == len(data) else None


def _walked(wire: str, codec: str, data: bytes, bom: int) -> tuple[int, ...] | None:
    """The byte offset of every code point, as a decoder comes to them byte by byte; None where it reads other ones then.

    So it is told for what one encoding spells in two ways, and for one with states. There a run of other characters holds its
    escape sequences, so that ASCII may stand in its place.
    """
    decoder = codecs.getincrementaldecoder(codec)(_HANDLER)
    marks, found = [bom], []
    for end in range(bom + 1, len(data) + 1):
        piece = decoder.decode(data[end - 1 : end], end == len(data))
        marks += (marks[-1] + max(1, ord(mark) - _MALFORMED) for mark in piece[:-1])
        if piece:
            marks.append(end)
        elif len(marks) > 1 and data.endswith(_TO_ASCII, 0, end):
            marks[-1] = end
        found.append(piece)
    return tuple(marks) if "".join(found) == wire and marks[-1] == len(data) else None

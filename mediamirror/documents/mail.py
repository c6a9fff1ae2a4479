"""Mails and pages that browsers saved (MHTML, RFC 2557): each part becomes a record of a web archive, read as any other.

So pages have the address that their part gives, and pictures are found by it without the network. A part that only has a
Content-ID is ``https://cid.invalid/FILE/ID``, and so is what refers to it (``cid:ID``). Parts are decoded a line at a time.
"""

from __future__ import annotations

import binascii
import io
import re
import string
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.errors import MissingHeaderBodySeparatorDefect
from email.message import Message
from email.parser import BytesHeaderParser
from html import unescape
from typing import IO, BinaryIO
from urllib.parse import quote, unquote_to_bytes

from mediamirror.documents.compressed import STEP
from mediamirror.documents.json_stream import Malformed
from mediamirror.documents.warc.write import WarcWriter
from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.urls import CID, MAIL, resolve

MAX_DEPTH = 20
"""How deep parts are nested."""
MAX_PARTS = 100_000
MAX_HEADERS = 1024 * 1024
"""Most bytes of one part's headers."""
_LINE = 64 * 1024
_HELD = 1024 * 1024
_OF_A_PAGE = frozenset({"text/html", "text/css", "application/xhtml+xml"})
_REFERRING = _OF_A_PAGE | {"image/svg+xml"}
_TO_PART = pattern(rb"(?<![\w\-])cid:([^\s\"'<>()\\,;]{1,998})")
_BASE = pattern(rb"<base\s[^>]{0,200}?href\s*=\s*[\"']?([^\"'\s>]{1,2000})", re.IGNORECASE)
_MAX_NAMED = 10_000
"""Most parts of which it is known which page names them."""
_NOT_QUOTED = pattern(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n|[ \t]*+\Z)")
_BLANKS = b" \t\r\n"
_NOT_BASE64 = bytes(set(range(256)).difference(string.ascii_letters.encode(), string.digits.encode(), b"+/="))


@dataclass(slots=True)
class _End:
    """Where a part ended: the boundary's place in the stack, -1 at the end of the file, and whether it was the last one."""

    level: int = -1
    is_last: bool = False


def to_archive(stream: io.BufferedReader, out: BinaryIO, limit: int, *, scope: str = "") -> Iterator[str]:
    """Write every part to a WARC file, and yield what is wrong in a sentence part. Raises `Malformed` and `OSError`.

    A part of more than ``limit`` bytes is left out. ``scope`` ends with a slash and stands before each Content-ID in its address:
    two mails may give one to different pictures.
    """
    writer = WarcWriter(out, compressed=False, digests=False)
    pages: dict[str, str] = {}
    for number, (part, around, lines, end) in enumerate(_parts(stream), 1):
        media_type = str(part.get("Content-Type", "text/plain")).replace("\r", "").replace("\n", "")
        kind = part.get_content_type()
        odd: list[bytes] = []
        pieces = _decoded(lines, str(part.get("Content-Transfer-Encoding", "")).strip().lower(), odd)
        with tempfile.SpooledTemporaryFile(max_size=_HELD, prefix="mediamirror-") as body:
            size = 0
            named = _Named(scope)
            for piece in named.with_addresses(pieces) if kind in _REFERRING else pieces:
                size += len(piece)
                if size <= limit:
                    body.write(piece)
            if size > limit:
                yield f"part {number} is over the limit of {limit:,} bytes: it is left out"
            else:
                found = [
                    each for each in (_located(part, around, scope), _by_id(part.get("Content-ID"), scope)) if each
                ]
                if kind in _OF_A_PAGE and found and found[0] in pages:
                    # Browsers save a <style> element and a frame of srcdoc as parts that have no address but that of their page.
                    found[0] = f"{pages[found[0]].partition('#')[0]}#{found[0].removeprefix(CID)}"
                _write(writer, part, around, number, media_type, body, found)
                named.by(found[0] if found else None, pages)
        if odd:
            yield f"part {number} is not all in its transfer encoding: what is odd in it was passed over"
        if any(isinstance(each, MissingHeaderBodySeparatorDefect) for each in part.defects):
            yield f"the header fields of part {number} are damaged, and it is read without what stands among them"
        if end.level < 0 and around:
            yield "it ends before its last part does: what is there was read"


def _write(
    writer: WarcWriter,
    part: Message,
    around: list[Message],
    number: int,
    media_type: str,
    body: IO[bytes],
    found: list[str],
) -> None:
    now, kind = datetime.now(UTC), part.get_content_type()
    is_other_form = any(each.get_content_type() == "multipart/alternative" for each in around)
    if kind == "text/plain":
        if not is_other_form and part.get_content_disposition() != "attachment":
            writer.resource(f"{MAIL}{number}", now, media_type, body, kind="conversion")
        return
    # A page is read once; a picture may be asked for by either of its names.
    for address in (found if kind not in _REFERRING else found[:1]) or [f"{MAIL}{number}"]:
        writer.resource(address, now, media_type, body)


def _located(part: Message, around: list[Message], scope: str) -> str | None:
    """RFC 2557, 4.2: the address of a part, resolved on those of the parts around it."""
    base = None
    for each in (*around, part):
        said = each.get("Content-Base") or each.get("Content-Location") or each.get("Snapshot-Content-Location")
        location = "".join(str(said).split()) if said else ""
        if location[:4].lower() == "cid:":
            base = _by_id(location[4:], scope)
        elif location:
            url = resolve(location, base)
            base = url if isinstance(url, str) else base
    return base if part.get("Content-Location") else None


def _by_id(text: object, scope: str) -> str | None:
    bare = str(text or "").strip().strip("<>").strip()
    return f"{CID}{scope}{quote(bare, safe='@')}" if bare else None


class _Named:
    """The parts that one part names by their Content-ID, and the base that it gives itself."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._parts: set[str] = set()
        self._base: str | None = None

    def with_addresses(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """What refers to a part by its Content-ID, as the address that this has here."""
        line = b""
        for piece in pieces:
            line += piece
            if line.endswith(b"\n") or len(line) > _LINE:
                yield self._line(line)
                line = b""
        yield self._line(line)

    def by(self, address: str | None, pages: dict[str, str]) -> None:
        """Note at each part what its relative addresses are resolved on: the page's address, or its <base>."""
        base = resolve(self._base, address) if self._base else address
        if isinstance(base, str) and not base.startswith(CID):
            for name in self._parts if len(pages) < _MAX_NAMED else ():
                pages.setdefault(name, base)

    def _line(self, line: bytes) -> bytes:
        if self._base is None and (found := _BASE.search(line)) is not None:
            self._base = unescape(found[1].decode("utf-8", "replace"))
        return _TO_PART.sub(self._address, line)

    def _address(self, found: re.Match[bytes]) -> bytes:
        address = _by_id(unquote_to_bytes(found[1]).decode("utf-8", "replace"), self._scope) or ""
        if len(self._parts) < _MAX_NAMED:
            self._parts.add(address)
        return address.encode()


def _parts(stream: io.BufferedReader) -> Iterator[tuple[Message, list[Message], Iterator[bytes], _End]]:
    """Each part that holds no others: its headers, those around it, its lines, and where it ended once they are read."""
    stack: list[tuple[bytes, Message]] = []
    part: Message | None = _headers(stream)
    if not part or not part.keys():
        raise Malformed("it begins with no header fields")
    for _ in range(MAX_PARTS):
        boundary = part.get_boundary() if part.get_content_maintype() == "multipart" else None
        end = _End()
        if boundary:
            if len(stack) >= MAX_DEPTH:
                raise Malformed(f"its parts are nested deeper than {MAX_DEPTH}")
            stack.append((b"--" + boundary.encode("utf-8", "surrogateescape"), part))
            lines = _lines(stream, stack, end)
        elif part.get_content_type() == "message/rfc822":
            part = _headers(stream)
            continue
        else:
            lines = _lines(stream, stack, end)
            yield part, [each for _, each in stack], lines, end
        for _line in lines:
            pass
        while end.is_last:
            del stack[end.level :]
            end = _End()
            for _line in _lines(stream, stack, end):
                pass
        if end.level < 0:
            return
        del stack[end.level + 1 :]
        part = _headers(stream)
    raise Malformed(f"it has more than {MAX_PARTS:,} parts")


def _headers(stream: io.BufferedReader) -> Message:
    lines: list[bytes] = []
    size = 0
    while (line := stream.readline(_LINE)).strip():
        lines.append(line)
        size += len(line)
        if size > MAX_HEADERS:
            raise Malformed("its header fields are too long")
    return BytesHeaderParser().parsebytes(b"".join(lines))


def _lines(stream: io.BufferedReader, stack: list[tuple[bytes, Message]], end: _End) -> Iterator[bytes]:
    """The lines up to the next boundary (RFC 2046, 5.1.1), whose own line end comes before it."""
    held = b"\n"
    first = True
    while line := stream.readline(_LINE):
        if line.startswith(b"--") and held.endswith(b"\n"):
            for level in range(len(stack) - 1, -1, -1):
                mark = stack[level][0]
                if line.startswith(mark) and line[len(mark) :].strip() in {b"", b"--"}:
                    end.level, end.is_last = level, line[len(mark) :].strip() == b"--"
                    if not first:
                        yield held.removesuffix(b"\n").removesuffix(b"\r")
                    return
        if not first:
            yield held
        held, first = line, False
    if not first:
        yield held


def _decoded(lines: Iterator[bytes], coding: str, odd: list[bytes]) -> Iterator[bytes]:
    """Undo a Content-Transfer-Encoding (RFC 2045, 6.7 and 6.8), as browsers do: what is odd in it is passed over.

    The first that is goes into ``odd``.
    """
    if coding == "base64":
        return from_base64(_together(lines), odd)
    if coding == "quoted-printable":
        return _from_quoted(lines, odd)
    return lines


def _together(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of base64, many at once; what is padded ends there."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= STEP or b"=" in line:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def from_base64(lines: Iterator[bytes], odd: list[bytes] | None = None) -> Iterator[bytes]:
    """Undo base64 in pieces of any length; what is not of its alphabet is passed over, and the first of it put into ``odd``."""
    left = b""
    for line in lines:
        if not left and (whole_line := _strictly(line)):
            yield whole_line
            continue
        clean = line.translate(None, _NOT_BASE64)
        if odd == [] and (len(clean) != len(line.translate(None, _BLANKS)) or b"=" in clean.rstrip(b"=")):
            odd.append(line)
        left += clean
        whole = len(left) - len(left) % 4
        if whole:
            yield _unbased(left[:whole])
            left = left[whole:]
    if left and odd == []:
        odd.append(left)
    if len(left) > 1:
        yield _unbased(left + b"=" * (4 - len(left)))


def _strictly(data: bytes) -> bytes:
    """What base64 is that holds nothing else and ends with a group of four; empty for other data."""
    try:
        return b"" if len(data) % 4 else binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        return b""


def _unbased(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        return b""


def _from_quoted(lines: Iterator[bytes], odd: list[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in lines:
        line = left + piece
        # A line that was too long to be read at once may be cut within an escape.
        cut = line.rfind(b"=", max(0, len(line) - 2)) if not line.endswith(b"\n") else -1
        left = line[cut:] if cut >= 0 else b""
        whole = line[:cut] if cut >= 0 else line
        if not odd and _NOT_QUOTED.search(whole) is not None:
            odd.append(whole)
        yield binascii.a2b_qp(whole)
    if left.rstrip(b"="):
        yield binascii.a2b_qp(left)

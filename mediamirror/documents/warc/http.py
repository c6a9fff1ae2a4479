"""The HTTP response in a WARC record: its status, its headers, and its body with transfer and content coding undone.

Crawlers differ in what they keep: the bytes as they came, or decoded ones under the headers of those that were not. So a
coding is undone only where the bytes can be of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from itertools import chain

from mediamirror.documents.compressed import decoded, is_gzip
from mediamirror.first_use import dataclass, pattern

Headers = tuple[tuple[str, str], ...]

_MAX_HEAD = 256 * 1024
_HEAD_END = pattern(rb"\r?\n\r?\n")
_STATUS = pattern(rb"HTTP/[0-9.]{1,4}[ \t]+([0-9]{3})")
_SIZE = pattern(rb"(?:\r?\n)?[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
_LONGEST_SIZE = 2_000
_TRANSPORT = frozenset({"transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive"})
_PLAIN = (b"<", b"{", b"[", b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it was recorded. ``headers`` in order, names in lower case; ``body`` yields its bytes as they are."""

    status: int
    headers: Headers
    raw: Iterator[bytes] = field(repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def lasting_headers(self) -> Headers:
        """The headers that are still true of the decoded body."""
        return tuple(row for row in self.headers if row[0] not in _TRANSPORT)

    def body(self) -> Iterator[bytes]:
        """Yield the body, decoded, in chunks. Raises `compressed.Undecodable`, and what reading the record raises."""
        raw = self.raw
        if "chunked" in (self.header("transfer-encoding") or "").lower():
            raw = _dechunked(raw)
        coding = self.header("content-encoding") or ""
        first = next(raw, b"")
        whole = chain((first,), raw)
        return whole if _is_plain(first, coding.lower()) else decoded(whole, coding)


def read_response(chunks: Iterator[bytes]) -> Response | None:
    """Read the head of a response; None where there is none."""
    head = b""
    for chunk in chunks:
        head += chunk
        end = _HEAD_END.search(head)
        if end is not None or len(head) > _MAX_HEAD:
            break
    status = _STATUS.match(head)
    if status is None:
        return None
    end = _HEAD_END.search(head)
    stop, start = end.span() if end else (len(head), len(head))
    return Response(int(status[1]), _headers(head[:stop]), chain((head[start:],), chunks))


def _headers(head: bytes) -> Headers:
    rows: list[tuple[str, str]] = []
    for line in head.splitlines()[1:]:
        if line[:1] in b" \t" and rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {_text(line)}".strip())
            continue
        name, colon, value = line.partition(b":")
        if colon:
            rows.append((_text(name).lower(), _text(value)))
    return tuple(rows)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()


def _is_plain(first: bytes, coding: str) -> bool:
    if "gzip" in coding and "," not in coding:
        return not is_gzip(first)
    return first.lstrip()[:8].startswith(_PLAIN)


def _dechunked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Undo chunked transfer coding (RFC 9112, 7.1); bytes that are not in it, or break off, are taken as they are."""
    buffer, at, left, is_chunked = b"", 0, 0, False
    for chunk in chunks:
        buffer, at = buffer[at:] + chunk, 0
        while at < len(buffer):
            if left:
                piece = buffer[at : at + left]
                at, left = at + len(piece), left - len(piece)
                yield piece
                continue
            size = _SIZE.match(buffer, at)
            if size is None:
                break
            at, left, is_chunked = size.end(), int(size[1], 16), True
            if not left:
                return
        if not left and len(buffer) - at > _LONGEST_SIZE:
            break
    if not is_chunked or len(buffer) - at > _LONGEST_SIZE:
        yield buffer[at:]
        yield from chunks

"""The head of an HTTP/1 answer, line by line as it came: what libcurl lets pass and should not is found here. Pure.

libcurl takes a head that was cut for whole, believes chunks beside a Content-Length, frames by ``Transfer-Encoding : chunked``
otherwise than its writer meant, and passes over any number of interim answers. docs/decisions/0001 lists what was found.
"""

from __future__ import annotations

from collections.abc import Sequence

from mediamirror.first_use import dataclass, pattern

MOST_FIELDS = 128
"""Header fields of one answer."""

MOST_INTERIM = 50
"""Interim answers (1xx) to one request that are passed over."""

MOST_LINES = MOST_FIELDS + 8 * MOST_INTERIM
"""Lines that come before a body, interim answers and all; also what may come in trailers."""

Fields = list[tuple[bytes, bytes]]

# RFC 9112, 4, but for a reason phrase that is absent with its space, which many servers send.
_STATUS_LINE = pattern(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: ([^\r\n]*))?\r?\n")
_TOKEN = pattern(rb"[!#-'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = pattern(rb"[0-9]{1,19}")
_LONGEST = 2**63 - 1
_FRAMING = (b"content-length", b"transfer-encoding")
_NOT_IN_TRAILERS = (*_FRAMING, b"location")
_EMPTY = (b"\r\n", b"\n")


class BadHead(Exception):
    """The head breaks a rule that framing stands on; the connection can't be trusted."""


class TooManyHeaders(BadHead):
    """The head is larger than is accepted."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status, reason and fields of an answer, and its bytes; ``lines`` is how many lines of all that came lie before its body."""

    status: int
    reason: bytes
    fields: Fields
    lines: int
    raw: bytes


def read_head(lines: Sequence[bytes], most_bytes: int) -> Head | None:
    """Read the head of the final answer; None while it is not whole. Raises `BadHead`.

    ``most_bytes`` bounds the head of any single answer, interim ones included.
    """
    begun, interim = 0, 0
    for number, line in enumerate(lines, 1):
        if line not in _EMPTY:
            continue
        status, reason = _status(lines[begun])
        if status == 101 or status >= 200:
            own = lines[begun:number]
            return Head(status, reason, _fields(own[1:-1], most_bytes), number, b"".join(own))
        interim += 1
        if interim > MOST_INTERIM:
            raise TooManyHeaders(f"more than {MOST_INTERIM} interim answers")
        begun = number
    _check_size(lines[begun + 1 :], most_bytes)
    return None


def _check_size(lines: Sequence[bytes], most_bytes: int) -> None:
    if len(lines) > MOST_FIELDS or sum(map(len, lines)) > most_bytes + 4 * len(lines) + 256:
        raise TooManyHeaders(f"more than {MOST_FIELDS} fields, or {most_bytes:,} bytes")


def check_trailers(lines: Sequence[bytes], most_bytes: int) -> None:
    """Raise `BadHead` for trailers that frame or lead (RFC 9110, 6.5.1)."""
    _check_size(lines[:-1], most_bytes)  # the last is empty
    for line in lines:
        if line.partition(b":")[0].strip().lower() in _NOT_IN_TRAILERS:
            raise BadHead("a trailer that frames or leads")


def _status(line: bytes) -> tuple[int, bytes]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadHead("not HTTP/1")
    return int(match[1]), match[2] or b""


def _fields(lines: Sequence[bytes], most_bytes: int) -> Fields:
    _check_size(lines, most_bytes)
    fields: Fields = []
    lengths, framed = set(), set()
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.strip()
        lower = name.strip().lower()
        if lower in _FRAMING:
            framed.add(lower)
            if lower != name.lower():
                raise BadHead("space around the name of a field that frames")  # libcurl does not know the field then
            if lower == _FRAMING[0]:
                lengths.add(value)
        if b"\r" in value:
            raise BadHead("a line break inside of a field")  # some take it for the end of the field
        if _TOKEN.fullmatch(name):
            fields.append((name, value))
    if len(framed) > 1:
        raise BadHead("a Content-Length beside a Transfer-Encoding")  # RFC 9112, 6.3: an attempt at smuggling
    if any(not _LENGTH.fullmatch(value) or int(value) > _LONGEST for value in lengths) or len(lengths) > 1:
        raise BadHead("a Content-Length that is no length")  # libcurl passes over one that is too long for it
    return fields

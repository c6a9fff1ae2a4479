"""The HTTP response in a WARC record: its status, its headers, its body with transfer and content coding undone, its proof.

Crawlers differ in what they keep: the bytes as they came, or decoded ones under the headers of those that were not. So a
coding is undone only where the bytes can be of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import chain

from mediamirror.documents.compressed import decoded, is_gzip
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.records import Block, Fields, Headers, Record
from mediamirror.first_use import pattern
from mediamirror.markup.places.urls import shown

GIVEN_OUT = frozenset({200, 203})
"""The statuses of whole answers: OK, and OK as a proxy has changed it (RFC 9110, 15.3.4)."""
_ACCEPT = pattern(rb"\naccept:([^\r\n]{0,4096})", re.IGNORECASE)
_MAX_HEAD = 256 * 1024
_HEAD_END = pattern(rb"\n\r?\n")
_STATUS = pattern(rb"HTTP/[0-9.]{1,4}[ \t]+([0-9]{3})")
_SIZE = pattern(rb"(?:\r?\n)?[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
_LONGEST_SIZE = 2_000
_TRANSPORT = frozenset({"transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive"})
_PLAIN = (b"<", b"{", b"[", b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")


class Response:
    """A response as it was recorded; ``raw`` yields the bytes of its body as they are."""

    __slots__ = ("_fields", "raw", "status")

    def __init__(self, status: int, fields: Fields, raw: Iterator[bytes]) -> None:
        self.status = status
        self._fields = fields
        self.raw = raw

    @property
    def headers(self) -> Headers:
        """All headers in order, names in lower case."""
        return self._fields.rows()

    def header(self, name: bytes) -> str | None:
        """Return the first value of a header, by lower-case name."""
        return self._fields.get(name)

    @property
    def lasting_headers(self) -> Headers:
        """The headers that are still true of the decoded body."""
        return lasting(self.headers)

    def body(self, watch: Callable[[Iterator[bytes]], Iterator[bytes]] = iter) -> Iterator[bytes]:
        """Yield the body, decoded, in chunks. Raises `compressed.Undecodable`, and what reading the record raises.

        The bytes are led through ``watch`` at each stage, and there to their end: as they are stored, then without their
        transfer coding, then without their content coding.
        """
        stages = [watch(self.raw)]
        if "chunked" in (self.header(b"transfer-encoding") or "").lower():
            stages.append(watch(_dechunked(stages[0])))
        coding = self.header(b"content-encoding") or ""
        first = next(stages[-1], b"")
        whole = chain((first,), stages[-1])
        yield from whole if _is_plain(first, coding.lower()) else watch(decoded(whole, coding))
        for stage in reversed(stages):  # what stands behind the last chunk
            for _ in stage:
                pass


def read_response(chunks: Iterator[bytes]) -> Response | None:
    """Read the head of a response; None where there is none."""
    head, end = b"", None
    for chunk in chunks:
        head += chunk
        end = _HEAD_END.search(head)
        if end is not None or len(head) > _MAX_HEAD:
            break
    status = _STATUS.match(head)
    if status is None:
        return None
    stop = end.end() if end else len(head)
    rest = head[stop:]
    return Response(int(status[1]), Fields(head[:stop]), chain((rest,), chunks) if rest else chunks)


def lasting(headers: Headers) -> Headers:
    """Return those headers that tell of a body, and not of its way."""
    return tuple(row for row in headers if row[0] not in _TRANSPORT)


def read_answer(record: Record, chunks: Iterator[bytes]) -> Response | None:
    """The answer that a record holds, whatever its Content-Type calls it; None where there is none. Raises `Damaged`."""
    if record.kind in {"response", "revisit"} or record.content_type.startswith("application/http"):
        return read_response(chunks)
    return Response(200, Fields.of([("content-type", record.content_type)] if record.content_type else ()), chunks)


def answer_of(record: Record, chunks: Iterator[bytes]) -> Response:
    """The same. Raises `Damaged` where there is none."""
    response = read_answer(record, chunks)
    if response is None:
        raise Damaged("its record holds no HTTP response")
    return response


def read_accept(block: Block) -> str:
    """The Accept header of a request; empty where it has none, or can't be read."""
    try:
        head = next(block.chunks(), b"")
    except Damaged:
        return ""  # `read_records` reports it
    found = _ACCEPT.search(head)
    return found[1].decode("latin-1") if found else ""


def unusable(record: Record, response: Response) -> str | None:
    """Why a record's body is not given out, as part of a sentence; what its bytes show when they are read comes on top."""
    truncated = record.get(b"warc-truncated")
    if record.kind == "conversion":
        return "only what was made of it is there (a conversion record)"
    if response.status == 206:
        return "only a part of it is there (status 206)"
    if response.status not in GIVEN_OUT:
        return f"its answer there has the status {response.status}"
    return None if truncated is None else f"it is there cut short (WARC-Truncated: {shown(truncated, 40)})"


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


_ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s"})


class Proof:
    """The digests that a record promises, compared with bytes as they pass through `watch`.

    What is promised in a way that is not known (another algorithm, another length) proves nothing, and is not held against it.
    """

    def __init__(self, *promised: str | None) -> None:
        self._promised = [found for each in promised if (found := _read_digest(each or "")) is not None]
        self._stages: list[list[hashlib._Hash]] = []

    @property
    def promises(self) -> bool:
        """Whether there is a digest that can be compared."""
        return bool(self._promised)

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield bytes, and count them in. Of a payload each stage of decoding may be watched: one that fits is enough."""
        if not self._promised:
            return chunks
        stage = [hashlib.new(name, usedforsecurity=False) for name, _, _ in self._promised]
        self._stages.append(stage)
        return _counted(chunks, stage)

    def wrong(self) -> str | None:
        """Return what is wrong with all that has passed, as part of a sentence that gives both digests; None for nothing."""
        for number, (name, promised, told) in enumerate(self._promised):
            found = [stage[number].digest() for stage in self._stages]
            if promised not in found:
                as_told = base64.b32encode(found[0]).decode() if len(told) < 2 * len(promised) else found[0].hex()
                return f"its bytes are not those that it was recorded with ({name}:{as_told}, and the record says {name}:{told})"
        return None


def _counted(chunks: Iterator[bytes], stage: list[hashlib._Hash]) -> Iterator[bytes]:
    for chunk in chunks:
        for each in stage:
            each.update(chunk)
        yield chunk


def _read_digest(text: str) -> tuple[str, bytes, str] | None:
    """The algorithm, the digest, and how that was written: WARC 1.1, 5.8, leaves both open; base 32 and 16 are in use."""
    label, _, value = text.strip().partition(":")
    name, value = label.strip().lower().replace("-", ""), value.strip()
    if name not in _ALGORITHMS:
        return None
    size = hashlib.new(name, usedforsecurity=False).digest_size
    try:
        if len(value) == 2 * size:
            return name, binascii.unhexlify(value), value
        bare = value.rstrip("=").upper()
        digest = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (binascii.Error, ValueError):
        return None
    return (name, digest, value) if len(digest) == size else None


def proved(response: Response, payload: Proof, block: Proof) -> Iterator[bytes]:
    """The body. Raises `Damaged` at its end where it is shorter than its Content-Length, or not the one that was recorded."""
    size = 0
    for chunk in response.body(payload.watch):
        size += len(chunk)
        yield chunk
    length = response.header(b"content-length") or ""
    is_coded = response.header(b"content-encoding") or response.header(b"transfer-encoding")
    if not is_coded and length.isascii() and length.isdigit() and size < int(length):
        raise Damaged("its body is shorter than its Content-Length")
    if (wrong := payload.wrong() or block.wrong()) is not None:
        raise Damaged(wrong)

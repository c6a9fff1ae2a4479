"""Writing a WARC file, a record at a time (WARC 1.1, https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/).

Each record is a gzip member of its own where the file is compressed, so that readers can seek to it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from itertools import chain
from typing import IO
from urllib.parse import urlsplit
from uuid import uuid4

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.warc.http import GIVEN_OUT, Response, lasting, read_response
from mediamirror.documents.warc.records import Fields, Headers, Record
from mediamirror.first_use import dataclass, replace

IP_ADDRESS = "WARC-IP-Address"
PAGES = frozenset({"text/html", "application/xhtml+xml"})
"""The types of pages."""
_CHUNK = 256 * 1024
_END = b"\r\n\r\n"
_GZIP_HEAD = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_BLOCK = struct.Struct("<BHH")
_LONGEST_STORED = 0xFFFF
_DENSE = frozenset(
    {"image/jpeg", "image/jpg", "image/png", "image/webp", "image/avif", "image/gif", "image/heic", "image/jxl"}
)
"""The types of what is compressed itself: to compress it again takes most of the time of writing, and saves nothing."""
_SHORT = {word.lower(): word for word in ("WARC", "ID", "IP", "URI")}
_MOST_TWINS = 20_000
"""Payloads that are known again: those that came last, which take some 8 MB."""
_REVISIT = "warc/revisit"
_SAME = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_UNCHANGED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


@dataclass(frozen=True, slots=True)
class Written:
    """An answer that was written, for an index: where it lies in the file, in bytes. ``status`` is None where none is known."""

    url: str
    at: datetime
    status: int | None
    mime: str
    digest: str | None
    offset: int
    length: int
    head: bytes = b""
    """How its body begins, where it is a page."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The record that has a body, of which others may speak: ``payload`` is its digest."""

    url: str
    at: datetime
    payload: str | None


class Twins:
    """The payloads that were written last, and where each stands first."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, datetime]] = {}

    def first(self, payload: str, url: str, at: datetime) -> tuple[str, datetime] | None:
        """Return where a payload stands already; None, and it is taken note of, where it is new."""
        found = self._known.get(payload)
        if found is None:
            if len(self._known) >= _MOST_TWINS:
                del self._known[next(iter(self._known))]
            self._known[payload] = (url, at)
        return found


class WarcWriter:
    """Writes records to ``file``; with ``compressed`` each is a gzip member. ``note`` is told of each answer.

    Without ``digests``, which take twice as long as writing does, an archive is one for this run alone. A body that is among the
    ``twins`` is not written again, but pointed to.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        compressed: bool,
        digests: bool = True,
        twins: Twins | None = None,
        note: Callable[[Written], None] = lambda _: None,
    ) -> None:
        self._file = file
        self._digests = digests
        self._compressed = compressed
        self._twins = twins
        self._note = note
        self._info: str | None = None
        self.size = 0
        """Bytes that were written so far."""

    def info(self, fields: Sequence[tuple[str, str]], at: datetime) -> None:
        """Write the ``warcinfo`` record that describes the file, and what is written from now on."""
        block = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
        self._info = None
        self._info = self._record([("WARC-Type", "warcinfo"), *_when(at, "application/warc-fields")], block)

    def response(
        self,
        url: str,
        at: datetime,
        head: bytes,
        body: IO[bytes] | None,
        *,
        sent: Headers | None = None,
        cut: str | None = None,
        more: Headers = (),
    ) -> Answered:
        """Write a ``response`` record: the bytes of its head, such as `stored_head`, and the body in the coding that this names.

        Of a body that was written before it is a ``revisit`` record. ``cut`` says why the body is not whole. ``more`` are further
        fields of the record. What was ``sent``, where that is known, follows as a ``request`` record.
        """
        size, payload = self._measured(body)
        answer = _answer(head, body)
        status, coding = answer.status, answer.header(b"content-encoding")
        first = None
        if self._twins is not None and payload and size and status in GIVEN_OUT and not cut:
            first = self._twins.first(f"{coding or ''} {payload}", url, at)
        mime, beginning = _page_of(answer)
        rows = [*([("WARC-Payload-Digest", payload)] if payload else []), *more]
        if first is None:
            rows += [("WARC-Truncated", cut)] if cut else []
            told = Written(url, at, status, mime or "unk", payload, 0, 0, beginning)
            self._exchange("response", told, head, rows, body, sent)
        else:
            rows += _refers(_SAME, *first)
            told = Written(url, at, status, _REVISIT, payload, 0, 0, beginning)
            self._exchange("revisit", told, head, rows, None, sent)
        return Answered(*(first or (url, at)), payload)

    def unchanged(self, url: str, at: datetime, since: Answered, *, sent: Headers | None, more: Headers = ()) -> None:
        """Write a ``revisit`` record for 304 Not Modified: all is as in the answer ``since``.

        It has no block. Of one with the head of the 304 pywb would give out that head, and browsers would show no picture.
        """
        rows = [("WARC-Payload-Digest", since.payload)] if since.payload else []
        rows += [*_refers(_UNCHANGED, since.url, since.at), *more]
        told = Written(url, at, None, _REVISIT, since.payload, 0, 0)
        self._exchange("revisit", told, b"", rows, None, sent)

    def copy(self, record: Record, block: IO[bytes], *, url: str) -> None:
        """Write a record of another archive as it stands there, under this URL, with the digests that it has or else gets."""
        fields = {**record.headers, **({"warc-target-uri": url} if record.url else {})}
        told = _told(record, block)
        if told is not None:
            answer = read_response(_chunks(block)) if record.kind != "resource" else None
            payload = _chunks(block) if answer is None else answer.raw
            fields.setdefault("warc-payload-digest", _sha1(payload))
        fields.setdefault("warc-block-digest", _sha1(_chunks(block)))
        fields.setdefault("warc-record-id", f"<urn:uuid:{uuid4()}>")
        rows = [(_in_full(name), value) for name, value in fields.items() if name != "content-length"]
        size, start = block.seek(0, os.SEEK_END), self.size
        self._write(_head("WARC/1.1", [*rows, ("Content-Length", str(size))]), block, told.mime if told else "")
        if told is not None:
            digest = fields["warc-payload-digest"]
            self._note(replace(told, url=url, digest=digest, offset=start, length=self.size - start))

    def resource(self, url: str, at: datetime, media_type: str, body: IO[bytes], *, kind: str = "resource") -> None:
        """Write a ``resource`` record, bytes of whose exchange nothing is known, or another ``kind`` with such a block."""
        _, payload = self._measured(body)
        rows = [("WARC-Payload-Digest", payload)] if payload else []
        start = self.size
        self._record(
            [("WARC-Type", kind), ("WARC-Target-URI", url), *_when(at, media_type), *rows], b"", body, media_type
        )
        self._note(Written(url, at, None, media_type, payload, start, self.size - start))

    def _exchange(
        self,
        kind: str,
        told: Written,
        head: bytes,
        more: list[tuple[str, str]],
        body: IO[bytes] | None,
        sent: Headers | None,
    ) -> None:
        start, about = self.size, [("WARC-Target-URI", told.url)]
        rows = [("WARC-Type", kind), *about, *_when(told.at, "application/http; msgtype=response"), *more]
        answer = self._record(rows, head, body, told.mime)
        self._note(replace(told, offset=start, length=self.size - start))
        if sent is not None:
            parts = urlsplit(told.url)
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query or '?' in told.url else ''}"
            rows = [("WARC-Type", "request"), *about, *_when(told.at, "application/http; msgtype=request")]
            rows += [("WARC-Concurrent-To", answer), *(row for row in more if row[0] == IP_ADDRESS)]
            self._record(rows, _head(f"GET {target} HTTP/1.1", (("Host", parts.netloc), *sent)))

    def _record(self, rows: list[tuple[str, str]], head: bytes, body: IO[bytes] | None = None, mime: str = "") -> str:
        """Write one record, and return its id. ``mime`` is the type of the body."""
        block, name = self._digest(head, body), f"<urn:uuid:{uuid4()}>"
        size = len(head) + (0 if body is None else body.seek(0, os.SEEK_END))
        rows = [
            *rows,
            ("WARC-Record-ID", name),
            *([("WARC-Warcinfo-ID", self._info)] if self._info else []),
            *([("WARC-Block-Digest", block)] if block else []),
            ("Content-Length", str(size)),
        ]
        self._write(_head("WARC/1.1", rows) + head, body, mime)
        return name

    def _measured(self, body: IO[bytes] | None) -> tuple[int, str | None]:
        """The size of a body in bytes, and its digest."""
        return (0 if body is None else body.seek(0, os.SEEK_END)), self._digest(b"", body)

    def _digest(self, head: bytes, body: IO[bytes] | None) -> str | None:
        """A digest as WARC writes it, if there are to be any."""
        return _sha1(chain((head,), _chunks(body))) if self._digests else None

    def _write(self, head: bytes, body: IO[bytes] | None, mime: str) -> None:
        pieces: Iterator[bytes] = chain((head,), _chunks(body), (_END,))
        if self._compressed:
            pieces = _stored(head, _chunks(body, _LONGEST_STORED)) if mime.lower() in _DENSE else _deflated(pieces)
        for piece in pieces:
            self._file.write(piece)
            self.size += len(piece)


def _deflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip member."""
    member = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield member.compress(piece)
    yield member.flush()


def _stored(head: bytes, body: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip member (RFC 1952, 2.3) with the body in stored blocks (RFC 1951, 3.2.4), where nothing makes it smaller."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    yield _GZIP_HEAD + packer.compress(head) + packer.flush(zlib.Z_SYNC_FLUSH)
    crc, size = zlib.crc32(head), len(head)
    for piece in chain(body, (_END,)):
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        yield _BLOCK.pack(piece is _END, len(piece), len(piece) ^ 0xFFFF) + piece
    yield struct.pack("<II", crc, size & 0xFFFFFFFF)


def _sha1(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return f"sha1:{base64.b32encode(digest.digest()).decode()}"


def _in_full(name: str) -> str:
    """The name of a field as it is usually written."""
    return "-".join(_SHORT.get(word, word.capitalize()) for word in name.split("-"))


def _told(record: Record, block: IO[bytes]) -> Written | None:
    """What an index says of a record of another archive; None for one that is no answer."""
    at, kind = record.date, record.kind
    if at is None or not record.url or kind not in {"response", "revisit", "resource"}:
        return None
    answer = read_response(_chunks(block)) if kind != "resource" else None
    mime, head = (record.content_type if kind == "resource" else "", b"") if answer is None else _page_of(answer)
    status = answer.status if answer is not None else None
    is_revisit = kind == "revisit"
    return Written("", at, status, _REVISIT if is_revisit else mime or "unk", None, 0, 0, b"" if is_revisit else head)


def _answer(head: bytes, body: IO[bytes] | None) -> Response:
    return read_response(chain((head,), _chunks(body))) or Response(0, Fields(head), _chunks(body))


def _page_of(answer: Response) -> tuple[str, bytes]:
    """The type that an answer tells, and how its body begins where it is a page."""
    mime = (answer.header(b"content-type") or "").partition(";")[0].strip()
    beginning = b""
    if mime.lower() in PAGES:
        with suppress(Undecodable):
            beginning = next(answer.body(), b"")
    return mime, beginning


def stored_head(status: int, headers: Headers, body: IO[bytes] | None) -> bytes:
    """Return the head of an answer whose body had its codings undone: without headers that told of its way, with its length."""
    size = 0 if body is None else body.seek(0, os.SEEK_END)
    return _head(f"HTTP/1.1 {status} {_phrase(status)}", (*lasting(headers), ("content-length", str(size))))


def _when(at: datetime, media_type: str) -> list[tuple[str, str]]:
    return [("WARC-Date", f"{at:%Y-%m-%dT%H:%M:%SZ}"), ("Content-Type", media_type)]


def _refers(profile: str, url: str, at: datetime) -> list[tuple[str, str]]:
    """What a revisit says of the record that has its body (WARC 1.1, 6.7)."""
    date = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return [("WARC-Profile", profile), ("WARC-Refers-To-Target-URI", url), ("WARC-Refers-To-Date", date)]


def _head(first: str, rows: Iterable[tuple[str, str]]) -> bytes:
    lines = (f"{name}: {value}\r\n" for name, value in rows)
    return f"{first}\r\n{''.join(lines)}\r\n".encode("utf-8", "surrogateescape")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _chunks(body: IO[bytes] | None, size: int = _CHUNK) -> Iterator[bytes]:
    if body is None:
        return
    body.seek(0)
    while chunk := body.read(size):
        yield chunk

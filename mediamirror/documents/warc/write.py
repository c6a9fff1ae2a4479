"""Writing a WARC file, a record at a time (WARC 1.1, https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/).

Each record is a gzip member of its own where the file is compressed, so that readers can seek to it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import IO
from uuid import uuid4

from mediamirror.documents.warc.http import Headers, Response
from mediamirror.first_use import dataclass

_CHUNK = 256 * 1024


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


class WarcWriter:
    """Writes records to ``file``; with ``compressed`` each is a gzip member. ``note`` is told of each answer.

    Without ``digests``, which take twice as long as writing does, an archive is one for this run alone.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        compressed: bool,
        digests: bool = True,
        note: Callable[[Written], None] = lambda _: None,
    ) -> None:
        self._file = file
        self._digests = digests
        self._compressed = compressed
        self._note = note
        self._end = 0

    def info(self, fields: Sequence[tuple[str, str]], at: datetime) -> None:
        """Write the ``warcinfo`` record that describes the file."""
        block = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
        self._record("warcinfo", None, at, "application/warc-fields", block, None)

    def response(self, url: str, at: datetime, status: int, headers: Headers, body: IO[bytes] | None) -> None:
        """Write a ``response`` record: the recorded status and headers, and the decoded body (None: none was kept).

        Headers that told of the body's way, and not of the body, are left out, and Content-Length is that of what is here.
        """
        size, payload = self._measured(body)
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = ""
        rows = [*Response(status, headers, iter(())).lasting_headers, ("content-length", str(size))]
        head = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in rows) + "\r\n"
        kind = "application/http; msgtype=response"
        start = self._end
        self._record(
            "response", url, at, kind, head.encode("utf-8", "surrogateescape"), body, payload=payload, size=size
        )
        mime = next((value for name, value in headers if name == "content-type"), "").partition(";")[0].strip()
        self._note(Written(url, at, status, mime or "unk", payload, start, self._end - start))

    def resource(self, url: str, at: datetime, media_type: str, body: IO[bytes], *, kind: str = "resource") -> None:
        """Write a ``resource`` record, bytes of whose exchange nothing is known, or another ``kind`` with such a block."""
        size, payload = self._measured(body)
        start = self._end
        self._record(kind, url, at, media_type, b"", body, payload=payload, size=size)
        self._note(Written(url, at, None, media_type, payload, start, self._end - start))

    def _record(
        self,
        kind: str,
        url: str | None,
        at: datetime,
        media_type: str,
        head: bytes,
        body: IO[bytes] | None,
        *,
        payload: str | None = None,
        size: int = 0,
    ) -> None:
        block = self._digest(head, body)
        rows = [
            ("WARC-Type", kind),
            *([("WARC-Target-URI", url)] if url else []),
            ("WARC-Date", f"{at:%Y-%m-%dT%H:%M:%SZ}"),
            ("WARC-Record-ID", f"<urn:uuid:{uuid4()}>"),
            *([("WARC-Block-Digest", block)] if block else []),
            *([("WARC-Payload-Digest", payload)] if payload else []),
            ("Content-Type", media_type),
            ("Content-Length", str(len(head) + size)),
        ]
        start = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in rows) + "\r\n"
        self._write(start.encode() + head, body)

    def _measured(self, body: IO[bytes] | None) -> tuple[int, str | None]:
        """The size of a body in bytes, and its digest."""
        return (0 if body is None else body.seek(0, os.SEEK_END)), self._digest(b"", body)

    def _digest(self, head: bytes, body: IO[bytes] | None) -> str | None:
        """A digest as WARC writes it, if there are to be any."""
        if not self._digests:
            return None
        digest = hashlib.sha1(head, usedforsecurity=False)
        for chunk in _chunks(body):
            digest.update(chunk)
        return f"sha1:{base64.b32encode(digest.digest()).decode()}"

    def _write(self, head: bytes, body: IO[bytes] | None) -> None:
        pieces = (piece for part in ((head,), _chunks(body), (b"\r\n\r\n",)) for piece in part)
        if not self._compressed:
            for piece in pieces:
                self._put(piece)
            return
        member = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        for piece in pieces:
            self._put(member.compress(piece))
        self._put(member.flush())

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._end += len(data)


def stream_resource(
    file: IO[bytes], url: str, at: datetime, media_type: str, pieces: Iterable[bytes], *, most: int
) -> bool:
    """Write a resource whose size is known when it was written, into a plain file that can be sought in.

    False for one of more than ``most`` bytes, of which nothing stays, as where ``pieces`` raises.
    """
    start = file.tell()
    file.write(f"WARC/1.1\r\nWARC-Type: resource\r\nWARC-Target-URI: {url}\r\n".encode())
    file.write(f"WARC-Date: {at:%Y-%m-%dT%H:%M:%SZ}\r\nContent-Type: {media_type}\r\n".encode())
    length = file.tell()
    file.write(f"Content-Length: {0:018}\r\n\r\n".encode())
    size, is_whole = 0, False
    try:
        for piece in pieces:
            file.write(piece)
            size += len(piece)
            if size > most:
                return False
        file.write(b"\r\n\r\n")
        end = file.tell()
        file.seek(length)
        file.write(f"Content-Length: {size:018}".encode())
        file.seek(end)
        is_whole = True
    finally:
        if not is_whole:
            file.seek(start)
            file.truncate()
    return True


def _chunks(body: IO[bytes] | None) -> Iterator[bytes]:
    if body is None:
        return
    body.seek(0)
    while chunk := body.read(_CHUNK):
        yield chunk

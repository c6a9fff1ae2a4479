"""Undo a content coding nobody asked for, in bounded steps.

We ask for ``identity``. Some servers compress all the same: gzip and deflate are inflated here, no more than 64 KiB at a
time, so that a bomb meets the size limit after its first steps. br, zstd and doubled codings are refused: the standard
library has no bounded decoder for them. What is hashed and stored is the decoded file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from mediamirror.errors import BadContentEncoding, TransferTruncated
from mediamirror.redact import redact_url

_STEP = 64 * 1024
_MAX_MEMBERS = 1000
# Seen in the wild where no coding is meant; a browser ignores them.
_NO_CODING = {"", "identity", "none", "binary", "utf-8"}
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


def inflater_for(content_encoding: str | None, href: str) -> Inflater | None:
    """None when there is nothing to undo; raises `BadContentEncoding` for what we don't undo."""
    coding = (content_encoding or "").strip().lower()
    if coding in _NO_CODING:
        return None
    if coding in {"gzip", "x-gzip"}:
        return Inflater(_GZIP, href)
    if coding == "deflate":
        return Inflater(_ZLIB, href)
    raise BadContentEncoding(
        f"{redact_url(href)} came with Content-Encoding {coding[:40]!r}, though none was asked for."
    )


class Inflater:
    """Inflates a stream chunk by chunk."""

    def __init__(self, wbits: int, href: str) -> None:
        self._wbits = wbits
        self._href = href
        self._stream: zlib._Decompress | None = None
        self._head = b""
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what a chunk inflates to, at most 64 KiB at a time."""
        while data:
            stream, data = self._stream_for(data)
            if stream is None:
                return
            yield from self._steps(stream, data)
            data = stream.unused_data

    def finish(self) -> None:
        """Raise `TransferTruncated` when the compressed stream was cut."""
        if (self._head and not self._members) or (self._stream is not None and not self._stream.eof):
            raise TransferTruncated(f"{redact_url(self._href)} ended in the middle of its compressed data.")

    def _stream_for(self, data: bytes) -> tuple[zlib._Decompress | None, bytes]:
        """Return the stream that goes on or begins with ``data``, and its data; None while (or because) there is nothing to do."""
        if self._stream is not None and not self._stream.eof:
            return self._stream, data
        data = self._head + data
        self._head = data if len(data) < 2 else b""
        # What follows a stream is another gzip member, or padding that every browser ignores.
        another = data.startswith(_GZIP_MAGIC) and self._wbits == _GZIP
        if self._head or (self._members and not another):
            return None, b""
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise BadContentEncoding(f"{redact_url(self._href)} is compressed in more than {_MAX_MEMBERS} pieces.")
        # "deflate" is zlib by RFC 9110, and raw deflate from a good many servers.
        raw = self._wbits == _ZLIB and not _is_zlib(data)
        self._stream = zlib.decompressobj(_RAW if raw else self._wbits)
        return self._stream, data

    def _steps(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        try:
            while piece := stream.decompress(data, _STEP):
                yield piece
                data = stream.unconsumed_tail
        except zlib.error as error:
            raise BadContentEncoding(
                f"{redact_url(self._href)} has a Content-Encoding that its bytes do not follow."
            ) from error


def _is_zlib(data: bytes) -> bool:
    """RFC 1950, 2.2: the method is 8, and the first two bytes are a multiple of 31."""
    return data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0

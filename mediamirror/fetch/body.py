"""Receiving a body: minimum rate and rate limit, content codings, memory or a temporary file.

We ask for ``identity``. Some servers compress all the same: gzip and deflate are inflated here, no more than 64 KiB at a
time, so that a bomb meets the size limit after its first steps. br, zstd and doubled codings are refused: the standard
library has no bounded decoder for them. What is hashed and stored is the decoded file.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from mediamirror.errors import BadContentEncoding, BodyTooLarge, TransferTruncated
from mediamirror.model import Body
from mediamirror.redact import redact_url

SUFFIX = ".part"
"""How a spooled body's file name ends, so that a start can sweep what a kill left behind."""

_PREFIX = 64 * 1024
_WRITE = 256 * 1024


class Spool:
    """Takes a body's chunks, hashes them, and gives a `Body`.

    `take` says when bytes must go to disk; the caller then awaits `spill`. End with `finish`, or with `abandon`, which
    leaves no file.
    """

    def __init__(self, directory: Path, *, spool_over: int, limit: int, href: str) -> None:
        self._directory = directory
        self._spool_over = spool_over
        self._limit = limit
        self._href = href
        self._digest = hashlib.sha256()
        self._pending: list[bytes] = []
        self._held = 0
        self._size = 0
        self._prefix = b""
        self._path: Path | None = None
        self._file: AsyncBufferedIOBase | None = None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk; True asks for `spill`. Raises `BodyTooLarge`, and keeps what fits."""
        fits = chunk[: self._limit - self._size]
        self._size += len(fits)
        self._held += len(fits)
        self._digest.update(fits)
        self._pending.append(fits)
        if len(fits) < len(chunk):
            raise too_large(self._href, self._limit)
        return self._held > (_WRITE if self._path is not None else self._spool_over)

    async def spill(self) -> None:
        """Write what is held to the temporary file."""
        held = b"".join(self._pending)
        self._pending, self._held = [], 0
        if self._file is None:
            self._path = _create(self._directory)
            self._file = await aiofiles.open(self._path, "r+b")
        if len(self._prefix) < _PREFIX:
            self._prefix += held[: _PREFIX - len(self._prefix)]
        await self._file.write(held)

    async def take_decoded(self, body: Body, inflater: Inflater) -> None:
        """Add what the bytes of another body inflate to. Raises `BodyTooLarge`, and what the inflater raises."""
        async for chunk in _chunks_of(body):
            for piece in inflater.feed(chunk):
                if self.take(piece):
                    await self.spill()
        inflater.finish()

    async def finish(self, *, framed: bool = True) -> Body:
        """Close, and return what was received; ``framed`` as in `Body`."""
        sha256 = self._digest.hexdigest()
        if self._path is None:
            data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            return Body(self._size, sha256, data=data, prefix=data, framed=framed)
        if self._pending:
            await self.spill()
        if self._file is not None:
            await self._file.close()
        return Body(self._size, sha256, path=self._path, prefix=self._prefix, framed=framed)

    async def abandon(self) -> None:
        """Drop everything; no file stays, even when cancelled again meanwhile."""
        self._pending = []
        try:
            if self._file is not None:
                await asyncio.shield(self._file.close())
        except OSError:
            pass
        finally:
            if self._path is not None:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)


async def _chunks_of(body: Body) -> AsyncIterator[bytes]:
    if body.path is None:
        yield body.data or b""
        return
    async with aiofiles.open(body.path, "rb") as file:
        while chunk := await file.read(_WRITE):
            yield chunk


def _create(directory: Path) -> Path:
    # Made here and only opened in the thread: one that is late after a cancellation must not bring the file back.
    path = directory / f"{uuid4().hex}{SUFFIX}"
    path.touch(exist_ok=False)
    return path


def too_large(href: str, limit: int) -> BodyTooLarge:
    """The error for a body over its limit."""
    return BodyTooLarge(
        f"{redact_url(href)} is larger than {limit:,} bytes; raise --max-size (for a document --max-document-size) to accept it."
    )


class RateWatch:
    """Tells when a download has been slower than ``min_rate`` bytes a second over a whole window of seconds.

    Pure: the caller brings the time.
    """

    __slots__ = ("_least", "_seen", "_start", "_window")

    def __init__(self, min_rate: int, window: float, now: float) -> None:
        self._least = min_rate * window
        self._window = window
        self._start = now
        self._seen = 0

    def too_slow(self, size: int, now: float) -> bool:
        """Count bytes that have just arrived; True when the window that ends here held too few."""
        self._seen += size
        if now - self._start < self._window:
            return False
        slow = self._seen < self._least * (now - self._start) / self._window
        self._start, self._seen = now, 0
        return slow

    def pause(self, seconds: float) -> None:
        """Leave a wait of our own out of the window."""
        self._start += seconds


class Bucket:
    """``--limit-rate``: bytes a second over all downloads that share it.

    Waits are handed out in order of asking; after an idle time at most one ``burst`` of seconds passes unthrottled.
    """

    def __init__(
        self,
        rate: int,
        *,
        burst: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def take(self, size: int) -> float:
        """Wait until ``size`` bytes fit the rate; return the seconds of the wait."""
        now = self._clock()
        self._free_at = max(self._free_at, now - self._burst) + size / self._rate
        wait = self._free_at - now
        if wait <= 0:
            return 0.0
        await self._sleep(wait)
        return wait


_STEP = 64 * 1024
_MAX_MEMBERS = 1000
# Seen in the wild where no coding is meant; a browser ignores them.
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz"})
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


def is_coded(content_encoding: str) -> bool:
    """Whether it names a content coding. Other words (``aws-chunked``, ``utf-8``) say nothing of the bytes: browsers ignore them."""
    return any(word.strip() in _CODINGS for word in content_encoding.lower().split(","))


def inflater_for(content_encoding: str | None, href: str) -> Inflater | None:
    """None when there is nothing to undo; raises `BadContentEncoding` for what we don't undo."""
    coding = (content_encoding or "").strip().lower()
    if not is_coded(coding):
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

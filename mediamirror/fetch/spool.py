"""Where a body lies while it arrives: in memory when small, in a temporary file when large."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from mediamirror.errors import BodyTooLarge
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
        """Add a chunk; True asks for `spill`. Raises `BodyTooLarge`."""
        self._size += len(chunk)
        self._held += len(chunk)
        if self._size > self._limit:
            raise too_large(self._href, self._limit)
        self._digest.update(chunk)
        self._pending.append(chunk)
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

    async def finish(self) -> Body:
        """Close, and return what was received."""
        sha256 = self._digest.hexdigest()
        if self._path is None:
            data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            return Body(self._size, sha256, data=data, prefix=data)
        if self._pending:
            await self.spill()
        if self._file is not None:
            await self._file.close()
        return Body(self._size, sha256, path=self._path, prefix=self._prefix)

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


def discard(body: Body | None) -> None:
    """Delete a spooled body's file; does nothing for a body in memory, or when called twice."""
    if body is not None and body.path is not None:
        with suppress(OSError):
            body.path.unlink(missing_ok=True)

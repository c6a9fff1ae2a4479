"""A web archive that lies within another file, read where it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from mediamirror.first_use import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A file within another, whose bytes lie there as they are; opened as a path is. ``start`` and ``size`` in bytes."""

    source: Source
    start: int
    size: int

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Open it. Raises `OSError`."""
        return cast("BinaryIO", io.BufferedReader(_Window(self.source.open(mode), self.start, self.size)))


Source = Path | Part
"""What a web archive is read from."""


class _Window(io.RawIOBase):
    """A part of a file that can be sought in, which is closed with it."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

"""Where in which archive each URL is, in a temporary file: memory stays the same for a thousand records and a hundred million.

Rows have one size and lie in pages, a chain of pages for each of 256 buckets; looking a URL up reads one bucket, which for
a million records is about 200 KiB.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from mediamirror.documents.warc.bytes import Place
from mediamirror.first_use import dataclass

_KEY = 16
_ROW = struct.Struct(f">{_KEY}sqqqHB")
_PAGE = 100 * _ROW.size
_BUCKETS = 256


class Holds(IntEnum):
    """What a record has for its URL."""

    BODY = 1
    REDIRECT = 2
    REVISIT = 3


@dataclass(frozen=True, slots=True)
class Located:
    """One record: when it was made (microseconds since 1970), what it holds, in which file (by number), and where."""

    date: int
    holds: Holds
    file: int
    place: Place


class Index:
    """Rows by key. `add` from one thread; after that `find` from any."""

    def __init__(self, directory: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=directory, prefix="warc-index-")  # noqa: SIM115 - closed by close()
        self._waiting = [bytearray() for _ in range(_BUCKETS)]
        self._pages: list[list[int]] = [[] for _ in range(_BUCKETS)]
        self._end = 0

    def add(self, key: str, located: Located) -> None:
        """Add a row; a key may have many."""
        digest = _digest(key)
        place = located.place
        row = _ROW.pack(digest, located.date, place.at, place.skip, located.file, located.holds)
        bucket = self._waiting[digest[0]]
        bucket += row
        if len(bucket) >= _PAGE:
            self._pages[digest[0]].append(self._end)
            self._file.seek(self._end)
            self._file.write(bucket)
            self._file.flush()
            self._end += _PAGE
            bucket.clear()

    def find(self, key: str) -> list[Located]:
        """Return the rows of a key, the newest first; of equally old ones the one that was added last."""
        digest = _digest(key)
        found = [row for page in self._bucket(digest[0]) for row in _rows(page, digest)]
        found.reverse()
        return sorted(found, key=lambda row: -row.date)

    def _bucket(self, bucket: int) -> Iterator[bytes]:
        for at in self._pages[bucket]:
            yield os.pread(self._file.fileno(), _PAGE, at)
        yield bytes(self._waiting[bucket])

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=_KEY).digest()


def _rows(page: bytes, digest: bytes) -> Iterator[Located]:
    at = page.find(digest)
    while at >= 0:
        if at % _ROW.size == 0:
            _, date, start, skip, file, holds = _ROW.unpack_from(page, at)
            yield Located(date, Holds(holds), file, Place(start, skip))
        at = page.find(digest, at + 1)

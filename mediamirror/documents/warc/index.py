"""Where in which archive each URL is, in a temporary file: memory stays the same for a thousand records and a hundred million.

Rows have one size and lie in pages, a chain of pages for each of 256 buckets; looking a URL up reads one bucket, which for
a million records is about 200 KiB. A key begins with what near misses of a URL have in common, goes on with what all its
equivalent spellings have, and ends with this very spelling: so one row of the size of a plain hash answers all three.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import struct
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from mediamirror.documents.warc.bytes import Position
from mediamirror.first_use import dataclass, pattern

_NEAR, _SAME, _KEY = 6, 12, 16
_ROW = struct.Struct(f">{_KEY}sqqqHB")
_PAGE = 100 * _ROW.size
_BUCKETS = 256
_ASKED = 4
"""How many bits of a row's last byte stand before how it was asked for."""
_DAY = 24 * 60 * 60 * 1_000_000
MOST = 100
"""Most rows of one key that are looked at, the nearest in time."""


class Holds(IntEnum):
    """What a record has for its URL."""

    BODY = 1
    REDIRECT = 2
    REVISIT = 3
    NOTHING = 4
    """Nothing that can be given out, for a reason that the record itself tells."""


class Asked(IntEnum):
    """How the answer was asked for, where the request stands beside it; the best first."""

    FOR_IMAGES = 0
    """As a browser asks for a picture: its Accept names formats."""
    UNKNOWN = 1
    OTHERWISE = 2


@dataclass(frozen=True, slots=True)
class Located:
    """One record: when it was made (microseconds since 1970), what it holds, in which file (by number), and where."""

    date: int
    holds: Holds
    file: int
    place: Position
    asked: Asked = Asked.UNKNOWN


class Index:
    """Rows by key. `add` from one thread; after that `find` from any."""

    def __init__(self, directory: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=directory, prefix="warc-index-")  # noqa: SIM115 - closed by close()
        self._waiting = [bytearray() for _ in range(_BUCKETS)]
        self._pages: list[list[int]] = [[] for _ in range(_BUCKETS)]
        self._end = 0

    def add(self, key: bytes, located: Located) -> None:
        """Add a row under `url_key` or `payload_key`; a key may have many."""
        place = located.place
        row = _ROW.pack(key, located.date, place.at, place.skip, located.file, located.holds | located.asked << _ASKED)
        bucket = self._waiting[key[0]]
        bucket += row
        if len(bucket) >= _PAGE:
            self._pages[key[0]].append(self._end)
            self._file.seek(self._end)
            self._file.write(bucket)
            self._file.flush()
            self._end += _PAGE
            bucket.clear()

    def find(self, key: bytes, *, at: int | None = None, near: bool = False) -> list[Located]:
        """Return the rows of a key, those in its very spelling first; of these the nearest to ``at``, or else to the newest.

        Of those of one day the ones that were asked for as browsers do come first, and of equally old ones the one that was
        added last; `MOST` in all. ``near`` asks for the near misses too.
        """
        wanted = key[: _NEAR if near else _SAME]
        middle = max(map(_date, self._all(key, wanted)), default=0) if at is None else at
        rows = ((_order(key, row, middle), -number, row) for number, row in enumerate(self._all(key, wanted)))
        return [_located(row) for _, _, row in heapq.nsmallest(MOST, rows)]

    def _all(self, key: bytes, wanted: bytes) -> Iterator[bytes]:
        return (row for page in self._bucket(key[0]) for row in _rows(page, wanted))

    def _bucket(self, bucket: int) -> Iterator[bytes]:
        for at in self._pages[bucket]:
            yield os.pread(self._file.fileno(), _PAGE, at)
        yield bytes(self._waiting[bucket])

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


def _rows(page: bytes, wanted: bytes) -> Iterator[bytes]:
    at = page.find(wanted)
    while at >= 0:
        if at % _ROW.size == 0:
            yield page[at : at + _ROW.size]
        at = page.find(wanted, at + 1)


def _date(row: bytes) -> int:
    date: int = _ROW.unpack(row)[1]
    return date


def _order(key: bytes, row: bytes, at: int) -> tuple[bool, int, int, int, int]:
    date, apart = _date(row), abs(_date(row) - at)
    return row[_SAME:_KEY] != key[_SAME:], apart // _DAY, row[-1] >> _ASKED, apart, -date


def _located(row: bytes) -> Located:
    _, date, start, skip, file, holds = _ROW.unpack(row)
    return Located(date, Holds(holds & 15), file, Position(start, skip), Asked(holds >> _ASKED))


def url_key(url: str) -> bytes:
    """Return the key of a URL as `resolve` serialises it."""
    same = equivalent(url)
    return _digest(neighbourhood(same), _NEAR) + _digest(same, _SAME - _NEAR) + _digest(url, _KEY - _SAME)


def payload_key(told: str) -> bytes:
    """Return the key of a body by the digest or the id that its record gives."""
    return _digest(f"payload {told.strip().lower()}", _KEY)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size).digest()


_AUTHORITY = pattern(r"[a-z][a-z0-9+.\-]*://[^/?]*")
_ODD = pattern(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?@!$&'()*+,;=]")
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*,;:@")
"""What may stand for itself: RFC 3986, 2.3, and of 2.2 what crawlers escape or not as they like."""


def equivalent(url: str) -> str:
    """Return the one spelling of all equivalent ones of a URL that is serialised by the URL standard (RFC 3986, 6.2.2).

    6.2.2.1: hexadecimal digits become upper case (scheme and host are lower case already). 6.2.2.2: what needs no escape loses it,
    and what no URI may hold bare (``|``, ``[``, ``^``) is escaped. 6.2.2.3, dot segments, was done by the serialisation. Beyond the
    RFC, ``'`` and the other delimiters that have no meaning to a web server stand for their escapes, as in the keys of web
    archives (SURT); ``/ ? # & = + %`` never do. As there, a query of nothing is none.
    """
    url = url.removesuffix("?")
    authority = _AUTHORITY.match(url)
    start = authority.end() if authority else 0
    return url[:start] + _ODD.sub(_spelled, url[start:])


def _spelled(odd: re.Match[str]) -> str:
    text = odd[0]
    if len(text) == len("%00"):
        bare = chr(int(text[1:], 16))
        return bare if bare in _BARE else text.upper()
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def neighbourhood(url: str) -> str:
    """Return what a URL has in common with its near misses: without scheme, ``www.`` and case, its query in one order."""
    rest = url.partition("://")[2].lower().removeprefix("www.")
    path, _, query = rest.partition("?")
    return f"{path.rstrip('/')}?{'&'.join(sorted(query.split('&')))}"

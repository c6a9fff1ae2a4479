"""What was seen while archives were read, for what can only be said at their end. Memory stays the same for any number of records."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from mediamirror.documents.warc.bytes import Position
from mediamirror.documents.warc.index import Holds, Located
from mediamirror.markup.places.urls import shown

_ROW = struct.Struct(">qqqHB")
_MOST_IDS = 20_000
"""Records of which an id is known again: those that came last, which take some 2 MB."""


class Odd(StrEnum):
    """What is strange in an archive and costs nothing: what it has, behind their number, and what that means."""

    UNDATED = "{} whose date can't be read: any other capture is taken for newer"
    FUTURE = "{} dated in the future: captures are chosen by these dates"
    SAME_ID = "{} with the id of another: all were read"
    WITHIN = "{} of a web archive within, which is not read: give it as an INPUT"


class Seen:
    """Counts, the pages that are revisits, and the URLs of all pictures where ``all_images`` asks for them."""

    def __init__(self, directory: Path, *, all_images: bool) -> None:
        self.all_images = all_images
        self.documents = self.pictures = self.revisits = 0
        self._odd: dict[Odd, tuple[int, str]] = {}
        self._ids: dict[int, None] = {}
        self._again = tempfile.SpooledTemporaryFile(1024 * _ROW.size, dir=str(directory))  # noqa: SIM115 - closed by close()
        self._urls = tempfile.SpooledTemporaryFile(1024 * 1024, dir=str(directory))  # noqa: SIM115 - closed by close()

    def note(self, odd: Odd, url: str) -> None:
        """Count something strange; the first is named."""
        count, first = self._odd.get(odd, (0, url))
        self._odd[odd] = count + 1, first

    def id(self, name: str | None, url: str) -> None:
        """Take note of a record's id."""
        key = hash(name)
        if name and key in self._ids:
            self.note(Odd.SAME_ID, url)
        self._ids[key] = None
        if len(self._ids) > _MOST_IDS:
            del self._ids[next(iter(self._ids))]

    def odd(self) -> Iterator[str]:
        """Say what was strange, in a sentence part each."""
        for odd, (count, first) in self._odd.items():
            yield odd.format(f"{count:,} record{'s' * (count > 1)} ({shown(first)}{', …' if count > 1 else ''})")

    def put_off(self, located: Located) -> None:
        """Keep a page that is a revisit, or a redirect: what it leads to may be in an archive that is read later."""
        self._again.write(_ROW.pack(located.date, *located.place, located.file, located.holds))

    def again(self, holds: Holds) -> Iterator[Located]:
        """Yield what was put off of one kind."""
        self._again.seek(0)
        while row := self._again.read(_ROW.size):
            date, at, skip, file, kind = _ROW.unpack(row)
            if kind == holds:
                yield Located(date, holds, file, Position(at, skip))

    def picture(self, url: str, *, is_revisit: bool) -> None:
        """Take note of a picture; the body of a revisit is another's."""
        self.pictures += not is_revisit
        if self.all_images:
            self._urls.write(f"{url}\n".encode("utf-8", "replace"))

    def picture_urls(self) -> Iterator[bytes]:
        """Yield the URLs of the pictures, one a line, in pieces."""
        self._urls.seek(0)
        while piece := self._urls.read(64 * 1024):
            yield piece

    def close(self) -> None:
        """Drop the files."""
        self._again.close()
        self._urls.close()

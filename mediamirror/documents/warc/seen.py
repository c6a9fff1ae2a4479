"""What was seen while archives were read, for what can only be said at their end. Memory stays the same for any number of records."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mediamirror.documents.warc.bytes import Place
from mediamirror.documents.warc.index import Holds, Located

_ROW = struct.Struct(">qqqH")


class Seen:
    """Counts, the pages that are revisits, and the URLs of all pictures where ``all_images`` asks for them."""

    def __init__(self, directory: Path, *, all_images: bool) -> None:
        self.all_images = all_images
        self.documents = self.pictures = self.revisits = 0
        self._again = tempfile.SpooledTemporaryFile(1024 * _ROW.size, dir=str(directory))  # noqa: SIM115 - closed by close()
        self._urls = tempfile.SpooledTemporaryFile(1024 * 1024, dir=str(directory))  # noqa: SIM115 - closed by close()

    def put_off(self, located: Located) -> None:
        """Keep a page that is a revisit: its original may be in an archive that is read later."""
        place = located.place
        self._again.write(_ROW.pack(located.date, place.at, place.skip, located.file))

    def pages_again(self) -> Iterator[Located]:
        """Yield what was put off."""
        self._again.seek(0)
        while row := self._again.read(_ROW.size):
            date, at, skip, file = _ROW.unpack(row)
            yield Located(date, Holds.REVISIT, file, Place(at, skip))

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

"""What WARC files hold, by URL: a source of image bytes that needs no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.captures import EPOCH, Captures, Circle, Spool, Trail, microseconds
from mediamirror.documents.warc.http import GIVEN_OUT, Response, unusable
from mediamirror.documents.warc.index import Asked, Holds, Index, Located, equivalent, payload_key, url_key
from mediamirror.documents.warc.part import Source
from mediamirror.documents.warc.records import Record
from mediamirror.documents.warc.seen import Odd, Seen
from mediamirror.errors import NotArchived, TooManyRedirects
from mediamirror.first_use import replace
from mediamirror.markup.places.urls import resolve
from mediamirror.model import Download, Problem

MiB = 1024 * 1024
_MAX_FILES = 65_535
_SAME_AGAIN = GIVEN_OUT | {304}
"""What a revisit of a whole answer says of itself; one of a redirect or of an error is no more than that."""
_MOVED = frozenset({301, 302, 303, 307, 308})


class WarcArchive:
    """The responses of any number of WARC files, by URL.

    Filled by `warc.read_warc` while it reads documents; then `lookup` may be called concurrently. Of several
    captures of a URL the nearest to its page counts; one that can't be used gives way to the next. Bytes that are not those of their
    record's digest are never given out. The index is a temporary file in ``directory``, where bodies larger than ``spool_over``
    bytes are written too, for the caller to delete. ``max_size`` is the largest body given out, in bytes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        spool_over: int = MiB,
        max_size: int = 256 * MiB,
        only_pages: bool = False,
        all_images: bool = False,
        check_hashes: bool = False,
    ) -> None:
        self.directory = directory
        self.only_pages = only_pages
        """Whether nothing but pages is looked up, as where no picture is fetched."""
        self.check_hashes = check_hashes
        """Whether the hashes in the lists of a WACZ are compared with its files."""
        self.copy_to: Callable[[Record, IO[bytes]], None] | None = None
        """Takes each whole record, with its block as it stands there."""
        self._all_images = all_images
        self._sizes = (spool_over, max_size)
        self._files: list[Source] = []
        self.count = 0
        """Bodies that can be looked up, older captures included."""
        self.lost = 0
        """Damaged places of which it is not known what is lost there."""
        self._names = ("", -1)
        self._waiting: tuple[bytes, Located] | None = None
        self._asked = (b"", Asked.UNKNOWN)
        self._latest = microseconds(datetime.now(UTC) + timedelta(days=1))

    @cached_property
    def seen(self) -> Seen:
        """What was seen while the archives were read."""
        return Seen(self.directory, all_images=self._all_images)

    @cached_property
    def _index(self) -> Index:
        return Index(self.directory)

    @cached_property
    def _captures(self) -> Captures:
        return Captures(self._index, self._files, Spool(self.directory, *self._sizes))

    @property
    def has_files(self) -> bool:
        """Whether there is any archive: without one nothing else is made."""
        return bool(self._files)

    @property
    def name(self) -> str:
        """What the archives that are INPUTs are called."""
        first, more = self._names
        return first if more < 1 else f"{first} and {more} more"

    def add_file(self, path: Source, name: str = "") -> int:
        """Take a file in, and return its number; ``name`` where it is an INPUT."""
        if name:
            first, more = self._names
            self._names = (first or name, more + 1)
        if len(self._files) >= _MAX_FILES:
            raise OSError(f"more than {_MAX_FILES:,} archives at once")
        self._files.append(path)
        _ = self._captures  # made now, by one thread, for look-ups of many
        return len(self._files) - 1

    def add(self, record: Record, response: Response | None, number: int) -> Located | None:
        """Note one record of file ``number`` for what it holds: a body, a redirect, a pointer to another body, or nothing."""
        url = resolve(record.url, None)
        holds = _holds(record, response)
        if holds is None or not isinstance(url, str):
            return None
        key, date = url_key(url), microseconds(record.date or EPOCH)
        if record.date is None:
            self.seen.note(Odd.UNDATED, url)
        name = record.get(b"warc-record-id")
        self.seen.id(name, url)
        if date > self._latest:
            self.seen.note(Odd.FUTURE, url)
        asked = self._asked[1] if self._asked[0] == key else Asked.UNKNOWN
        located = Located(date, holds, number, record.place, asked)
        digest = record.get(b"warc-payload-digest")
        if holds is Holds.BODY and digest:
            self._index.add(payload_key(digest), located)
        if holds is Holds.BODY and name:
            self._index.add(payload_key(name), located)
        self.count += holds is Holds.BODY
        # The request may stand behind its answer too: until then this waits.
        self._settle()
        self._waiting, self._asked = (key, located), (b"", Asked.UNKNOWN)
        return located

    def add_request(self, record: Record, accept: str) -> None:
        """Note how the answer beside a request, before or behind it, was asked for."""
        url = resolve(record.url, None)
        key = url_key(url) if isinstance(url, str) else b""
        asked = Asked.FOR_IMAGES if "image/" in accept.lower() else Asked.OTHERWISE
        if self._waiting is not None and self._waiting[0] == key and self._waiting[1].asked is Asked.UNKNOWN:
            self._waiting = (key, replace(self._waiting[1], asked=asked))
            self._settle()
        else:
            self._asked = (key, asked)

    def _settle(self) -> None:
        """Put what waits into the index; before look-ups."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._index.add(*waiting)

    def open_file(self, number: int) -> BinaryIO:
        """Open a file by its number. Raises `OSError`."""
        return self._files[number].open("rb")

    def pages_again(self) -> Iterator[tuple[Located, Record]]:
        """Yield for each page that is a revisit of one with another URL where that is, and the header of its own record."""
        self._settle()
        for located in self.seen.again(Holds.REVISIT):
            record = self._captures.header(located)
            for original in self._captures.originals(record) if record is not None else ():
                found = self._captures.header(original)
                if found is not None and record is not None:
                    if _url_key_of(found) != _url_key_of(record):
                        yield original, record
                    break

    def redirected(self) -> Iterator[tuple[str, str, Response]]:
        """Yield the URL of each redirect, where all images are asked for, with the URL and the head of what it leads to."""
        self._settle()
        for located in self.seen.again(Holds.REDIRECT):
            record = self._captures.header(located)
            found = None if record is None else self._captures.behind(record.url)
            if record is not None and found is not None:
                yield record.url, *found

    async def lookup(self, url: str, *, pages: Sequence[str] = ()) -> Download:
        """Return what the archives hold for a URL, redirects followed within them.

        ``pages`` are the documents that name it: of several captures the nearest in time to the newest of these that is in the
        archives counts, or else the newest. URLs are equal in every spelling that `index.equivalent` knows. Only whole answers count,
        whose bytes are those of their digests. Raises `NotArchived` with the reason, `BodyTooLarge` and `TooManyRedirects`. A spooled
        body belongs to the caller.
        """
        return await asyncio.to_thread(self._lookup, url, pages)

    def knows(self, url: str) -> bool:
        """Whether there is any record of a URL, of use or not."""
        self._settle()
        here = resolve(url, None)
        return isinstance(here, str) and bool(self._index.find(url_key(here)))

    def problems(self) -> Iterator[Problem]:
        """What was noticed while URLs were looked up: captures that differ, and some that could not be used."""
        if self.has_files:
            yield from self._captures.problems()

    def _lookup(self, url: str, pages: Sequence[str]) -> Download:
        self._settle()
        here = resolve(url, None)
        if isinstance(here, str) and not self.has_files:
            raise NotArchived(f"{url} is in none of the archives: there is none among the INPUTs.")
        if not isinstance(here, str):
            raise NotArchived(f"{url} is not a URL that an archive can hold: {here.message}")
        trail = Trail()
        try:
            final, found = self._captures.nearest(here, trail, None, pages)
        except Circle:
            raise TooManyRedirects(f"{url} is redirected in a circle, or too often, within the archive.") from None
        except (Damaged, Undecodable, OSError) as error:
            raise NotArchived(f"{url} can't be taken from the archives: {error}.") from None
        if found is None:
            raise NotArchived(f"{url} is in none of the archives{self._lost()}{self._captures.near_miss(here)}.")
        return Download(url, final, found.status, found.headers, found.body, found.date, hops=tuple(trail.hops))

    def _lost(self) -> str:
        places = f"{self.lost:,} place{'s' * (self.lost > 1)}"
        return f", as far as they can be read ({places} in them can't be)" if self.lost else ""

    def close(self) -> None:
        """Drop the index. The files themselves are only ever read."""
        for name in ("_index", "seen"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _url_key_of(record: Record) -> bytes:
    """The key of a record's URL, in any spelling."""
    url = resolve(record.url, None)
    return url_key(equivalent(url)) if isinstance(url, str) else b""


def _holds(record: Record, response: Response | None) -> Holds | None:
    """What a record is good for; None for what is no answer at all."""
    if record.kind == "revisit" and (response is None or response.status in _SAME_AGAIN):
        return Holds.REVISIT
    if record.kind not in {"response", "resource", "revisit", "conversion"}:
        return None
    if response is None or unusable(record, response) is None:
        return Holds.BODY if response is not None else Holds.NOTHING
    return Holds.REDIRECT if response.status in _MOVED and response.header(b"location") else Holds.NOTHING

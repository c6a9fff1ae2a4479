"""What WARC files hold, by URL: a source of image bytes that needs no network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.http import (
    GIVEN_OUT,
    Headers,
    Proof,
    Response,
    answer_of,
    proved,
    read_answer,
    read_response,
    unusable,
)
from mediamirror.documents.warc.index import Holds, Index, Located, equivalent, payload_key, url_key
from mediamirror.documents.warc.part import Source
from mediamirror.documents.warc.records import Gap, Record, read_date, read_record, read_records
from mediamirror.documents.warc.seen import Seen
from mediamirror.documents.warc.spool import Spool
from mediamirror.errors import NotArchived, TooManyRedirects
from mediamirror.first_use import dataclass
from mediamirror.markup.places.urls import resolve
from mediamirror.model import Body, Download, Problem

MiB = 1024 * 1024
MAX_REDIRECTS = 10
MAX_TRIED = 100
"""Most records read for one URL."""
MAX_TOLD = 100
"""Most problems of the archives that are told one by one."""
_COMPARED = 8
"""Most other captures that one is compared with."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_FILES = 65_535
_MOVED = frozenset({301, 302, 303, 307, 308})


class _Circle(Damaged):
    """Redirects that lead back to where they came from, or on and on."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One record, read: what a Download is made of."""

    headers: Headers
    date: datetime
    body: Body
    status: int = 200


@dataclass(slots=True)
class _Trail:
    """One look-up under way: the answers that led to where it is, the URLs that lead nowhere, and how many records were read."""

    hops: list[tuple[str, int, Headers]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    tried: int = 0

    @property
    def passed(self) -> list[str]:
        return [url for url, _, _ in self.hops]


class WarcArchive:
    """The responses of any number of WARC files, by URL.

    Filled by `open`, or by `warc.read_warc` while it reads documents; then `lookup` may be called concurrently. Of several
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
        self.seen = Seen(directory, all_images=all_images)
        self._spool = Spool(directory, spool_over, max_size)
        self._files: list[Source] = []
        self._index = Index(directory)
        self.count = 0
        """Bodies that can be looked up, older captures included."""
        self._names = ("", -1)
        self._problems: list[Problem] = []
        self._untold = 0

    @classmethod
    def open(
        cls, paths: Iterable[Path], directory: Path, *, spool_over: int = MiB, max_size: int = 256 * MiB
    ) -> WarcArchive:
        """Index WARC files without reading the documents in them. Damage is passed over. Raises `OSError`."""
        archive = cls(directory, spool_over=spool_over, max_size=max_size)
        try:
            for path in paths:
                archive._read(path)
        except OSError:
            archive.close()
            raise
        return archive

    def _read(self, path: Path) -> None:
        number = self.add_file(path)
        with path.open("rb") as file:
            for item in read_records(file):
                if isinstance(item, Gap):
                    continue
                record, block = item
                try:
                    self.add(record, read_answer(record, block), number)
                except Damaged:
                    continue

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
        return len(self._files) - 1

    def add(self, record: Record, response: Response | None, number: int) -> Located | None:
        """Note one record of file ``number`` for what it holds: a body, a redirect, a pointer to another body, or nothing."""
        url = resolve(record.url, None)
        holds = _holds(record, response)
        if holds is None or not isinstance(url, str):
            return None
        date = _microseconds(record.date or _EPOCH)
        located = Located(date, holds, number, record.place)
        self._index.add(url_key(url), located)
        digest = record.headers.get("warc-payload-digest")
        if holds is Holds.BODY and digest:
            self._index.add(payload_key(digest), located)
        self.count += holds is Holds.BODY
        return located

    def open_file(self, number: int) -> BinaryIO:
        """Open a file by its number. Raises `OSError`."""
        return self._files[number].open("rb")

    def pages_again(self) -> Iterator[tuple[Located, Record]]:
        """Yield for each page that is a revisit of one with another URL where that is, and the header of its own record."""
        for located in self.seen.pages_again():
            record = self._header(located)
            for original in self._originals(record) if record is not None else ():
                found = self._header(original)
                if found is not None and record is not None:
                    if _url_key_of(found) != _url_key_of(record):
                        yield original, record
                    break

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
        here = resolve(url, None)
        return isinstance(here, str) and bool(self._index.find(url_key(here)))

    def problems(self) -> Iterator[Problem]:
        """What was noticed while URLs were looked up: captures that differ, and some that could not be used."""
        yield from self._problems
        if self._untold:
            yield Problem("captures-differ", f"{self._untold:,} more URLs have captures that differ or can't be used.")

    def _note(self, code: str, message: str) -> None:
        if len(self._problems) < MAX_TOLD:
            self._problems.append(Problem(code, message))
        else:
            self._untold += 1

    def _lookup(self, url: str, pages: Sequence[str]) -> Download:
        here = resolve(url, None)
        if not isinstance(here, str):
            raise NotArchived(f"{url} is not a URL that an archive can hold: {here.message}")
        trail = _Trail()
        try:
            final, found = self._nearest(here, trail, None, pages)
        except _Circle:
            raise TooManyRedirects(f"{url} is redirected in a circle, or too often, within the archive.") from None
        except (Damaged, Undecodable, OSError) as error:
            raise NotArchived(f"{url} can't be taken from the archives: {error}.") from None
        if found is None:
            raise NotArchived(f"{url} is in none of the archives{self._near_miss(here)}.")
        passed = tuple(trail.passed)
        return Download(
            url, final, found.status, found.headers, found.body, found.date, redirects=passed, hops=tuple(trail.hops)
        )

    def _nearest(self, url: str, trail: _Trail, at: int | None, pages: Sequence[str] = ()) -> tuple[str, _Found | None]:
        """The nearest capture of a URL that can be used, and where it stands; None where there is none at all.

        Raises what the nearest of those that can't be used raised.
        """
        key = url_key(url)
        rows = self._index.find(key, at=at)
        if len(rows) > 1 and pages:
            at = self._date_of(pages)
            rows = self._index.find(key, at=at)
        rows.sort(key=lambda row: row.holds is Holds.NOTHING)
        first: Exception | None = None
        for located in rows:
            trail.tried += 1
            if trail.tried > MAX_TRIED:
                raise first or Damaged("too many records stand under it that can't be used")
            try:
                found = self._take(located, url, trail)
            except (Damaged, Undecodable, OSError) as error:
                first = first or error
                continue
            if first is not None:
                self._note(
                    "capture-passed-over",
                    f"{url}: its nearest capture in the archives can't be used ({first}); "
                    f"that of {found[1].date:%Y-%m-%d} was taken.",
                )
            if len(rows) > 1 and located.holds is not Holds.REDIRECT:
                self._compare(url, located, found[1], rows, at)
            return found
        if first is not None:
            raise first
        return url, None

    def _date_of(self, pages: Sequence[str]) -> int | None:
        """When the newest of the pages that are in the archives was captured."""
        keys = [url_key(url) for url in (resolve(page, None) for page in pages) if isinstance(url, str)]
        return max((rows[0].date for key in keys if (rows := self._index.find(key))), default=None)

    def _take(self, located: Located, url: str, trail: _Trail) -> tuple[str, _Found]:
        """What one capture gives in the end. Raises `Damaged` and its like with the reason why it gives nothing."""
        if located.holds is Holds.REVISIT:
            return url, self._revisited(located)
        if located.holds is not Holds.REDIRECT:
            return url, self._load(located, url)
        with self.open_file(located.file) as file:
            record, block = read_record(file, located.place)
            response = answer_of(record, block.chunks())
            target = resolve(response.header("location") or "", url)
        if not isinstance(target, str):
            raise Damaged(f"it is redirected to what is no address ({target.message.removesuffix('.')})")
        if target == url or target in trail.passed or len(trail.hops) >= MAX_REDIRECTS:
            raise _Circle("it is redirected in a circle, or too often")
        if target in trail.dead:
            raise Damaged(f"it is redirected to {target}, which leads nowhere in the archives")
        trail.hops.append((url, response.status, response.lasting_headers))
        final, found = url, None
        try:
            final, found = self._nearest(target, trail, located.date)
        finally:
            if found is None:
                trail.hops.pop()
                trail.dead.add(target)
        if found is None:
            raise Damaged(f"it is redirected to {target}, which is in none of the archives")
        return final, found

    def _load(self, located: Located, url: str, digest: str | None = None) -> _Found:
        """Read a body, and prove it, by ``digest`` too. Raises `Damaged` and its like with the reason why there is none."""
        with self.open_file(located.file) as file:
            record, block = read_record(file, located.place)
            whole = Proof(record.headers.get("warc-block-digest"))
            response = answer_of(record, whole.watch(block.chunks()))
            if (why := unusable(record, response)) is not None:
                raise Damaged(why)
            payload = Proof(record.headers.get("warc-payload-digest"), digest)
            body = self._spool.take(proved(response, payload, whole), url)
            if not body.size:
                raise Damaged("its answer has no body")
            return _Found(response.lasting_headers, record.date or _EPOCH, body, response.status)

    def _revisited(self, located: Located) -> _Found:
        """WARC 1.1, 6.7: the body is that of the record with the same payload, or of the capture it refers to."""
        with self.open_file(located.file) as file:
            record, block = read_record(file, located.place)
            response = read_response(block.chunks()) if record.length else None
        reason = "it is a revisit, and its original is in none of the archives"
        for number, original in enumerate(self._originals(record)):
            try:
                found = self._load(original, record.url, record.headers.get("warc-payload-digest"))
            except (Damaged, Undecodable, OSError) as error:
                reason = reason if number else f"it is a revisit, and of its original {error}"
                continue
            headers = (
                response.lasting_headers if response is not None and response.status in GIVEN_OUT else found.headers
            )
            return _Found(headers, record.date or found.date, found.body)
        raise Damaged(reason)

    def _originals(self, record: Record) -> Iterator[Located]:
        digest = record.headers.get("warc-payload-digest")
        if digest:
            yield from self._index.find(payload_key(digest))
        url = resolve(record.headers.get("warc-refers-to-target-uri", "").strip("<>") or record.url, None)
        date = read_date(record.headers.get("warc-refers-to-date"))
        if isinstance(url, str):
            rows = self._index.find(url_key(url), at=None if date is None else _microseconds(date))
            yield from (row for row in rows if row.holds is Holds.BODY)

    def _near_miss(self, url: str) -> str:
        """What is told of a URL that differs a little from one that is not there."""
        for located in self._index.find(url_key(url), near=True)[:1]:
            record = self._header(located)
            if record is not None:
                return f"; {record.url} is, which differs in its scheme, its host's www, its case or the order of its query"
        return ""

    def _header(self, located: Located) -> Record | None:
        try:
            with self.open_file(located.file) as file:
                return read_record(file, located.place)[0]
        except (Damaged, OSError):
            return None

    def _compare(self, url: str, taken: Located, found: _Found, rows: list[Located], at: int | None) -> None:
        """Note where another capture of a URL has other bytes, by the digests that the records give."""
        own = self._header(taken)
        mine = own.headers.get("warc-payload-digest", "").lower() if own is not None else ""
        others = [row for row in rows if row is not taken and row.holds in {Holds.BODY, Holds.REVISIT}][:_COMPARED]
        headers = [header for row in others if (header := self._header(row)) is not None]
        if mine and any(header.headers.get("warc-payload-digest", mine).lower() != mine for header in headers):
            nearest = "the nearest to its page" if at is not None else "the newest"
            self._note(
                "captures-differ",
                f"{url} has {len(others) + 1} captures in the archives that are not all the same; that of "
                f"{found.date:%Y-%m-%d %H:%M:%S} was taken, {nearest}.",
            )

    def close(self) -> None:
        """Drop the index. The files themselves are only ever read."""
        self._index.close()
        self.seen.close()

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


def _microseconds(date: datetime) -> int:
    return int((date - _EPOCH) / timedelta(microseconds=1))


def _holds(record: Record, response: Response | None) -> Holds | None:
    """What a record is good for; None for what is no answer at all."""
    if record.kind == "revisit":
        return Holds.REVISIT
    if record.kind not in {"response", "resource"}:
        return None
    if response is None or unusable(record, response) is None:
        return Holds.BODY if response is not None else Holds.NOTHING
    return Holds.REDIRECT if response.status in _MOVED and response.header("location") else Holds.NOTHING

"""What WARC files hold, by URL: a source of image bytes that needs no network.

The captures of a URL are in an index, in memory while it is small, else in a file; `Captures` chooses which of them is given out.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self
from uuid import uuid4

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.http import GIVEN_OUT, Proof, Response, answer_of, proved, read_response, unusable
from mediamirror.documents.warc.index import Asked, Holds, Index, Located, equivalent, payload_key, url_key
from mediamirror.documents.warc.part import Source
from mediamirror.documents.warc.records import Headers, Record, read_date, read_record
from mediamirror.documents.warc.seen import Odd, Seen
from mediamirror.errors import BodyTooLarge, NotArchived, TooManyRedirects
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.places.urls import resolve, shown
from mediamirror.model import Body, Download, Passed, Problem

MAX_REDIRECTS = 10
MAX_TRIED = 100
"""Most records read for one URL."""
MAX_TOLD = 100
"""Most problems of the archives that are told one by one."""
_PREFIX = 64 * 1024
_COMPARED = 8
"""Most other captures that one is compared with."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Circle(Damaged):
    """Redirects that lead back to where they came from, or on and on."""


@dataclass(frozen=True, slots=True)
class Found:
    """One record, read: what a Download is made of."""

    headers: Headers
    date: datetime
    body: Body
    status: int = 200


@dataclass(slots=True)
class Trail:
    """One look-up under way: the answers that led to where it is, the URLs that lead nowhere, and how many records were read."""

    hops: list[Passed] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    tried: int = 0

    @property
    def passed(self) -> list[str]:
        """The URLs that were led on from."""
        return [hop.url for hop in self.hops]


class Captures:
    """Looks captures up in the index of ``files``, in any number of threads."""

    def __init__(self, index: Index, files: Sequence[Source], spool: Spool) -> None:
        self._index = index
        self._files = files
        self._spool = spool
        self._problems: list[Problem] = []
        self._untold = 0

    def problems(self) -> Iterator[Problem]:
        """What was noticed: captures that differ, and some that could not be used."""
        yield from self._problems
        if self._untold:
            yield Problem("captures-differ", f"{self._untold:,} more URLs have captures that differ or can't be used.")

    def _note(self, code: str, message: str) -> None:
        if len(self._problems) < MAX_TOLD:
            self._problems.append(Problem(code, message))
        else:
            self._untold += 1

    def nearest(self, url: str, trail: Trail, at: int | None, pages: Sequence[str] = ()) -> tuple[str, Found | None]:
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

    def _take(self, located: Located, url: str, trail: Trail) -> tuple[str, Found]:
        """What one capture gives in the end. Raises `Damaged` and its like with the reason why it gives nothing."""
        if located.holds is Holds.REVISIT:
            return url, self._revisited(located)
        if located.holds is not Holds.REDIRECT:
            return url, self._load(located, url)
        record, response = self._redirect(located)
        target = resolve(response.header(b"location") or "", url)
        if not isinstance(target, str):
            raise Damaged(f"it is redirected to what is no address ({target.message.removesuffix('.')})")
        if target == url or target in trail.passed or len(trail.hops) >= MAX_REDIRECTS:
            raise Circle("it is redirected in a circle, or too often")
        if target in trail.dead:
            raise Damaged(f"it is redirected to {target}, which leads nowhere in the archives")
        trail.hops.append(Passed(url, response.status, response.lasting_headers, record.date))
        final, found = url, None
        try:
            final, found = self.nearest(target, trail, located.date)
        finally:
            if found is None:
                trail.hops.pop()
                trail.dead.add(target)
        if found is None:
            raise Damaged(f"it is redirected to {target}, which is in none of the archives")
        return final, found

    def _load(self, located: Located, url: str, digest: str | None = None) -> Found:
        """Read a body, and prove it, by ``digest`` too. Raises `Damaged` and its like with the reason why there is none."""
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            whole = Proof(record.get(b"warc-block-digest"))
            response = answer_of(record, whole.watch(block.chunks()))
            if (why := unusable(record, response)) is not None:
                raise Damaged(why)
            payload = Proof(record.get(b"warc-payload-digest"), digest)
            body = self._spool.take(proved(response, payload, whole), url)
            if not body.size:
                raise Damaged("its answer has no body")
            return Found(response.lasting_headers, record.date or EPOCH, body, response.status)

    def _revisited(self, located: Located) -> Found:
        """WARC 1.1, 6.7: the body is that of the record with the same payload, or of the capture it refers to."""
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            response = read_response(block.chunks()) if record.length else None
        reason = "it is a revisit, and its original is in none of the archives"
        for number, original in enumerate(self.originals(record)):
            try:
                found = self._load(original, record.url, record.get(b"warc-payload-digest"))
            except (Damaged, Undecodable, OSError) as error:
                reason = reason if number else f"it is a revisit, and of its original {error}"
                continue
            headers = (
                response.lasting_headers if response is not None and response.status in GIVEN_OUT else found.headers
            )
            return Found(headers, record.date or found.date, found.body)
        raise Damaged(reason)

    def originals(self, record: Record) -> Iterator[Located]:
        """Yield where the body of a revisit may be, the surest first. Raises `Damaged` where it can't be said."""
        digest, name = record.get(b"warc-payload-digest"), record.get(b"warc-refers-to")
        if digest:
            yield from self._index.find(payload_key(digest))
        named = self._index.find(payload_key(name)) if name else []
        if len(named) > 1 and not digest:
            raise Damaged(f"it is a revisit, and {len(named):,} records have the id that it refers to")
        yield from named
        told = (record.get(b"warc-refers-to-target-uri") or "").strip("<>")
        if name and not (digest or told):
            return  # an older capture of its own URL may be of another picture
        url = resolve(told or record.url, None)
        date = read_date(record.get(b"warc-refers-to-date"))
        if isinstance(url, str):
            rows = self._index.find(url_key(url), at=None if date is None else microseconds(date))
            yield from (row for row in rows if row.holds is Holds.BODY)

    def near_miss(self, url: str) -> str:
        """What is told of a URL that differs a little from one that is not there."""
        for located in self._index.find(url_key(url), near=True)[:1]:
            record = self.header(located)
            if record is not None:
                return f"; {shown(record.url)} is, which differs in its scheme, its host's www, its case or the order of its query"
        return ""

    def header(self, located: Located) -> Record | None:
        """Return the header of a record; None where that can't be read any more."""
        try:
            with self._files[located.file].open("rb") as file:
                return read_record(file, located.place)[0]
        except (Damaged, OSError):
            return None

    def behind(self, url: str) -> tuple[str, Response] | None:
        """Return the last URL that one is redirected to, and the head of what is there; None where that is nothing."""
        for _ in range(MAX_REDIRECTS):
            here = resolve(url, None)
            rows = self._index.find(url_key(here)) if isinstance(here, str) else []
            located = next((row for row in rows if row.holds in {Holds.BODY, Holds.REDIRECT}), None)
            if located is None:
                return None
            try:
                _, response = self._head(located)
            except (Damaged, OSError):
                return None
            if located.holds is Holds.BODY:
                return url, response
            target = resolve(response.header(b"location") or "", url)
            url = target if isinstance(target, str) else ""
        return None

    def _redirect(self, located: Located) -> tuple[Record, Response]:
        """The record of a redirect, and its head. Raises `Damaged` where its bytes are not those that were recorded."""
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            whole = Proof(record.get(b"warc-block-digest"))
            response = answer_of(record, whole.watch(block.chunks()))
            # That of a revisit is the digest of a body which is elsewhere.
            payload = Proof(record.get(b"warc-payload-digest") if record.kind != "revisit" else None)
            if payload.promises or whole.promises:
                for _ in response.body(payload.watch):
                    pass
                if (wrong := payload.wrong() or whole.wrong()) is not None:
                    raise Damaged(f"its redirect is not to be trusted: {wrong}")
            return record, response

    def _head(self, located: Located) -> tuple[Record, Response]:
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            return record, answer_of(record, block.chunks())

    def _compare(self, url: str, taken: Located, found: Found, rows: list[Located], at: int | None) -> None:
        """Note where another capture of a URL has other bytes, by the digests that the records give."""
        own = self.header(taken)
        mine = (own.get(b"warc-payload-digest") or "").lower() if own is not None else ""
        others = [row for row in rows if row is not taken and row.holds in {Holds.BODY, Holds.REVISIT}][:_COMPARED]
        headers = [header for row in others if (header := self.header(row)) is not None]
        if mine and any((header.get(b"warc-payload-digest") or mine).lower() != mine for header in headers):
            nearest = "the nearest to its page" if at is not None else "the newest"
            self._note(
                "captures-differ",
                f"{url} has {len(others) + 1} captures in the archives that are not all the same; that of "
                f"{found.date:%Y-%m-%d %H:%M:%S} was taken, {nearest}.",
            )


def microseconds(date: datetime) -> int:
    """Return a time as the index has it."""
    return int((date - EPOCH) / timedelta(microseconds=1))


class Spool:
    """Takes bodies in. Those of more than ``over`` bytes are files in ``directory``, those of more than ``max_size`` are refused."""

    def __init__(self, directory: Path, over: int, max_size: int) -> None:
        self._directory = directory
        self._over = over
        self._max_size = max_size

    def take(self, chunks: Iterator[bytes], url: str) -> Body:
        """Take a body in: in memory while it is small, else in a file, which does not stay when something fails."""
        digest, held, size = hashlib.sha256(), bytearray(), 0
        for chunk in chunks:
            size += len(chunk)
            self._check(size, url)
            digest.update(chunk)
            held += chunk
            if size > self._over:
                return self._spooled(held, chunks, digest, url)
        data = bytes(held)
        return Body(size, digest.hexdigest(), data=data, prefix=data)

    def _spooled(self, held: bytearray, chunks: Iterator[bytes], digest: hashlib._Hash, url: str) -> Body:
        path = self._directory / f"{uuid4().hex}.part"
        size, prefix = len(held), bytes(held[:_PREFIX])
        try:
            with path.open("xb") as file:
                file.write(held)
                for chunk in chunks:
                    size += len(chunk)
                    self._check(size, url)
                    digest.update(chunk)
                    prefix += chunk[: max(0, _PREFIX - len(prefix))]
                    file.write(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(size, digest.hexdigest(), path=path, prefix=prefix)

    def _check(self, size: int, url: str) -> None:
        if size > self._max_size:
            raise BodyTooLarge(
                f"{url} is larger than {self._max_size:,} bytes in the archive; raise --max-size to accept it."
            )


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

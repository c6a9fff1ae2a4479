"""What WARC files hold, by URL: a source of image bytes that needs no network."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.http import Headers, Response, read_response
from mediamirror.documents.warc.index import Holds, Index, Located
from mediamirror.documents.warc.records import Gap, Record, read_date, read_record, read_records
from mediamirror.errors import BodyTooLarge, TooManyRedirects
from mediamirror.first_use import dataclass
from mediamirror.markup.places.urls import resolve
from mediamirror.model import Body, Download

MiB = 1024 * 1024
MAX_REDIRECTS = 10
_PREFIX = 64 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUFFIX = ".part"
_MAX_FILES = 65_535


@dataclass(frozen=True, slots=True)
class _Found:
    """One record, read: what a Download is made of."""

    headers: Headers
    date: datetime
    body: Body


class WarcArchive:
    """The responses of any number of WARC files, by URL.

    Filled by `open`, or by `warc.read_warc` while it reads documents; then `lookup` may be called concurrently. The newest
    capture of a URL counts; one that is damaged gives way to the one before it. The index is a temporary file in
    ``directory``, where bodies larger than ``spool_over`` bytes are written too, for the caller to delete. ``max_size`` is
    the largest body given out, in bytes.
    """

    def __init__(self, directory: Path, *, spool_over: int = MiB, max_size: int = 256 * MiB) -> None:
        self.directory = directory
        self._spool_over = spool_over
        self._max_size = max_size
        self._files: list[Path] = []
        self._index = Index(directory)
        self.count = 0
        """Bodies that can be looked up, older captures included."""

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
                response = None
                try:
                    if record.content_type.startswith("application/http"):
                        response = read_response(block.chunks())
                    elif record.kind == "resource":
                        response = Response(200, (), iter(()))
                except Damaged:
                    continue
                self.add(record, response, number)

    def add_file(self, path: Path) -> int:
        """Take a file in, and return its number."""
        if len(self._files) >= _MAX_FILES:
            raise OSError(f"more than {_MAX_FILES:,} archives at once")
        self._files.append(path)
        return len(self._files) - 1

    def add(self, record: Record, response: Response | None, number: int) -> None:
        """Note one record of file ``number`` for what it holds: a body, a redirect, or a pointer to an earlier body."""
        url = resolve(record.url, None)
        holds = _holds(record, response)
        if holds is None or not isinstance(url, str) or "warc-truncated" in record.headers:
            return
        date = int(((record.date or _EPOCH) - _EPOCH) / timedelta(microseconds=1))
        located = Located(date, holds, number, record.place)
        self._index.add(url, located)
        digest = record.headers.get("warc-payload-digest")
        if holds is Holds.BODY and digest:
            self._index.add(_payload_key(digest), located)
        self.count += holds is Holds.BODY

    async def lookup(self, url: str) -> Download | None:
        """Return what the archives hold for a URL, redirects followed within them; None where that is nothing usable.

        Only whole answers with status 200 count. Raises `BodyTooLarge` and `TooManyRedirects`. A spooled body belongs to the
        caller.
        """
        return await asyncio.to_thread(self._lookup, url)

    def _lookup(self, url: str) -> Download | None:
        passed: list[str] = []
        here = resolve(url, None)
        while isinstance(here, str):
            if len(passed) > MAX_REDIRECTS or here in passed:
                raise TooManyRedirects(f"{url} is redirected in a circle, or too often, within the archive.")
            found = self._newest(here)
            if isinstance(found, _Found):
                return Download(url, here, 200, found.headers, found.body, found.date, redirects=tuple(passed))
            if found is None:
                return None
            passed.append(here)
            here = resolve(found, here)
        return None

    def _newest(self, url: str) -> _Found | str | None:
        """What the newest usable record of a URL holds: a body, or where to go on."""
        for located in self._index.find(url):
            try:
                found = self._revisited(located) if located.holds is Holds.REVISIT else self._load(located, url)
            except (Damaged, Undecodable, OSError):
                continue
            if found is not None:
                return found
        return None

    def _load(self, located: Located, url: str) -> _Found | str | None:
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            response = _answer(record, block.chunks())
            if response is None:
                return None
            if located.holds is Holds.REDIRECT:
                return response.header("location")
            body = self._body(_whole(response), url)
            return _Found(response.lasting_headers, record.date or _EPOCH, body) if body.size else None

    def _revisited(self, located: Located) -> _Found | None:
        """WARC 1.1, 6.7: the body is that of the record with the same payload, or of the capture it refers to."""
        with self._files[located.file].open("rb") as file:
            record, block = read_record(file, located.place)
            response = _answer(record, block.chunks()) if record.length else None
        for original in self._originals(record):
            found = self._load(original, record.url)
            if isinstance(found, _Found):
                headers = response.lasting_headers if response is not None and response.status == 200 else found.headers
                return _Found(headers, record.date or found.date, found.body)
        return None

    def _originals(self, record: Record) -> Iterator[Located]:
        digest = record.headers.get("warc-payload-digest")
        if digest:
            yield from self._index.find(_payload_key(digest))
        url = resolve(record.headers.get("warc-refers-to-target-uri", "").strip("<>") or record.url, None)
        date = read_date(record.headers.get("warc-refers-to-date"))
        if isinstance(url, str):
            rows = [row for row in self._index.find(url) if row.holds is Holds.BODY]
            if date is not None:
                wanted = int((date - _EPOCH) / timedelta(microseconds=1))
                rows.sort(key=lambda row: abs(row.date - wanted))
            yield from rows

    def _body(self, chunks: Iterator[bytes], url: str) -> Body:
        """Take a body in: in memory while it is small, else in a file, which does not stay when something fails."""
        digest, held, size = hashlib.sha256(), bytearray(), 0
        for chunk in chunks:
            size += len(chunk)
            self._check(size, url)
            digest.update(chunk)
            held += chunk
            if size > self._spool_over:
                return self._spooled(held, chunks, digest, url)
        data = bytes(held)
        return Body(size, digest.hexdigest(), data=data, prefix=data)

    def _spooled(self, held: bytearray, chunks: Iterator[bytes], digest: hashlib._Hash, url: str) -> Body:
        path = self.directory / f"{uuid4().hex}{_SUFFIX}"
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

    def close(self) -> None:
        """Drop the index. The files themselves are only ever read."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holds(record: Record, response: Response | None) -> Holds | None:
    """What a record is good for."""
    if record.kind == "revisit":
        return Holds.REVISIT
    if response is None or record.kind not in {"response", "resource"}:
        return None
    if response.status == 200:
        return Holds.BODY
    return Holds.REDIRECT if response.status in {301, 302, 303, 307, 308} and response.header("location") else None


def _answer(record: Record, chunks: Iterator[bytes]) -> Response | None:
    if record.content_type.startswith("application/http"):
        return read_response(chunks)
    kind = (("content-type", record.content_type),) if record.content_type else ()
    return Response(200, kind, chunks)


def _whole(response: Response) -> Iterator[bytes]:
    """The body. Raises `Damaged` at its end when it is shorter than its Content-Length, as a lost connection leaves it."""
    size = 0
    for chunk in response.body():
        size += len(chunk)
        yield chunk
    length = response.header("content-length") or ""
    is_coded = response.header("content-encoding") or response.header("transfer-encoding")
    if not is_coded and length.isascii() and length.isdigit() and size < int(length):
        raise Damaged("the body is shorter than its Content-Length")


def _payload_key(digest: str) -> str:
    return f"payload {digest.strip().lower()}"

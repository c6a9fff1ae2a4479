"""The web archive that a job writes: in one file or several, each of which appears under its name when all is written.

exchanges with origins, as they end ──┐
records of archives among the INPUTs ─┼──> WARC records ──> .warc, .warc.gz, or a WACZ of them
what the store holds unchanged ───────┘
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, Self

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.listing import CatalogRow
from mediamirror.catalog.stored_sets import Exchange, read_exchange
from mediamirror.documents.warc.records import Record
from mediamirror.documents.warc.write import IP_ADDRESS, Answered, Twins, WarcWriter, stored_head
from mediamirror.errors import ArchiveError, FetchError, StoreError, UsageError
from mediamirror.fetch.request import Fetcher, Request, Trace, discard
from mediamirror.first_use import dataclass, replace
from mediamirror.jobs.run.destination import now
from mediamirror.markup.places.urls import is_made_up
from mediamirror.model import Body, Capture, Download, Outcome, Problem, Severity, Status
from mediamirror.redact import is_secret_header, redact_url
from mediamirror.store.base import Store, Sum, bounded

ArchiveKind = Literal["warc", "warc.gz", "wacz"]
ENDINGS: tuple[ArchiveKind, ...] = ("wacz", "warc.gz", "warc")
_MOST_DEFERRED = 1_000
"""Items whose host backs off, and whose last answer waits for their last word."""
IN_MEMORY = 4 * 1024 * 1024
"""Bytes of a body that are held in memory."""


def kind_of(path: Path) -> ArchiveKind:
    """Return what a file is to be by its name. Raises `UsageError` for one that says something else."""
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(f".{ending}"):
            return ending
    told = f"{path.suffix} is no ending of an archive that is written" if path.suffix else "its name has no ending"
    raise UsageError(f"{path}: {told}: end it with .wacz, .warc.gz or .warc.")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an archive goes, and how.

    ``open_file`` opens the file of a number, from 0 on. ``part_size`` in bytes: a part that is larger is the last but for the next,
    a file of its own where they are ``numbered``, and in a WACZ an archive of its own. ``sources`` are the names of the files
    that it is made from. With ``hide`` URLs lose their secrets.
    """

    kind: ArchiveKind
    open_file: Callable[[int], AbstractContextManager[IO[bytes]]]
    software: str
    about: str = ""
    part_size: int = 1 << 30
    numbered: bool = False
    sources: tuple[str, ...] = ()
    only_pictures: bool = False
    hide: bool = False

    def open(self, scratch: Path) -> ArchiveOut:
        """Return what writes it; ``scratch`` is for files of the run."""
        return ArchiveOut(self, scratch)


class ArchiveOut:
    """Writes an archive, from any number of threads. Use as a context manager: left without an error, the archive is whole.

    Every method raises `ArchiveError` where nothing more can be written.
    """

    def __init__(self, target: Target, scratch: Path) -> None:
        self._target = target
        self._scratch = scratch
        self._stack = ExitStack()
        self._part = ExitStack()
        self._parts = 0
        self._twins = Twins()
        self._lock = threading.Lock()
        self._open_part: Callable[[], WarcWriter] = self._file
        self._writer: WarcWriter

    def __enter__(self) -> Self:
        """Begin the first file. Raises `UsageError` where it can't be."""
        target = self._target
        with self._stack:
            if target.kind == "wacz":
                from mediamirror.documents.wacz_write import WaczWriter  # noqa: PLC0415 -- loaded for this alone

                file, self._open_part = self._stack.enter_context(target.open_file(0)), self._member
                self._box = self._stack.enter_context(
                    WaczWriter(
                        file, self._scratch, at=now(), software=target.software, only_pictures=target.only_pictures
                    )
                )
            self._stack.push(self._end_part)
            self._begin()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *raised: Any) -> None:
        with self._lock, _told():
            self._stack.__exit__(*raised)

    def _end_part(self, *raised: Any) -> None:
        self._part.__exit__(*raised)

    def _file(self) -> WarcWriter:
        file = self._stack.enter_context(self._target.open_file(self._parts))
        return WarcWriter(file, compressed=self._target.kind == "warc.gz", twins=self._twins)

    def _member(self) -> WarcWriter:
        self._part.close()
        return self._part.enter_context(self._box.archive(self._twins))

    def _begin(self) -> None:
        target = self._target
        self._writer = self._open_part()
        self._parts += 1
        fields = [("software", target.software), ("format", "WARC File Format 1.1"), ("description", target.about)]
        self._writer.info([*fields, *(("source", name) for name in target.sources)], now())

    @contextmanager
    def _writing(self) -> Iterator[WarcWriter]:
        with self._lock, _told():
            if self._writer.size >= self._target.part_size and (self._target.numbered or self._target.kind == "wacz"):
                self._begin()
            yield self._writer

    def _url(self, url: str) -> str:
        return redact_url(url, room=None) if self._target.hide else url

    def recorded(self, fetcher: Fetcher, *, asks_again: bool = False) -> RecordingFetcher:
        """Return a fetcher whose exchanges are written here; with ``asks_again`` what is deferred comes back to it."""
        return RecordingFetcher(fetcher, self, asks_again=asks_again)

    def capture(self, seen: Capture, since: Answered | None = None) -> None:
        """Write one exchange; of 304 Not Modified, ``since`` is the answer that it speaks of."""
        more = ((IP_ADDRESS, seen.address),) if seen.address else ()
        with self._writing() as writer, _opened(seen.body) as body:
            if since is not None:
                writer.unchanged(self._url(seen.url), seen.at, since, sent=seen.sent, more=more)
            else:
                head = _kept_head(seen.head)
                writer.response(self._url(seen.url), seen.at, head, body, sent=seen.sent, cut=seen.cut, more=more)

    def copy(self, record: Record, block: IO[bytes]) -> None:
        """Take over a record of an archive among the INPUTs."""
        if is_made_up(record.url) or (self._target.hide and record.kind == "request"):
            return
        with self._writing() as writer:
            writer.copy(record, block, url=self._url(record.url))

    def stored(self, row: CatalogRow, exchange: Exchange | None, body: IO[bytes]) -> Answered | None:
        """Write what the store holds of a URL, with the recorded exchange that gave it, or as a resource where there is none."""
        with self._writing() as writer:
            if exchange is None:
                at = datetime.fromisoformat(row.stored_at) if row.stored_at else now()
                media_type = row.content_type or f"image/{row.format or 'x-unknown'}"
                writer.resource(self._url(row.url or ""), at.astimezone(UTC), media_type, body)
                return None
            at = exchange.fetched_at.astimezone(UTC)
            for hop in exchange.hops or ():
                when = hop.at.astimezone(UTC) if hop.at is not None else at
                writer.response(self._url(hop.url), when, stored_head(hop.status, hop.headers, None), None)
            head = stored_head(exchange.status, exchange.headers, body)
            return writer.response(self._url(exchange.final_url), at, head, body)


def _kept_head(head: bytes) -> bytes:
    """The lines of a head as they came, but those of fields with secrets, and of the transfer coding, which was undone."""
    kept, is_kept = [], True
    for line in head.splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):  # else it goes on with the field before
            name = line.partition(b":")[0].strip().decode("latin-1")
            is_kept = name.lower() != "transfer-encoding" and not is_secret_header(name)
        kept += [line] if is_kept else []
    return b"".join(kept)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ArchiveError(f"The archive can't be written any further ({why}): none was made.") from error


@contextmanager
def _opened(body: Body | bytes | None) -> Iterator[IO[bytes] | None]:
    """The bytes of a body as a file."""
    if body is None:
        yield None
        return
    path = body.path if isinstance(body, Body) else None
    data = body if isinstance(body, bytes) else body.data or b""
    with io.BytesIO(data) if path is None else path.open("rb") as file:
        yield file


class RecordingFetcher:
    """A fetcher whose exchanges are written to an archive before their `Download` is given out. Keeps the contract of `Fetcher`.

    With ``asks_again`` answers to what is deferred are written with its last word: a player might choose a 503 that was over soon.
    """

    def __init__(self, fetcher: Fetcher, out: ArchiveOut, *, asks_again: bool) -> None:
        self._fetcher = fetcher
        self._out = out
        self._asks_again = asks_again
        self._unchanged: dict[str, Capture] = {}
        self._deferred: dict[str, Trace] = {}

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL. Raises `ArchiveError` besides."""
        trace, download = Trace(), None
        self._deferred.pop(request.url, Trace()).forget()
        try:
            try:
                download = await self._fetcher.fetch(replace(request, trace=trace))
            except FetchError as error:
                if error.deferred and self._asks_again and len(self._deferred) < _MOST_DEFERRED:
                    self._deferred[request.url], trace = trace, Trace()
                await self._keep(request.url, trace)
                raise
            await self._keep(request.url, trace)
        except BaseException:
            discard(download.body if download is not None else None)
            raise
        finally:
            trace.forget()
        return download

    async def _keep(self, url: str, trace: Trace) -> None:
        if trace and trace[-1].status == 304:
            self._unchanged[url] = trace.pop()  # until what it speaks of is written
        if trace:
            await asyncio.to_thread(self._write, trace)

    def _write(self, trace: Trace) -> None:
        for each in trace:
            self._out.capture(each)

    async def keep_stored(
        self, outcomes: Iterable[Outcome], catalog: Catalog, store: Store, known: Callable[[str], bool]
    ) -> AsyncIterator[Problem]:
        """Write what did not change since it was stored, and behind it that its origin said so; yield what can't be read.

        What is ``known`` of an archive among the INPUTs was written from there.
        """
        for outcome in outcomes:
            url = outcome.variant.url
            said, deferred = self._unchanged.pop(url, None), self._deferred.pop(url, Trace())
            await self._keep(url, deferred)
            deferred.forget()
            if outcome.status is not Status.UNCHANGED or outcome.key is None or known(url):
                continue
            exchange = await catalog.read(read_exchange, url, outcome.sha256 or "")
            row = CatalogRow(store.name, "stored", url=url, key=outcome.key, bytes=outcome.size, sha256=outcome.sha256)
            try:
                with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
                    await load_checked(store, row, body)
                    since = await asyncio.to_thread(self._out.stored, row, exchange, body)
            except StoreError as error:
                yield Problem(error.code, error.message, document=outcome.key, severity=Severity.ERROR)
                continue
            if said is not None and since is not None:
                await asyncio.to_thread(self._out.capture, said, since)


async def load_checked(store: Store, row: CatalogRow, body: IO[bytes]) -> None:
    """Copy the bytes of an object. Raises `StoreError` where they are not those that were recorded."""
    seen = Sum()
    async for chunk in bounded(store.get(row.key or ""), row.bytes or 0, f"{store.name}/{row.key}"):
        seen.add(chunk)
        body.write(chunk)
    if seen.sha256 != row.sha256:
        raise StoreError(
            f"{store.name}/{row.key} does not hold the bytes that were recorded; it was left out. "
            "Look at the mirror with `mediamirror verify --mirror DEST`."
        )

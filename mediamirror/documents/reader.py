"""Reads documents: small ones here, large ones in a process that may take so much memory and no more."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

from mediamirror.documents import apart
from mediamirror.documents.document import HELD, Document
from mediamirror.documents.look import bounded, is_split, links_in, look_through
from mediamirror.errors import UsageError
from mediamirror.first_use import replace
from mediamirror.model import Extraction, Problem, Rendered
from mediamirror.processes import start
from mediamirror.settings import ReadOptions

if TYPE_CHECKING:
    from mediamirror.documents.listings import Listing
    from mediamirror.documents.reader_process import Render, Task
    from mediamirror.markup.page.links import Links
    from mediamirror.rewrite.document import Places

A = TypeVar("A")
T = TypeVar("T")

_AT_ONCE = 16 * 1024
"""A document of so few bytes is read faster than a thread takes it over."""
_STEP = 1024 * 1024


class Unread(Exception):
    """A document whose reading was stopped; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Reader:
    """Looks through documents, one at a time. Use as an async context manager: on leaving, its process has ended.

    A document of more than `HELD` bytes is read in a process, started when the first one comes, that may take
    ``options.max_document_memory`` bytes: what is in a document comes back a little at a time, so that this process takes few.
    ``apart`` reads all documents there, so that several readers use several cores.
    """

    def __init__(self, options: ReadOptions, *, apart: bool = False) -> None:
        self._options = options
        self._held = -1 if apart else HELD
        self._process: asyncio.subprocess.Process | None = None
        self.sheets = Sheets()
        """The style sheets that were read; its `left` says which imports lead to none of them, when all was looked through."""

    async def look(self, document: Document, *, merge: bool = True) -> AsyncIterator[Extraction]:
        """Yield the image sets of a document in order, as much of them as the options take; without ``merge`` each place of its own.

        A document that costs too much ends with a `Problem` of code ``document-over-memory``, ``document-over-time`` or
        ``document-unread``. Raises `UsageError` when no process can be started.
        """
        self.sheets.saw(document)
        async for part in self._look(document, merge=merge):
            yield self.sheets.sift(part)

    async def _look(self, document: Document, *, merge: bool) -> AsyncIterator[Extraction]:
        if document.size > self._held:
            try:
                async for part in self._ask("sets" if merge else "unmerged", document):
                    yield part
            except Unread as stopped:
                yield Extraction((), (stopped.problem,))
            return
        parts = self._parts(document, merge=merge)
        if document.size <= _AT_ONCE:
            for part in parts:
                yield part
        else:
            while (found := await asyncio.to_thread(next, parts, None)) is not None:
                yield found

    def _parts(self, document: Document, *, merge: bool) -> Iterator[Extraction]:
        found = look_through(document, _held(document), links=self._options.links, merge=merge)
        return bounded(found, self._options, document.name)

    async def look_at_all(
        self, documents: Sequence[Document], render: Render | None
    ) -> list[list[Extraction | Rendered]]:
        """Return what is in each of some small documents, which go to the process and come back together.

        Style sheets are not taken note of. Raises `Unread`, of the first of them whichever it was, and what `look` raises.
        """
        (answer,) = [each async for each in self._ask("batch", replace(documents[0], data=b""), documents, render)]
        return answer  # type: ignore[no-any-return]

    async def places(self, document: Document) -> Places:
        """Return where each URL of a document stands, for rewriting. A small one is read at once, and nothing else goes on meanwhile.

        Raises `UsageError` as `look` does, and `Unread`.
        """
        from mediamirror.rewrite.document import joined, places_of  # noqa: PLC0415 -- start-up time

        if document.size > self._held:
            return joined([part async for part in self._ask("places", document)])
        return joined([places_of(part) for part in self._parts(document, merge=False)])

    async def links(self, document: Document) -> Links:
        """Return where a page leads on to. Raises `Unread`, and what `look` raises."""
        if document.size > HELD:
            return await self._only("links", document)  # type: ignore[no-any-return]
        return await asyncio.to_thread(links_in, document, _held(document))

    async def listing(self, document: Document) -> Listing:
        """Return what a sitemap lists. Raises `Unread`, and what `look` raises."""
        if document.size > HELD:
            return await self._only("listing", document)  # type: ignore[no-any-return]
        from mediamirror.documents.listings import listing_in  # noqa: PLC0415 -- start-up time

        return await asyncio.to_thread(listing_in, document, _held(document))

    async def _only(self, task: Task, document: Document) -> Any:
        (answer,) = [each async for each in self._ask(task, document)]
        return answer

    async def _ask(
        self, task: Task, document: Document, batch: Sequence[Document] = (), render: Render | None = None
    ) -> AsyncIterator[Any]:
        """The answers of a process. One that was not heard to the end, or that died, is not used again."""
        from mediamirror.documents.reader_process import DONE, LAST, MORE  # noqa: PLC0415 -- start-up time

        process, self._process = self._process, None
        if process is not None and apart.has_gone(process):
            await apart.end(process)
            process = None
        process = process or await self._start()
        told = False
        try:
            in_slices = task in {"sets", "unmerged", "places"} and await _off(is_split, document, document)
            chunks = document.chunks()
            what = replace(document, data=b"")
            job = (task, what, document.size, self._options, in_slices, tuple(batch), render)
            await apart.write(process, pickle.dumps(job))
            if not in_slices:
                await _write_whole(process, document, chunks)
            while (answer := await apart.read(process)) not in (DONE, LAST):
                if answer == MORE:
                    await apart.write(process, pickle.dumps(await _off(_some, chunks, document)))
                else:
                    told = True
                    yield answer
        except (ConnectionError, asyncio.IncompleteReadError):
            status = await apart.end(process)
            most = document.share(self._options.max_document_memory)
            raise Unread(apart.explained(status, document.name, most, told=told)) from None
        except BaseException:
            await apart.end(process)
            raise
        if answer == DONE:
            self._process = process
        else:
            await apart.end(process)

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await start("mediamirror.documents.reader_process", str(self._options.max_document_memory))
        except OSError as error:
            raise UsageError(f"No process to read large documents can be started ({error.strerror}).") from error

    async def aclose(self) -> None:
        """End the process and wait for its end. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            await apart.end(process)

    async def __aenter__(self) -> Self:
        """Enter; no process is started yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()


async def _off(work: Callable[[A], T], what: A, document: Document) -> T:
    """Do some reading of a document's bytes in a thread. Raises `Unread`."""
    try:
        return await asyncio.to_thread(work, what)
    except OSError as error:
        raise _changed(document, error.strerror or str(error)) from error


def _changed(document: Document, why: str) -> Unread:
    message = f"{document.name} can't be read any more ({why}): it is left out."
    return Unread(Problem("document-unread", message, document=document.name))


def _held(document: Document) -> bytes:
    return document.data if isinstance(document.data, bytes) else b"".join(document.chunks())


def _some(chunks: Iterator[bytes]) -> bytes:
    """The next bytes, a mebibyte or so; none at the end."""
    pieces: list[bytes] = []
    size = 0
    while size < _STEP and (chunk := next(chunks, None)) is not None:
        pieces.append(chunk)
        size += len(chunk)
    return b"".join(pieces)


async def _write_whole(process: asyncio.subprocess.Process, document: Document, chunks: Iterator[bytes]) -> None:
    """Write exactly as many bytes as a document has: so many are awaited."""
    left = document.size
    while left:
        chunk = (await _off(_some, chunks, document))[:left]
        if not chunk:
            raise _changed(document, "it has become shorter")
        await apart.write(process, chunk, framed=False)
        left -= len(chunk)


_IMPORT = "css-import"
_MOST = 10_000
"""Sheets, and imports, that are kept in mind: an import after them is told at once."""
_MOST_LEVELS = 16


class Sheets:
    """The imports of one run whose sheets may still come."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._waiting: list[Problem] = []

    def saw(self, document: Document) -> None:
        """Take note of a document that is read."""
        if document.kind == "css" and len(self._read) < _MOST:
            self._read.add(_address(document.name))

    def sift(self, part: Extraction) -> Extraction:
        """Hold back the imports that are in a part of a document, until `left`."""
        held = [problem for problem in part.problems if problem.code == _IMPORT][: _MOST - len(self._waiting)]
        self._waiting += held
        return replace(part, problems=tuple(each for each in part.problems if each not in held)) if held else part

    def imports(self) -> list[str]:
        """Where the sheets may be that the last documents import."""
        return [next(_named(problem), "") for problem in self._waiting]

    def left(self) -> Iterator[Problem]:
        """The imports whose sheets were not read."""
        waiting, self._waiting = self._waiting, []
        return (problem for problem in waiting if self._read.isdisjoint(_named(problem)))


def _address(name: str) -> str:
    return name if "://" in name else Path(os.path.abspath(name)).as_uri()  # noqa: PTH100 -- ".." is taken out of it


def _named(problem: Problem) -> Iterator[str]:
    """Where the sheet may be that an import names; a file's ``/a.css`` in any of the folders above it."""
    own, (url,) = _address(problem.document), problem.words
    try:
        yield (found := urljoin(own, url))
        if own.startswith("file:") and found.startswith("file:"):
            path = unquote(urlsplit(found).path)
            yield Path(path).as_uri()
            if url.startswith("/"):
                yield from (
                    Path(f"{folder}{path}").as_uri() for folder in Path(unquote(own[7:])).parents[:_MOST_LEVELS]
                )
    except ValueError:
        return

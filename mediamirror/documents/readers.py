"""Several readers at once: small documents are given to them in batches, and what is in them comes back in the documents' order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from mediamirror.documents.document import Document
from mediamirror.documents.reader import Reader, Unread
from mediamirror.model import Extraction, Problem, Rendered
from mediamirror.settings import ReadOptions

if TYPE_CHECKING:
    from mediamirror.documents.reader_process import Render

_BYTES = 256 * 1024
"""Of documents that are given out together, about."""
_MOST = 100
"""Most documents that are."""

Part = Extraction | Rendered
Looked = tuple[Document | Problem, AsyncIterator[Part]]


class _Batch(NamedTuple):
    """Documents, among them problems in place of some, and the task that reads them; none for a large document, which is alone."""

    found: Sequence[Document | Problem]
    task: asyncio.Task[list[list[Part]]] | None


class Readers:
    """Looks through documents with ``number`` processes, or with ``reader`` alone if that is 1. Use as an async context manager.

    ``render``, which has to be picklable, makes the text of image sets in the processes: then `Rendered` comes in place of them.
    What is large is always left to ``reader``, which holds little of it at a time.
    """

    def __init__(self, options: ReadOptions, reader: Reader, number: int, render: Render | None = None) -> None:
        self._reader = reader
        self._render = render
        self._others = [Reader(options, apart=True) for _ in range(number)] if number > 1 else []
        self._free: asyncio.Queue[Reader] = asyncio.Queue()
        for each in self._others:
            self._free.put_nowait(each)
        self._under_way: deque[_Batch] = deque()

    async def look(self, found: AsyncIterator[Document | Problem]) -> AsyncIterator[Looked]:
        """Yield each document with what is in it, and each problem with nothing, in their order. Raises what `Reader.look` raises."""
        if not self._others:
            async for each in found:
                yield each, _all(()) if isinstance(each, Problem) else self._reader.look(each)
            return
        async for batch in _batches(found):
            is_small = len(batch) > 1 or isinstance(batch[0], Problem) or isinstance(batch[0].data, bytes)
            self._under_way.append(_Batch(batch, asyncio.create_task(self._read(batch)) if is_small else None))
            while len(self._under_way) > 2 * len(self._others):
                async for row in self._first():
                    yield row
        while self._under_way:
            async for row in self._first():
                yield row

    async def _first(self) -> AsyncIterator[Looked]:
        """What is in the batch that was given out first."""
        found, task = self._under_way[0]
        answers = [[]] if task is None else await task
        self._under_way.popleft()
        for each, parts in zip(found, answers, strict=True):
            if isinstance(each, Problem):
                yield each, _all(())
            elif task is None:
                yield each, self._reader.look(each)
            else:
                self._reader.sheets.saw(each)
                sift = self._reader.sheets.sift
                yield each, _all([sift(part) if isinstance(part, Extraction) else part for part in parts])

    async def _read(self, found: Sequence[Document | Problem]) -> list[list[Part]]:
        documents = [each for each in found if isinstance(each, Document)]
        reader = await self._free.get()
        try:
            answers = iter(await _read(reader, documents, self._render))
        finally:
            self._free.put_nowait(reader)
        return [next(answers) if isinstance(each, Document) else [] for each in found]

    async def __aenter__(self) -> Self:
        """Enter; no process is started yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what is under way, and end the processes."""
        tasks = [batch.task for batch in self._under_way if batch.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for reader in self._others:
            await reader.aclose()


async def _read(reader: Reader, documents: Sequence[Document], render: Render | None) -> list[list[Part]]:
    """What is in each document. If the reader ends over one of them, they are read one by one, and that one is told of."""
    if not documents:
        return []
    try:
        return await reader.look_at_all(documents, render)
    except Unread as stopped:
        if len(documents) == 1:
            return [[Extraction((), (stopped.problem,))]]
    return [part for each in documents for part in await _read(reader, [each], render)]


async def _batches(found: AsyncIterator[Document | Problem]) -> AsyncIterator[list[Document | Problem]]:
    """Documents in batches of some bytes, problems in their places; what is not held in memory comes alone."""
    batch: list[Document | Problem] = []
    size = 0
    async for each in found:
        is_large = isinstance(each, Document) and not isinstance(each.data, bytes)
        if batch and (is_large or size >= _BYTES or len(batch) >= _MOST):
            yield batch
            batch, size = [], 0
        if is_large:
            yield [each]
        else:
            batch.append(each)
            size += each.size if isinstance(each, Document) else 0
    if batch:
        yield batch


async def _all(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        yield part

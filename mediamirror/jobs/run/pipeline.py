"""Any number of items in bounded memory: a list that lies in a file, and a sliding window of workers over it.

A fixed number of workers pull from one iterator, so that memory does not grow with the number of items; their results go
through a bounded queue to one recorder, which writes whatever has gathered as one batch. Tasks are created here and in `lanes`
alone.
"""

from __future__ import annotations

import asyncio
import pickle
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import IO, Generic, Protocol, TypeVar

from mediamirror.errors import MediamirrorError, StoreError
from mediamirror.model import StoredObject
from mediamirror.settings import MiB
from mediamirror.store.ordering import MOST_BYTES

T = TypeVar("T")
R = TypeVar("R")


class Keyed(Protocol):
    """What is recorded of one key."""

    @property
    def key(self) -> str:
        """The key."""
        ...


K = TypeVar("K", bound=Keyed)

BATCH = 256
"""Most results handed to the recorder at once."""
_GATHER = 0.02
"""Seconds in which results gather for the recorder."""
_ROOM = 64
"""Results that may wait for the recorder at least, however few are handled at once."""


class Together(Generic[T]):
    """Writes the items of many callers as few batches: whoever comes while one gathers or is being written shares the next.

    A batch gathers for ``linger`` seconds. A call returns when its item is written. A failure to write is raised for every
    caller from then on.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, linger: float = 0.0) -> None:
        self._write = write
        self._linger = linger
        self._waiting: list[T] = []
        self._turn = asyncio.Lock()
        self._failure: Exception | None = None

    async def __call__(self, item: T) -> None:
        """Write one item, with whatever else is waiting."""
        self._waiting.append(item)
        async with self._turn:
            if self._waiting:
                await asyncio.sleep(self._linger)
            batch, self._waiting = self._waiting, []
            if batch and self._failure is None:
                try:
                    await self._write(batch)
                except Exception as error:
                    self._failure = error
        if self._failure is not None:
            raise self._failure


async def run_window(
    items: AsyncIterator[T],
    handle: Callable[[T], Awaitable[R]],
    record: Callable[[Sequence[R]], Awaitable[None]],
    *,
    width: int,
) -> None:
    """Handle every item, ``width`` at a time, and record every result.

    ``handle`` turns its own failures into results; what it raises ends the run. Results reach ``record`` in the order in
    which they are finished. When the caller is cancelled, what is under way is cancelled, everything finished is still
    recorded, and the cancellation goes on. A recorder that fails ends the run with its error. Errors of ours, and of the system,
    come alone, all others as an ``ExceptionGroup``.
    """
    await run_recorded(lambda finished: _work_all(items, handle, finished.put, width), record, width=width)


class Finished(Generic[R]):
    """Results on their way to the recorder, a bounded number of them."""

    def __init__(self, size: int) -> None:
        self.queue: asyncio.Queue[R | None] = asyncio.Queue(size)
        self.late: list[R] = []

    async def put(self, result: R) -> None:
        """Hand a result over; one that is cancelled while it waits for room is not lost."""
        try:
            await self.queue.put(result)
        except asyncio.CancelledError:
            # The queue was full: what is done is done, and must not be lost with the place in it.
            self.late.append(result)
            raise


async def run_recorded(
    produce: Callable[[Finished[R]], Coroutine[None, None, None]],
    record: Callable[[Sequence[R]], Awaitable[None]],
    *,
    width: int,
) -> None:
    """Record what ``produce`` puts into the queue it is given, until it returns; ends as `run_window` does."""
    finished: Finished[R] = Finished(max(_ROOM, 4 * width))
    recorder = asyncio.create_task(_record_all(finished, record))
    workers = asyncio.create_task(produce(finished))
    try:
        await asyncio.wait({recorder, workers}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not workers.done():
            workers.cancel()
        await asyncio.wait({workers})
        # Where the queue is full, the recorder may fail before there is room for the end.
        ending = asyncio.create_task(finished.queue.put(None))
        await asyncio.wait({recorder, ending}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({recorder})
        ending.cancel()
    failures = [task.exception() for task in (recorder, workers) if not task.cancelled()]
    for failure in failures:
        if failure is not None:
            raise _plain(failure)
    workers.result()


def _plain(failure: BaseException) -> BaseException:
    """Return the first of many errors where all are known kinds: they are one to whoever waits for the run."""
    if isinstance(failure, BaseExceptionGroup) and failure.split((MediamirrorError, OSError))[1] is None:
        return _plain(failure.exceptions[0])
    return failure


async def both(one: Awaitable[T], other: Awaitable[R]) -> tuple[T, R]:
    """Await two things at once; when one fails, the other is cancelled and the failure raised."""

    async def left() -> T:
        return await one

    async def right() -> R:
        return await other

    tasks = asyncio.create_task(left()), asyncio.create_task(right())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    failures = [task.exception() for task in tasks if not task.cancelled() and task.exception() is not None]
    for failure in failures:
        if failure is not None:
            raise failure
    return tasks[0].result(), tasks[1].result()


async def _work_all(
    items: AsyncIterator[T], handle: Callable[[T], Awaitable[R]], finish: Callable[[R], Awaitable[None]], width: int
) -> None:
    turn = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await finish(await handle(item))

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(worker())


async def _record_all(finished: Finished[R], record: Callable[[Sequence[R]], Awaitable[None]]) -> None:
    open_ = True
    while open_:
        batch = [await finished.queue.get()]
        if batch[0] is not None and finished.queue.qsize() < BATCH:
            await asyncio.sleep(_GATHER)  # nobody waits for it: who has put a result goes on with the next item
        while len(batch) < BATCH and not finished.queue.empty():
            batch.append(finished.queue.get_nowait())
        open_ = batch[-1] is not None
        await record([result for result in batch if result is not None])
    if finished.late:
        await record(finished.late)


PAGE = 1_000


class WorkList(Generic[T]):
    """Append, then iterate. Items must be picklable. Use as a context manager: the file goes with it.

    An item that would make the file larger than ``most`` bytes is `StoreError`.
    """

    def __init__(self, *, page: int = PAGE, most: int = MOST_BYTES) -> None:
        self._page = page
        self._most = most
        self._last: list[T] = []
        self._file: IO[bytes] | None = None
        self._count = 0

    def __enter__(self) -> WorkList[T]:
        """Nothing is opened before there is more than a page."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, item: T) -> None:
        """Add one item at the end."""
        self._last.append(item)
        self._count += 1
        if len(self._last) >= self._page:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="mediamirror-")  # noqa: SIM115 - closed by __exit__
            pickle.dump(self._last, self._file, pickle.HIGHEST_PROTOCOL)
            self._last = []
            if self._file.tell() > self._most:
                raise StoreError(
                    f"The list of what is to be done fills more than {self._most // MiB:,} MiB after {self._count:,} things, "
                    "and goes on: a listing has no end, or more objects than one run can take. Name a part of it."
                )

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield every item, a page at a time from the file."""
        if self._file is not None:
            self._file.seek(0)
            while page := await asyncio.to_thread(self._read, self._file):
                for item in page:
                    yield item
        for item in self._last:
            yield item

    @staticmethod
    def _read(file: IO[bytes]) -> list[T]:
        try:
            page: list[T] = pickle.load(file)  # noqa: S301 - our own anonymous temporary file
        except EOFError:
            return []
        return page


async def as_they_come(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield what is there already, for who takes what comes."""
    for item in items:
        yield item


async def pages(items: AsyncIterator[T], size: int = 500) -> AsyncIterator[list[T]]:
    """Yield the items a page at a time."""
    page: list[T] = []
    async for item in items:
        page.append(item)
        if len(page) >= size:
            yield page
            page = []
    if page:
        yield page


async def beside(
    listed: AsyncIterator[StoredObject], named: AsyncIterator[K]
) -> AsyncIterator[tuple[StoredObject | None, K | None]]:
    """Merge a listing with what is recorded of keys, both sorted by the keys' bytes: one pair a key, either side of it may be None.

    Raises `StoreError` for a listing out of order: its end can't be trusted.
    """
    name, last = await anext(named, None), ""
    async for row in listed:
        if row.key <= last:
            raise StoreError(f"The listing is not in order ({row.key!r} after {last!r}): nothing was changed.")
        last = row.key
        while name is not None and name.key < row.key:
            yield None, name
            name = await anext(named, None)
        if name is not None and name.key == row.key:
            yield row, name
            name = await anext(named, None)
        else:
            yield row, None
    while name is not None:
        yield None, name
        name = await anext(named, None)

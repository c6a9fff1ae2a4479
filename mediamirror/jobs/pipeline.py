"""The sliding window: the only place that creates tasks.

A fixed number of workers pull from one iterator, so that memory does not grow with the number of items; their results go
through a bounded queue to one recorder, which writes whatever has gathered as one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH = 256
"""Most results handed to the recorder at once."""


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
    recorded, and the cancellation goes on. A recorder that fails ends the run with its error.
    """
    finished: asyncio.Queue[R | None] = asyncio.Queue(4 * width)
    recorder = asyncio.create_task(_record_all(finished, record))
    workers = asyncio.create_task(_work_all(items, handle, finished, width))
    try:
        await asyncio.wait({recorder, workers}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not workers.done():
            workers.cancel()
        await asyncio.wait({workers})
        if not recorder.done():
            await finished.put(None)
        await asyncio.wait({recorder})
    recorder.result()
    workers.result()


async def _work_all(
    items: AsyncIterator[T], handle: Callable[[T], Awaitable[R]], finished: asyncio.Queue[R | None], width: int
) -> None:
    turn = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await finished.put(await handle(item))

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(worker())


async def _record_all(finished: asyncio.Queue[R | None], record: Callable[[Sequence[R]], Awaitable[None]]) -> None:
    open_ = True
    while open_:
        batch = [await finished.get()]
        while len(batch) < BATCH and not finished.empty():
            batch.append(finished.get_nowait())
        open_ = batch[-1] is not None
        await record([result for result in batch if result is not None])

"""Room in memory for images that are decoded at once, so that a few small files can't take all there is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ROOM_A_WORKER = 56 * 1024**2
"""Bytes of pixels for each worker: an ordinary picture never waits."""


class Room:
    """Bytes to be shared out. Who asks first is served first; who needs more than all there is gets all of it, alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Bytes in all."""
        self._free = size
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes inside of the block; waits until they are free."""
        size = min(size, self.size)
        await self._take(size)
        try:
            yield
        finally:
            self._free += size
            self._serve()

    async def _take(self, size: int) -> None:
        if not self._queue and size <= self._free:
            self._free -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._free += size  # it had been served in the very moment
            elif (size, turn) in self._queue:  # else it was passed over: others were cancelled in the same moment
                self._queue.remove((size, turn))
            self._serve()
            raise

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            size, turn = self._queue.popleft()
            if not turn.done():
                self._free -= size
                turn.set_result(None)

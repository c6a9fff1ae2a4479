"""A directory as a store. The mirror in it holds files and the manifest: no database, no file beside each.

So neither ``sha256`` nor content type nor metadata come back from `head` and `list`; the catalog has them, and the change
token (size, mtime, ctime and inode) tells whether what it has still holds.
"""

from __future__ import annotations

import asyncio
import builtins
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from mediamirror.errors import DestinationMissing, StoreError, StoreRefused
from mediamirror.model import Body, StoredObject
from mediamirror.store import files
from mediamirror.store.base import TEMPORARY, ObjectAttributes, Store, checked_key, visible
from mediamirror.store.tree import mapped, open_file, seen_among, seen_at, token_of, walk

T = TypeVar("T")

_Waiting = tuple[files.Writing, asyncio.Future[None]]

_PAGE = 1_000
_THREADS = 16
_WRITERS = 2
"""Threads that write at once: what is put while all of them do is the next batch."""
_TOGETHER = 32
"""Files in a batch at most, all of them open."""
_BYTES_TOGETHER = 4 * 1024 * 1024
"""Bytes in a batch of more than one file."""


class DirectoryStore(Store):
    """Objects as files below ``root``. See `store.base.Store` for the contract.

    No link below the root is followed out of it: such a key is `BadKey`. ``folds_case`` is known after a `check` that writes.
    """

    folds_case = False

    def __init__(self, root: Path, *, threads: int = _THREADS) -> None:
        self._root = root
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mediamirror-files")
        self._waiting: deque[_Waiting] = deque()
        self._writers = 0

    @property
    def name(self) -> str:
        """The path."""
        return str(self._root)

    @property
    def local_root(self) -> Path:
        """The directory."""
        return self._root

    async def check(self, *, create: bool = False, writes: bool = True) -> None:
        """Prove that files can be written, or read alone; with ``create`` make the directory."""
        if not writes:
            await self._hop(self._prove_readable)
            return
        try:
            await self._hop(partial(self._prove, create))
            self.folds_case = await self._hop(partial(files.folds_case, self._root), TEMPORARY.rstrip("/"))
        except StoreError as error:
            raise StoreRefused(f"{self.name} can't be used: {error.message}") from error

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:  # noqa: ARG002
        """Write one file, whole or not at all. A directory keeps no attributes."""
        checked_key(key)
        return _row(key, await self._write(key, body), body.sha256)

    async def head(self, key: str) -> StoredObject | None:
        """Return size, time and token of one file."""
        checked_key(key)
        seen = await self._hop(partial(seen_at, self._root, key), key)
        return _row(key, seen) if seen else None

    async def heads(self, keys: Sequence[str]) -> Mapping[str, StoredObject]:
        """Return size, time and token of many files, looked at in one go."""
        return {key: _row(key, seen) for key, seen in (await self._hop(partial(seen_among, self._root, keys))).items()}

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file's bytes: a small one in one hop to a thread, a large one in steps."""
        checked_key(key)
        with ExitStack() as held:

            def begin() -> tuple[IO[bytes], bytes]:
                file = held.enter_context(open(open_file(self._root, key), "rb"))  # noqa: PTH123 - a descriptor
                return file, file.read(files.CHUNK)

            file, chunk = await self._hop(begin, key)
            while chunk:
                yield chunk
                chunk = await self._hop(partial(file.read, files.CHUNK), key) if len(chunk) == files.CHUNK else b""

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose key starts with ``prefix``, sorted. `RESERVED` shows only if ``prefix`` names it."""
        found = walk(self._root, prefix)
        while page := await self._hop(lambda: _page(found)):
            for key, seen in page:
                if visible(key, prefix):
                    yield _row(key, seen)

    async def delete(self, key: str) -> None:
        """Remove one file and the directories that it leaves empty; a missing one is fine."""
        checked_key(key)
        await self._hop(partial(files.remove, self._root, key), key)

    async def make_durable(self, key: str) -> None:
        """Sync a file that is there, and its directory. See `store.base.Store`."""
        checked_key(key)
        await self._hop(partial(files.make_durable, self._root, key), key)

    async def sweep(self, *, before: datetime) -> int:
        """Remove what earlier runs left half-written before that moment; return how many files.

        Never called by itself: another run may be writing.
        """
        return await self._hop(partial(files.sweep, self._root, before.timestamp()), TEMPORARY.rstrip("/"))

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:
        """Return the paths of those files."""
        return await self._hop(partial(files.leftovers, self._root, before.timestamp()), TEMPORARY.rstrip("/"))

    async def aclose(self) -> None:
        """Let the threads end, and take away the temporary area if nothing is in it."""
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(files.remove_area, self._root)

    async def _write(self, key: str, body: Body) -> os.stat_result:
        """Have a body written with whatever others are put meanwhile.

        A cancelled caller leaves only when that is done or never began: otherwise a put that was given up could still rename its
        file over that of a later one.
        """
        loop = asyncio.get_running_loop()
        mine = files.Writing(key, body), loop.create_future()
        writing, done = mine
        self._waiting.append(mine)
        loop.call_soon(self._begin)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            writing.wanted = False
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                await asyncio.wait([done])
            raise
        if isinstance(writing.outcome, os.stat_result):
            return writing.outcome
        if isinstance(writing.outcome, OSError):
            raise mapped(writing.outcome, self.name, key) from writing.outcome
        raise writing.outcome or AssertionError

    def _begin(self) -> None:
        """Hand what waits to the threads that write, as few batches as they are."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._writers < _WRITERS:
            batch = self._batch()
            self._writers += 1
            writings = [writing for writing, _ in batch]
            try:
                running = self._pool.submit(files.write_together, self._root, writings)
            except RuntimeError as error:  # the system gives no thread; a later one may still come to these
                for writing in writings:
                    writing.wanted, writing.outcome = False, error
                self._ended(batch)
            else:
                running.add_done_callback(partial(loop.call_soon_threadsafe, self._ended, batch))

    def _batch(self) -> builtins.list[_Waiting]:
        batch = [self._waiting.popleft()]
        size = batch[0][0].body.size  # what is large is written alone: nobody waits for it
        while self._waiting and len(batch) < _TOGETHER and size + self._waiting[0][0].body.size <= _BYTES_TOGETHER:
            batch.append(self._waiting.popleft())
            size += batch[-1][0].body.size
        return batch

    def _ended(self, batch: builtins.list[_Waiting], running: Future[None] | None = None) -> None:
        self._writers -= 1
        error = None if running is None else running.exception()
        for writing, done in batch:
            if error is not None:
                writing.outcome = StoreError(f"{self.name}/{writing.key} could not be written: {error}.")
            done.set_result(None)
        if running is not None:
            self._begin()

    async def _hop(self, work: Callable[[], T], key: str = "") -> T:
        """Run ``work`` in a thread. A cancelled caller leaves only when the thread has finished or never began."""
        running = self._pool.submit(work)
        waiting = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not running.cancel():
                await asyncio.wait([waiting])
                # Seen here, so that it is not reported as an exception nobody asked for.
                waiting.cancelled() or waiting.exception()
            raise
        except OSError as error:
            raise mapped(error, self.name, key) from error

    def _prove(self, create: bool) -> None:
        if create:
            self._root.mkdir(parents=True, exist_ok=True)
        self._prove_there()

    def _prove_there(self) -> None:
        if not self._root.is_dir():
            raise DestinationMissing(f"{self.name} is not a directory. Make it first, or give another place.")

    def _prove_readable(self) -> None:
        self._prove_there()
        if not os.access(self._root, os.R_OK | os.X_OK):
            raise StoreRefused(f"{self.name} may not be read. Check its owner and permissions.")


def _page(found: Iterator[tuple[str, os.stat_result]]) -> list[tuple[str, os.stat_result]]:
    return list(islice(found, _PAGE))


def _row(key: str, seen: os.stat_result, sha256: str | None = None) -> StoredObject:
    return StoredObject(
        key=key,
        size=seen.st_size,
        sha256=sha256,
        token=token_of(seen),
        modified=datetime.fromtimestamp(seen.st_mtime, UTC),
    )

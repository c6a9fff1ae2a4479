"""A directory as a store. The mirror in it holds files and nothing else: no database, no side files.

So neither ``sha256`` nor content type nor metadata come back from `head` and `list`; the catalog has them, and the change
token (size, mtime, ctime and inode) tells whether what it has still holds.
"""

from __future__ import annotations

import asyncio
import builtins
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiofiles

from mediamirror.errors import DestinationMissing, ObjectMissing, StoreError, StoreRefused
from mediamirror.model import Body, StoredObject
from mediamirror.store import files
from mediamirror.store.base import RESERVED, ObjectAttributes
from mediamirror.store.directory_errors import link_refused, mapped
from mediamirror.store.keys import TEMPORARY, checked_key, visible
from mediamirror.store.walk import token_of, walk

T = TypeVar("T")

_PAGE = 1_000
_THREADS = 16


class DirectoryStore:
    """Objects as files below ``root``. See `store.base.Store` for the contract.

    No link below the root is followed out of it: such a key is `BadKey`. ``folds_case`` is known after `check`.
    """

    def __init__(self, root: Path, *, threads: int = _THREADS) -> None:
        self._root = root
        self._area = files.Area(root, root / TEMPORARY.rstrip("/"))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mediamirror-files")
        self._real_root: str | None = None
        self.folds_case = False

    @property
    def name(self) -> str:
        """The path."""
        return str(self._root)

    async def check(self, *, create: bool = False) -> None:
        """Prove that files can be written; with ``create`` make the directory."""
        try:
            self.folds_case = await self._hop(lambda: self._probe(create))
        except StoreError as error:
            raise StoreRefused(f"{self.name} can't be used: {error.message}") from error

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:  # noqa: ARG002
        """Write one file, whole or not at all. A directory keeps no attributes."""
        checked_key(key)
        abandoned = threading.Event()

        def work() -> os.stat_result:
            self._inside(key)
            return files.write_whole(self._area, key, body, lambda: not abandoned.is_set())

        return _row(key, await self._hop(work, key, on_cancel=abandoned.set), body.sha256)

    async def head(self, key: str) -> StoredObject | None:
        """Return size, time and token of one file."""
        checked_key(key)
        seen = await self._hop(lambda: self._stat(key), key)
        return _row(key, seen) if seen else None

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file's bytes: a small one in one hop to a thread, a large one in steps."""
        checked_key(key)
        first = await self._hop(lambda: self._first_chunk(key), key)
        if first:
            yield first
        if len(first) < files.CHUNK:
            return
        async with aiofiles.open(self._root / key, "rb", executor=self._pool) as file:
            await file.seek(len(first))
            while chunk := await file.read(files.CHUNK):
                yield chunk

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the files whose key starts with ``prefix``, sorted. `RESERVED` shows only if ``prefix`` names it."""
        found = walk(self._root, prefix)
        while page := await self._hop(lambda: _page(found)):
            for key, seen in page:
                if visible(key, prefix):
                    yield _row(key, seen)

    async def is_empty(self) -> bool:
        """Whether no file but those under `RESERVED` is there."""
        async for _ in self.list():
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove one file and the directories that it leaves empty; a missing one is fine."""
        checked_key(key)

        def work() -> None:
            if self._stat(key) is not None:
                files.remove(self._root, self._root / key)

        await self._hop(work, key)

    async def make_durable(self, key: str) -> None:
        """Sync a file that is there, and its directory. See `store.base.MakesDurable`."""
        checked_key(key)
        await self._hop(lambda: files.make_durable(self._inside(key)), key)

    async def sweep(self, *, before: datetime) -> int:
        """Remove what earlier runs left half-written before that moment; return how many files.

        Never called by itself: another run may be writing.
        """
        return await self._hop(lambda: files.sweep(self._area.temporary, before.timestamp()))

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:
        """Return the paths of those files."""
        return await self._hop(lambda: files.leftovers(self._area.temporary, before.timestamp()))

    async def aclose(self) -> None:
        """Let the threads end, and take away the temporary area if nothing is in it."""
        await asyncio.to_thread(self._pool.shutdown)
        for directory in (self._area.temporary, self._root / RESERVED):
            with suppress(OSError):
                directory.rmdir()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _hop(self, work: Callable[[], T], key: str = "", *, on_cancel: Callable[[], None] = lambda: None) -> T:
        """Run ``work`` in a thread. A cancelled caller leaves only when the thread has finished or never began.

        Otherwise a put that was given up could still rename its file over that of a later one.
        """
        running = self._pool.submit(work)
        waiting = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            on_cancel()
            if not running.cancel():
                await asyncio.wait([waiting])
                # Seen here, so that it is not reported as an exception nobody asked for.
                waiting.cancelled() or waiting.exception()
            raise
        except OSError as error:
            raise mapped(error, self.name, key) from error

    def _probe(self, create: bool) -> bool:
        if create:
            self._root.mkdir(parents=True, exist_ok=True)
        if not self._root.is_dir():
            raise DestinationMissing(f"{self.name} is not a directory. Make it first, or give another place.")
        return files.folds_case(self._area)

    def _inside(self, key: str) -> Path:
        """Return the path of ``key``; a link on the way that leads out of the root is `BadKey`."""
        if self._real_root is None:
            self._real_root = os.path.realpath(self._root)
        path = self._root / key
        # Resolved, the directory must be the one that was asked for: any link at all would make two keys one.
        asked = os.path.join(self._real_root, *key.split("/")[:-1])  # noqa: PTH118 - on every put; pathlib is slow
        if os.path.normcase(os.path.realpath(path.parent)) != os.path.normcase(asked):
            raise link_refused(self.name, key)
        return path

    def _stat(self, key: str) -> os.stat_result | None:
        try:
            seen = self._inside(key).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return seen if stat.S_ISREG(seen.st_mode) else None

    def _first_chunk(self, key: str) -> bytes:
        if self._stat(key) is None:
            raise ObjectMissing(f"{self.name} holds no {key}.")
        with (self._root / key).open("rb") as file:
            return file.read(files.CHUNK)


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

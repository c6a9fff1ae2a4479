"""A directory as it is read by sync and check: nothing is written to it, and a file that changes is noticed.

Blocking parts run in threads of our own, one hop per file.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mediamirror.errors import SourceChanged
from mediamirror.first_use import dataclass
from mediamirror.imaging.sniff import sniff
from mediamirror.model import Body, Held, StoredObject
from mediamirror.store.base import PREFIX, Entry, ObjectAttributes, Sum, reason_against, visible
from mediamirror.store.tree import LINK, SPECIAL, mapped, open_file, token_of, walk

T = TypeVar("T")

Notice = Callable[[str, str, bool], None]

_PAGE = 1_000
_CHUNK = 1024 * 1024
_THREADS = 8
_IMAGES = frozenset({"webp", "jpeg", "png", "gif", "avif"})
_FINE_NS = 50_000_000
_COARSE_NS = 2_000_000_000
"""How old a time stamp must be before it vouches for bytes: a clock tick, or two seconds where there are only whole ones."""


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes and attributes, read whole, and what may be recorded of it (None where that is not safe yet)."""

    body: Body
    attributes: ObjectAttributes
    holding: Held | None


@dataclass(frozen=True, slots=True)
class Digest:
    """The sha256 of an object's bytes, where it was found, and what may be recorded."""

    sha256: str
    holding: Held | None
    bytes_read: int = 0


class LocalPlace:
    """The regular files below a directory. ``notice`` is told of what can't take part: its path, why, and if that is an error."""

    def __init__(self, root: Path, *, notice: Notice, in_memory: int) -> None:
        self._root = root
        self._notice = notice
        self._in_memory = in_memory
        self._told: list[tuple[str, str, bool]] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mediamirror-read")

    @property
    def name(self) -> str:
        """The path."""
        return str(self._root)

    async def pages(self) -> AsyncIterator[list[Entry]]:
        """Yield every file whose path can be a key, sorted; what lies under `RESERVED` is no content."""
        rows = self._rows()
        more = True
        while more:
            page = await self._hop(lambda: list(islice(rows, _PAGE)), "")
            told, self._told = self._told, []
            for about in told:  # here and not where it was seen: that was in a thread
                self._notice(*about)
            more = bool(page)
            yield page

    def _rows(self) -> Iterator[Entry]:
        for key, seen in walk(self._root, notice=lambda path, why: self._tell(path, why, why not in {LINK, SPECIAL})):
            if not visible(key, ""):
                continue
            reason = reason_against(key)
            if reason is not None:
                self._tell(key, reason, True)
                continue
            yield key, seen.st_size, token_of(seen), None

    def _tell(self, path: str, reason: str, is_error: bool) -> None:
        if visible(path, ""):
            self._told.append((path, reason, is_error))

    async def digest(self, row: StoredObject, *, read: bool) -> Digest:  # noqa: ARG002 - there is nothing but the bytes
        """Hash a file. Raises `StoreError`."""
        body, holding = await self._hop(lambda: _read(self._root, row.key, in_memory=0), row.key)
        return Digest(body.sha256, holding, body.size)

    async def attributes(self, row: StoredObject) -> ObjectAttributes:
        """Tell the content type from a file's first bytes; a file has no other attributes."""
        prefix = await self._hop(lambda: _beginning(self._root, row.key), row.key)
        return ObjectAttributes(content_type_of(row.key, prefix))

    async def load(self, row: StoredObject) -> Content:
        """Read a file: into memory, or, a large one, only its hash; its content type is told from its first bytes."""
        body, holding = await self._hop(lambda: _read(self._root, row.key, self._in_memory), row.key)
        return Content(body, ObjectAttributes(content_type_of(row.key, body.prefix)), holding)

    async def aclose(self) -> None:
        """Let the threads end."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _hop(self, work: Callable[[], T], key: str) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except OSError as error:
            raise mapped(error, self.name, key) from error


def content_type_of(key: str, prefix: bytes) -> str:
    """Tell the Content-Type of a file: an image by its first bytes, anything else by its name."""
    kind = sniff(prefix)
    if kind in _IMAGES:
        return f"image/{kind}"
    if kind == "svg":
        return "image/svg+xml"
    return mimetypes.guess_type(key, strict=False)[0] or "application/octet-stream"


def _beginning(root: Path, key: str) -> bytes:
    with open(open_file(root, key), "rb") as file:  # noqa: PTH123 - a descriptor
        return file.read(4096)


def _read(root: Path, key: str, in_memory: int) -> tuple[Body, Held | None]:
    """Read and hash one file, and make sure that it was the same one from the first byte to the last."""
    path, descriptor = root / key, open_file(root, key)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        before = os.fstat(descriptor)
        data, prefix, size, sha256 = _contents(file, before.st_size, in_memory)
        after = os.fstat(descriptor)
    if token_of(after) != token_of(before) or size != before.st_size:
        raise SourceChanged(f"{path} changed while it was read; nothing was stored. Run the same command again.")
    whole = data is not None
    body = Body(size, sha256, data=data, path=None if whole else path, prefix=prefix)
    holding = Held(key, sha256, size, token_of(before))
    return body, holding if _vouches(before, time.time_ns()) else None


def _contents(file: object, size: int, in_memory: int) -> tuple[bytes | None, bytes, int, str]:
    """Return the data (None for what is too large), the first bytes, how many were read, and the sha256."""
    read: Callable[[int], bytes] = file.read  # type: ignore[attr-defined]
    if size <= in_memory:
        data = b""
        while chunk := read(size + 1 - len(data)):
            data += chunk
            if len(data) > size:
                break
        return data, data[:PREFIX], len(data), hashlib.sha256(data).hexdigest()
    seen = Sum()
    while chunk := read(_CHUNK):
        seen.add(chunk)
    return None, seen.prefix, seen.size, seen.sha256


def _vouches(seen: os.stat_result, now_ns: int) -> bool:
    """Whether the file's times are old enough that a later write would change them."""
    newest = max(seen.st_mtime_ns, seen.st_ctime_ns)
    coarse = seen.st_ctime_ns % 1_000_000_000 == 0
    return now_ns - newest > (_COARSE_NS if coarse else _FINE_NS)

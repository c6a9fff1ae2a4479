"""Containers: files that hold documents of their own, read one by one in bounded memory. A new one is a row of `READERS`.

Each reader is imported when a container asks for it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from uuid import uuid4

from mediamirror.documents.compressed import Undecodable, is_gzip
from mediamirror.documents.document import MAX_DOCUMENT, Document
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Problem
from mediamirror.scratch import scratch_folder
from mediamirror.settings import MAX_DOCUMENT_MEMORY

if TYPE_CHECKING:
    from mediamirror.documents.rows import Rows
    from mediamirror.documents.warc.archive import WarcArchive

_BATCH = 64
_MAX_TOLD = 100
"""Most damaged places of one container that are told one by one."""
_MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Container:
    """One container to read: ``file`` is open, and can be sought in where ``path`` is given.

    ``field`` is the name of the field that is a document, or None; ``archive`` takes note of the responses in a WARC.
    """

    name: str
    file: BinaryIO
    path: Path | None = None
    base_url: str | None = None
    field: str | None = None
    archive: WarcArchive | None = None
    limit: int = MAX_DOCUMENT
    memory: int = MAX_DOCUMENT_MEMORY
    """Bytes that a process may take which takes it apart."""
    attached: Callable[[str], IO[bytes] | None] | None = None
    """Opens a file beside it, for one that stands in an archive itself."""

    @property
    def rows(self) -> Rows:
        """How to read its rows."""
        from mediamirror.documents.rows import Rows

        return Rows(self.name, self.base_url, self.field, self.limit)


Found = AsyncIterator[Document | Problem]
Read = Callable[[Container], Found]
"""Take one container apart. What keeps it from being read to its end is the last `Problem`."""


def _in_a_thread(take_apart: Callable[[Container], Iterator[Document | Problem]], container: Container) -> Found:
    return _batches(take_apart(container), container.name)


async def _batches(items: Iterator[Document | Problem], name: str) -> Found:
    while batch := await asyncio.to_thread(_some, items, name):
        for item in batch:
            yield item


def _some(items: Iterator[Document | Problem], name: str) -> list[Document | Problem]:
    """The next documents, as many as are small; none at the end."""
    batch: list[Document | Problem] = []
    size = 0
    try:
        for item in items:
            batch.append(item)
            size += item.size if isinstance(item, Document) else 0
            if len(batch) >= _BATCH or size > _MiB:
                break
    except OSError as error:
        message = f"{name} can't be read any further: {error.strerror or error}."
        batch.append(Problem("input-unreadable", message, document=name))
    return batch


async def _parquet(container: Container) -> Found:
    from mediamirror.documents.carried import Carried
    from mediamirror.documents.parquet import parquet_rows

    carried = Carried(container.name, container.archive, container.limit)
    try:
        file = await asyncio.to_thread(_to_seek_in, container)
    except Undecodable as error:
        yield _damaged(container, error)
        return
    async for item in parquet_rows(file, container.rows, container.memory, carried):
        yield item


def _to_seek_in(container: Container) -> BinaryIO:
    """The file of a container that is read from its end, or a copy of what comes once or is compressed. Raises `Undecodable`."""
    from mediamirror.documents.rows import inflated

    file = container.file
    if container.path is not None:
        is_compressed = is_gzip(file.read(3))
        file.seek(0)
        if not is_compressed:
            return file
    copy = tempfile.TemporaryFile(prefix="mediamirror-")  # noqa: SIM115 -- goes with the last that refers to it
    shutil.copyfileobj(inflated(file), copy)
    copy.flush()  # another process may read it
    copy.seek(0)
    return cast("BinaryIO", copy)


def _damaged(container: Container, error: Exception) -> Problem:
    return Problem("document-damaged", f"{container.name} can't be read: {error}.", document=container.name)


def _warc(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.warc.read import read_warc

    if container.path is not None:
        yield from read_warc(container.path, archive=container.archive, limit=container.limit, name=container.name)
        return
    with scratch_folder() as scratch:
        path = (scratch if container.archive is None else container.archive.directory) / f"{uuid4().hex}.warc"
        with path.open("xb") as copy:
            shutil.copyfileobj(container.file, copy)
        yield from read_warc(path, archive=container.archive, limit=container.limit, name=container.name)


def lists_wacz(name: str, head: bytes) -> bool:
    """Say whether a file is the list of an unpacked WACZ, or of several, by its name and its first bytes."""
    told = b'"multi-wacz-package"' in head or b'"wacz_version"' in head
    return told and name.endswith(".json") and head.lstrip().startswith(b"{")


def unpacked_wacz(folder: Path, archive: WarcArchive | None, limit: int) -> Found | None:
    """Return what is in a folder that is an unpacked WACZ; None where it is none."""
    if not (folder / "datapackage.json").is_file():
        return None
    from mediamirror.documents.wacz import is_unpacked, read_unpacked

    return _batches(read_unpacked(folder, archive, limit), str(folder)) if is_unpacked(folder) else None


def rest_of(archive: WarcArchive, limit: int, *, alone: bool) -> Found:
    """Yield what can only be read once all archives are: `warc.read.rest`."""
    from mediamirror.documents.warc.read import rest

    return _batches(rest(archive, limit, alone=alone), archive.name)


def _mail(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents import mail
    from mediamirror.documents.carried import url_path

    write = partial(mail.to_archive, limit=container.limit, scope=f"{url_path(container.name)}/")
    yield from _transcribed(container, write, "no mail and no saved page", "no page and no text of its own")


def _webarchive(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents import webarchive

    write = partial(webarchive.to_archive, limit=container.limit)
    yield from _transcribed(container, write, "no web archive of Safari", "no page")


def _har(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents import har

    missing = har.Missing()
    write = partial(
        har.to_archive,
        limit=container.limit,
        attached=container.attached or partial(_beside, container),
        missing=missing,
        only_pages=container.archive is None,
    )
    nothing = "no page with its body: record it together with the bodies of its answers"
    is_empty = yield from _transcribed(container, write, "no HAR file", nothing)
    if not is_empty and str(missing):
        yield Problem("passed-over", f"{container.name}: {missing}: passed over.", document=container.name)


def _beside(container: Container, name: str) -> IO[bytes] | None:
    """Open a file in the folder of a container, or below it; nothing else, wherever links lead."""
    if container.path is None or str(container.path) != container.name or "\0" in name:
        return None  # what came from elsewhere has no files here
    folder = container.path.parent.resolve()
    path = (folder / name).resolve()
    return path.open("rb") if path.is_relative_to(folder) and path.is_file() else None


def _transcribed(
    container: Container, write: Callable[[BufferedReader, BinaryIO], Iterator[str]], kind: str, nothing: str
) -> Generator[Document | Problem, None, bool]:
    """What a container holds, written to a web archive first, whose look-ups then have it too. Returns whether that is nothing."""
    from mediamirror.documents.json_stream import Malformed
    from mediamirror.documents.rows import inflated
    from mediamirror.documents.warc.read import read_warc
    from mediamirror.markup.places.urls import MAIL

    with scratch_folder() as scratch:
        directory = scratch if container.archive is None else container.archive.directory
        path, told = directory / f"{uuid4().hex}.warc", 0
        try:
            with path.open("xb") as out:
                for told, wrong in enumerate(write(inflated(container.file), out), 1):
                    if told <= _MAX_TOLD:
                        yield Problem("document-damaged", f"{container.name}: {wrong}.", document=container.name)
            if told > _MAX_TOLD:
                message = f"{container.name}: {told - _MAX_TOLD:,} more places in it are damaged."
                yield Problem("document-damaged", message, document=container.name)
        except (Malformed, Undecodable) as error:
            message = f"{container.name} is {kind} that can be read: {error}."
            yield Problem("document-damaged", message, document=container.name)
            return True
        is_empty = True
        for item in read_warc(path, archive=container.archive, limit=container.limit):
            is_empty = False
            if isinstance(item, Document) and item.name.startswith(MAIL):
                number = item.name.removeprefix(MAIL)
                item = replace(item, name=f"{container.name}:{number}", base_url=container.base_url)  # noqa: PLW2901
            yield item
        if is_empty:
            yield Problem("no-documents", f"{container.name} holds {nothing}.", document=container.name)
        return is_empty


def _zip(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.packed import read_zip
    from mediamirror.documents.wacz import read_wacz

    try:
        file = _to_seek_in(container)
    except Undecodable as error:
        yield _damaged(container, error)
        return
    yield from read_zip(file, container, _WITHIN.__getitem__, read_wacz)


def _tar(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.packed import read_tar

    yield from read_tar(container.file, container, _WITHIN.__getitem__)


def _refused(container: Container, why: str) -> Iterator[Document | Problem]:
    yield Problem("container-refused", f"{container.name} is {why}", document=container.name)


def _table(container: Container, delimiter: str | None) -> Iterator[Document | Problem]:
    from mediamirror.documents.rows import table

    yield from table(container.file, container.rows, delimiter=delimiter)


def _json_lines(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.rows import json_lines

    yield from json_lines(container.file, container.rows)


def _json_list(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.rows import json_list

    yield from json_list(container.file, container.rows)


_ROWS: dict[str, Callable[[Container], Iterator[Document | Problem]]] = {
    "jsonl": _json_lines,
    "csv": partial(_table, delimiter=None),
    "tsv": partial(_table, delimiter="\t"),
}
_WITHIN = {**_ROWS, "har": _har}
"""What is taken apart within an archive."""
_ZSTD = "compressed with zstd, which is not read: inflate it first (zstd -d)."
_MBOX = "a mailbox of many mails (mbox), which is not read: save them as .eml files, or as a Maildir."

READERS: dict[str, Read] = {
    **{kind: partial(_in_a_thread, take_apart) for kind, take_apart in _ROWS.items()},
    "parquet": _parquet,
    "warc": partial(_in_a_thread, _warc),
    "mhtml": partial(_in_a_thread, _mail),
    "webarchive": partial(_in_a_thread, _webarchive),
    "zip": partial(_in_a_thread, _zip),
    "tar": partial(_in_a_thread, _tar),
    "har": partial(_in_a_thread, _har),
    "zstd": partial(_in_a_thread, partial(_refused, why=_ZSTD)),
    "mbox": partial(_in_a_thread, partial(_refused, why=_MBOX)),
}
"""How to take each kind of container apart. A reader of what can't be kept in a temporary file raises `OSError`."""


def reader_for(kind: str, field: str | None) -> Read | None:
    """Return the reader of a kind, None for what is one document. JSON is taken apart only for one field of its records."""
    if kind == "json" and field is not None:
        return partial(_in_a_thread, _json_list)
    return READERS.get(kind)

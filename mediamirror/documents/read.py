"""Read every INPUT: paths, directories, globs, URLs and standard input, one document at a time."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from mediamirror.documents.compressed import STEP, Undecodable, decoded, inflate, is_gzip
from mediamirror.documents.containers import Container, lists_wacz, reader_for, rest_of, unpacked_wacz
from mediamirror.documents.document import (
    MAX_DOCUMENT,
    Chunks,
    Document,
    is_binary,
    is_image,
    kept,
    read_again,
    refusal,
    weighed,
)
from mediamirror.documents.plan import Input, Via, files, is_asset, is_document_file, is_special, plan_inputs, url_below
from mediamirror.errors import FetchError, UsageError
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.extract import choose_kind, other_kind
from mediamirror.model import Download, Problem
from mediamirror.settings import MAX_DOCUMENT_MEMORY

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive

Fetch = Callable[[str], Awaitable[Download]]
"""Fetch one URL whole; raises of `FetchError`."""

_log = logging.getLogger("mediamirror")
_LOOKED_AT = 8192
_SNIFFED = 64 * 1024
_MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Reading:
    """What holds for every input of one run. ``limit`` and ``memory`` are in bytes."""

    as_: str
    base_url: str | None
    fetch: Fetch | None
    stdin: BinaryIO | None
    limit: int
    field: str | None
    archive: WarcArchive | None
    memory: int


async def read_inputs(
    inputs: Sequence[str],
    *,
    as_: str = "auto",
    base_url: str | None = None,
    fetch: Fetch | None = None,
    stdin: BinaryIO | None = None,
    limit: int = MAX_DOCUMENT,
    field: str | None = None,
    archive: WarcArchive | None = None,
    memory: int = MAX_DOCUMENT_MEMORY,
) -> AsyncIterator[Document | Problem]:
    """Yield each document whole, in the order given, directories sorted; one that can't be used yields a `Problem`.

    Before the first one is read, everything named is checked: `InputMissing`, `InputUnreadable` and `UsageError` come
    from the first step. After that no input ends the run. One document is in memory at a time; ``limit`` is in bytes.
    Containers (JSON Lines, tables, WARC) give the documents in them; ``field`` names the field of their rows that is one.
    ``archive`` takes note of the responses in every WARC. ``memory`` is what a process may take that takes one apart.
    """
    places = plan_inputs(inputs)
    choose_kind(b"", media_type=None, document="", as_=as_)
    if fetch is None and any(place.via is Via.URL for place in places):
        raise UsageError("A URL was given as INPUT, and nothing here can fetch it: give a path.")
    if stdin is None and any(place.via is Via.STDIN for place in places):
        raise UsageError("- was given as INPUT, and there is no standard input.")
    reading = _Reading(as_, base_url, fetch, stdin, limit, field, archive, memory)
    alone = True
    for place in places:
        async for item in _read(place, reading):
            alone = alone and isinstance(item, Problem)
            yield item
    if archive is not None and archive.has_files:
        async for item in rest_of(archive, limit, alone=alone):
            yield item


async def _read(place: Input, reading: _Reading) -> AsyncIterator[Document | Problem]:
    if place.via is Via.SPECIAL:
        yield _special(place.word)
        return
    if place.via is Via.URL:
        items = _from_url(place.word, reading)
    elif place.via is Via.STDIN:
        items = _from_stdin(reading)
    elif place.via is Via.FILE:
        items = _from_file(Path(place.word), reading)
    else:
        items = _from_directory(Path(place.word), reading)
    async for item in items:
        yield item


async def _from_directory(directory: Path, reading: _Reading) -> AsyncIterator[Document | Problem]:
    whole = await asyncio.to_thread(unpacked_wacz, directory, reading.archive, reading.limit)
    if whole is not None:
        async for item in whole:
            yield item
        return
    found, others = await asyncio.to_thread(_listed, directory)
    for path in found:
        if await asyncio.to_thread(is_special, path):
            yield _special(str(path))
            continue
        base_url = url_below(reading.base_url, path.relative_to(directory).as_posix())
        async for item in _from_file(path, replace(reading, base_url=base_url)):
            yield item
    if not found:
        yield _problem("no-documents", str(directory), f"{directory} holds no document, by extension or content.")
    elif others:
        files = "1 file was" if others == 1 else f"{others:,} files were"
        message = f"{directory}: {files} passed over, no document by extension or content; -v lists them."
        yield _problem("passed-over", str(directory), message)


def _listed(directory: Path) -> tuple[list[Path], int]:
    """The documents of a directory in order, and how many other files there are, images and their like aside."""
    found: list[Path] = []
    others = 0
    for path in files(directory):
        if is_document_file(path):
            found.append(path)
        elif not is_asset(path):
            others += 1
            _log.debug("%s was passed over: no document by its extension or content.", path)
    return found, others


async def _from_file(path: Path, reading: _Reading) -> AsyncIterator[Document | Problem]:
    name = str(path)
    if not await asyncio.to_thread(is_special, path):
        async for item in _from_path(path, name, None, reading.base_url, reading):
            yield item
        return
    try:  # a pipe that was named, such as <(command): it gives its bytes once
        with await asyncio.to_thread(path.open, "rb") as pipe:
            head = await asyncio.to_thread(pipe.read, _SNIFFED)
            whole = cast("BinaryIO", io.BufferedReader(_Joined(head, pipe)))
            async for item in _from_stream(name, head, whole, reading):
                yield item
    except OSError as error:
        yield _problem("input-unreadable", name, f"{name} can't be read: {error.strerror or error}.")


async def _from_path(
    path: Path, name: str, media_type: str | None, base_url: str | None, reading: _Reading
) -> AsyncIterator[Document | Problem]:
    try:
        head = await asyncio.to_thread(_read_file, path, _SNIFFED)
        if lists_wacz(path.name, head):
            yield _problem(
                "no-documents", name, f"{name} lists the files of a WACZ: give the folder that it stands in."
            )
            return
        kind = _kind(head, media_type, name, reading)
        if (read := reader_for(kind, reading.field)) is not None:
            with path.open("rb") as file:
                container = _container(name, file, base_url, reading, path)
                async for item in read(container):
                    yield _from(kind, name, item)
            return
        chunks = partial(_file_chunks, path, reading.limit + 1) if len(head) > _SNIFFED else partial(iter, (head,))
        items = await asyncio.to_thread(_documents, name, chunks, media_type, base_url, reading)
    except OSError as error:
        yield _problem("input-unreadable", name, f"{name} can't be read: {error.strerror or error}.")
        return
    for found in items:
        yield found


async def _from_stdin(reading: _Reading) -> AsyncIterator[Document | Problem]:
    assert reading.stdin is not None  # noqa: S101 - read_inputs has checked
    try:
        first = getattr(reading.stdin, "read1", reading.stdin.read)  # what is there: the rest may be long in coming
        head = await asyncio.to_thread(first, _SNIFFED)
        whole = cast("BinaryIO", io.BufferedReader(_Joined(head, reading.stdin)))
        async for item in _from_stream("-", head, whole, reading):
            yield item
    except OSError as error:
        yield _problem("input-unreadable", "-", f"Standard input can't be read: {error.strerror or error}.")


async def _from_stream(name: str, head: bytes, file: BinaryIO, reading: _Reading) -> AsyncIterator[Document | Problem]:
    """Read what can be read once only; its ``head`` tells what it is. Raises `OSError`."""
    kind = _kind(head, None, name, reading)
    if (read := reader_for(kind, reading.field)) is not None:
        async for item in read(_container(name, file, reading.base_url, reading, None)):
            yield _from(kind, name, item)
        return
    for found in await asyncio.to_thread(_kept, name, file, reading):
        yield found


class _Joined(io.RawIOBase):
    """Bytes that were read already, and then the rest of their stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as bytes come at once."""
        chunk = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


async def _from_url(url: str, reading: _Reading) -> AsyncIterator[Document | Problem]:
    assert reading.fetch is not None  # noqa: S101 - read_inputs has checked
    try:
        download = await reading.fetch(url)
    except FetchError as error:
        yield _problem(error.code, url, error.message)
        return
    async for item in _from_download(url, download, reading):
        yield item


async def read_download(
    url: str, download: Download, *, limit: int = MAX_DOCUMENT, memory: int = MAX_DOCUMENT_MEMORY
) -> AsyncIterator[Document | Problem]:
    """Yield the documents in what a URL answered with, as `read_inputs` does for an INPUT; the limits are in bytes."""
    reading = _Reading("auto", None, None, None, limit, None, None, memory)
    async for item in _from_download(url, download, reading):
        yield item


async def _from_download(url: str, download: Download, reading: _Reading) -> AsyncIterator[Document | Problem]:
    name, media_type = download.final_url, download.header("content-type")
    base_url = reading.base_url or name
    body = download.body
    if body is None:
        yield _problem("empty-document", url, f"{url} answered without a body.")
    elif body.path is not None:
        async for item in _from_path(body.path, name, media_type, base_url, reading):
            yield _with_links(item, name, download.headers)
    else:
        async for item in _from_memory(body.data or b"", name, media_type, base_url, reading):
            yield _with_links(item, name, download.headers)


def _with_links(item: Document | Problem, url: str, headers: Iterable[tuple[str, str]]) -> Document | Problem:
    """Give the document that a response is (not those inside of it) the response's Link headers."""
    if isinstance(item, Problem) or item.name != url:
        return item
    return replace(item, link_headers=tuple(value for name, value in headers if name.lower() == "link"))


async def _from_memory(
    data: bytes, name: str, media_type: str | None, base_url: str | None, reading: _Reading
) -> AsyncIterator[Document | Problem]:
    kind = _kind(data, media_type, name, reading)
    if (read := reader_for(kind, reading.field)) is not None:
        async for item in read(_container(name, io.BytesIO(data), base_url, reading, None)):
            yield _from(kind, name, item)
        return
    for found in await asyncio.to_thread(_documents, name, partial(iter, (data,)), media_type, base_url, reading):
        yield found


def _from(kind: str, name: str, item: Document | Problem) -> Document | Problem:
    return replace(item, origin=(kind, name)) if isinstance(item, Document) else item


def _container(name: str, file: BinaryIO, base_url: str | None, reading: _Reading, path: Path | None) -> Container:
    return Container(name, file, path, base_url, reading.field, reading.archive, reading.limit, reading.memory)


def _kind(head: bytes, media_type: str | None, name: str, reading: _Reading) -> str:
    start = inflate(head, _SNIFFED)[0] if is_gzip(head) else head
    return choose_kind(start, media_type=media_type, document=name, as_=reading.as_)


def _read_file(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)


def _file_chunks(path: Path, most: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from read_again(file, most)


def _kept(name: str, file: BinaryIO, reading: _Reading) -> list[Document | Problem]:
    most = reading.limit + 1
    data = kept(iter(lambda: file.read(STEP), b""), most)
    if data is None:
        return [_too_large(name, reading.limit)]
    chunks = partial(iter, (data,)) if isinstance(data, bytes) else data.chunks
    return _documents(name, chunks, None, reading.base_url, reading)


def _documents(
    name: str, chunks: Chunks, media_type: str | None, base_url: str | None, reading: _Reading
) -> list[Document | Problem]:
    """The document that bytes are, inflated if need be, or what keeps it from being one. Raises `OSError`."""
    head = _head(chunks(), _SNIFFED)
    if not is_gzip(head):
        return [_document(name, chunks, media_type, base_url, reading)]
    inflated = _Inflated(chunks, _inflated_limit(name, head, media_type, reading))
    head = _head(inflated(), _LOOKED_AT)
    if is_binary(head):
        return [_binary(name, head)]
    items = [_document(name, inflated, media_type, base_url, reading)]
    if inflated.wrong is not None:
        items.append(_problem("document-damaged", name, f"{name}: {inflated.wrong}: what comes before was read."))
    return items


class _Inflated:
    """What compressed bytes are, up to ``most`` and one more; after a reading, ``wrong`` says what was wrong with them."""

    def __init__(self, chunks: Chunks, most: int) -> None:
        self._chunks = chunks
        self.most = most
        self.wrong: str | None = None

    def __call__(self) -> Iterator[bytes]:
        left = self.most + 1
        try:
            for piece in decoded(self._chunks(), "gzip"):
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return
        except Undecodable as error:
            self.wrong = str(error)


def _head(chunks: Iterator[bytes], size: int) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= size:
            break
    return head[:size]


def _inflated_limit(name: str, head: bytes, media_type: str | None, reading: _Reading) -> int:
    # Of a sitemap that is larger than one may be the first part is read, and the reader says what is left out.
    if _kind(head, media_type, name, reading) != "sitemap":
        return reading.limit
    from mediamirror.markup.records.sitemap import MAX_BYTES  # noqa: PLC0415 - other documents do without its reader

    return min(reading.limit, MAX_BYTES)


def _document(
    name: str, chunks: Chunks, media_type: str | None, base_url: str | None, reading: _Reading
) -> Document | Problem:
    data = weighed(chunks, reading.limit)
    if data == b"":
        return _problem("empty-document", name, f"{name} is empty: there is nothing to find in it.")
    if data is None:
        return _too_large(name, reading.limit)
    head = _head(chunks(), _SNIFFED)
    if is_binary(head):
        return _binary(name, head)
    kind = _kind(head, media_type, name, reading)
    # A large text without a type stays one that can be read slice by slice.
    is_asked = reading.as_ == "auto" and (media_type or isinstance(data, bytes))
    other = other_kind(head, kind=kind, media_type=media_type, document=name) if is_asked else None
    return Document(name, data, media_type, base_url, kind, other=other)


def _too_large(name: str, most: int) -> Problem:
    limit = f"{most // _MiB} MiB" if most >= _MiB else f"{most} bytes"
    return _problem(
        "document-too-large", name, f"{name} is over the limit of {limit}: split it, or raise --max-document-size."
    )


def _binary(name: str, head: bytes) -> Problem:
    message = f"{name} is not text but binary data: give a page or a text."
    if is_image(head):
        message = f"{name} is an image itself: give the page that names it, or a list of image URLs with --as urls."
    elif (why := refusal(head)) is not None:
        message = f"{name} {why}."
    return _problem("binary-document", name, message)


def _special(name: str) -> Problem:
    return _problem("special-file", name, f"{name} was left out: it is neither a file nor a directory.")


def _problem(code: str, document: str, message: str) -> Problem:
    return Problem(code, message, document=document)

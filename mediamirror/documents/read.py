"""Read every INPUT: paths, directories, globs, URLs and standard input, one document at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mediamirror.documents.document import MAX_DOCUMENT, Document
from mediamirror.documents.plan import Place, Via, plan_inputs, walk
from mediamirror.errors import FetchError, UsageError
from mediamirror.markup.extract import choose_kind
from mediamirror.model import Body, Download, Problem

Fetch = Callable[[str], Awaitable[Download]]
"""Fetch one URL whole; raises of `FetchError`."""

_LOOKED_AT = 8192
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Reading:
    """What holds for every input of one run. ``limit`` is in bytes."""

    as_: str
    base_url: str | None
    fetch: Fetch | None
    stdin: BinaryIO | None
    limit: int


async def read_inputs(
    inputs: Sequence[str],
    *,
    as_: str = "auto",
    base_url: str | None = None,
    fetch: Fetch | None = None,
    stdin: BinaryIO | None = None,
    limit: int = MAX_DOCUMENT,
) -> AsyncIterator[Document | Problem]:
    """Yield each document whole, in the order given, directories sorted; one that can't be used yields a `Problem`.

    Before the first one is read, everything named is checked: `InputMissing`, `InputUnreadable` and `UsageError` come
    from the first step. After that no input ends the run. One document is in memory at a time; ``limit`` is in bytes.
    """
    places = plan_inputs(inputs)
    choose_kind(b"", media_type=None, document="", as_=as_)
    if fetch is None and any(place.via is Via.URL for place in places):
        raise UsageError("A URL was given as INPUT, and nothing here can fetch it: give a path.")
    if stdin is None and any(place.via is Via.STDIN for place in places):
        raise UsageError("- was given as INPUT, and there is no standard input.")
    reading = _Reading(as_, base_url, fetch, stdin, limit)
    for place in places:
        async for item in _read(place, reading):
            yield item


async def _read(place: Place, reading: _Reading) -> AsyncIterator[Document | Problem]:
    if place.via is Via.URL:
        yield await _from_url(place.word, reading)
    elif place.via is Via.STDIN:
        yield await _from_stdin(reading)
    elif place.via is Via.FILE:
        yield await _from_file(Path(place.word), reading)
    else:
        async for item in _from_directory(Path(place.word), reading):
            yield item


async def _from_directory(directory: Path, reading: _Reading) -> AsyncIterator[Document | Problem]:
    paths = await asyncio.to_thread(lambda: list(walk(directory)))
    if not paths:
        yield _problem("no-documents", str(directory), f"{directory} holds no document of a known extension.")
    for path in paths:
        yield await _from_file(path, reading)


async def _from_file(path: Path, reading: _Reading) -> Document | Problem:
    name = str(path)
    try:
        data = await asyncio.to_thread(_read_file, path, reading.limit)
    except OSError as error:
        return _problem("input-unreadable", name, f"{name} can't be read: {error.strerror or error}.")
    return _document(name, data, None, reading.base_url, reading)


async def _from_stdin(reading: _Reading) -> Document | Problem:
    assert reading.stdin is not None  # noqa: S101 - read_inputs has checked
    try:
        data = await asyncio.to_thread(reading.stdin.read, reading.limit + 1)
    except OSError as error:
        return _problem("input-unreadable", "-", f"Standard input can't be read: {error.strerror or error}.")
    return _document("-", data, None, reading.base_url, reading)


async def _from_url(url: str, reading: _Reading) -> Document | Problem:
    assert reading.fetch is not None  # noqa: S101 - read_inputs has checked
    try:
        download = await reading.fetch(url)
    except FetchError as error:
        return _problem(error.code, url, error.message)
    if download.body is None:
        return _problem("empty-document", url, f"{url} answered without a body.")
    try:
        data = await asyncio.to_thread(_body, download.body, reading.limit)
    except OSError as error:
        return _problem(
            "input-unreadable", url, f"{url} was fetched and can't be read back: {error.strerror or error}."
        )
    media_type = download.header("content-type")
    return _document(download.final_url, data, media_type, reading.base_url or download.final_url, reading)


def _read_file(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)


def _body(body: Body, limit: int) -> bytes:
    if body.data is not None:
        return body.data
    return _read_file(body.path, limit) if body.path is not None else b""


def _document(
    name: str, data: bytes, media_type: str | None, base_url: str | None, reading: _Reading
) -> Document | Problem:
    if not data:
        return _problem("empty-document", name, f"{name} is empty: there is nothing to find in it.")
    if len(data) > reading.limit:
        limit = f"{reading.limit // _MiB} MiB" if reading.limit >= _MiB else f"{reading.limit} bytes"
        return _problem("document-too-large", name, f"{name} is over the limit of {limit}: split it.")
    kind = choose_kind(data, media_type=media_type, document=name, as_=reading.as_)
    if kind != "warc" and _is_binary(data):
        return _problem("binary-document", name, f"{name} is not text but binary data: give a page or a text.")
    return Document(name, data, media_type, base_url, kind)


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:_LOOKED_AT] and not data.startswith(_WIDE_MARKS)


def _problem(code: str, document: str, message: str) -> Problem:
    return Problem(code, message, document=document)

"""Parquet row by row, read in a process that may take so much memory and no more.

A few bytes of a Parquet file can stand for gigabytes: runs, dictionaries and compression multiply, and what a row takes
is known only when it has been decoded. So pyarrow runs in a process of its own, as large documents do (decision 0044).
"""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from mediamirror.documents import apart
from mediamirror.documents.carried import Carried, sample
from mediamirror.documents.document import HELD, Document, Stored, read_again, weighed
from mediamirror.documents.rows import Counted, Rows, json_row
from mediamirror.errors import UsageError
from mediamirror.first_use import replace
from mediamirror.model import Problem
from mediamirror.processes import start


async def parquet_rows(file: BinaryIO, rows: Rows, memory: int, carried: Carried) -> AsyncIterator[Document | Problem]:
    """Yield a document for every row, named ``file:ROW``, rows counted from 1; ``file`` is one of the system's.

    Text columns are read, and numbers, lists and structures. Pictures in binary ones are kept by ``carried``, and the other values of
    their rows are columns beside them; other binary ones are left. With a field, only that column and
    those that may hold the page's address. What takes more than half of ``memory`` (in bytes), for pictures up to eight times that as
    their size in the file demands, ends with the `Problem`
    ``document-over-memory``. Raises `UsageError` when no process can be started.
    """
    if importlib.util.find_spec("pyarrow") is None:
        message = f"{rows.name} is a Parquet file, which needs pyarrow: pip install 'mediamirror[parquet]'."
        yield Problem("extra-missing", message, document=rows.name)
        return
    rows, most = replace(rows, beside=memory // 2), memory // 2
    process = await _start(file, most, rows, "pictures" if carried.wants_bytes else "")
    counted = Counted(rows)
    number = 0
    try:
        while (answer := await apart.read(process)) is not None:
            if isinstance(answer, Problem):
                yield answer
            elif isinstance(answer, dict):
                most = answer["memory"]
            else:
                async for item in _rows_of(process, answer, number, rows, counted, carried):
                    yield item
                number += len(answer) if isinstance(answer, list) else 1
    except asyncio.IncompleteReadError:
        yield apart.explained(await apart.end(process), rows.name, most, told=number > 0)
    finally:
        await apart.end(process)
    await asyncio.to_thread(carried.close)
    for problem in counted.total():
        yield problem


async def _rows_of(
    process: asyncio.subprocess.Process, answer: Any, number: int, rows: Rows, counted: Counted, carried: Carried
) -> AsyncIterator[Document | Problem]:
    """What is in one answer, after ``number`` rows: small rows, a large one that follows, or one with pictures."""
    if isinstance(answer, tuple):
        for item in await _pictured(process, f"{rows.name}:{number + 1}", answer, carried):
            yield item
        return
    texts = answer if isinstance(answer, list) else [await _large(process, answer)]
    for at, text in enumerate(texts, number + 1):
        for each in json_row(text, at, rows, counted):
            yield each


async def _start(file: BinaryIO, most: int, rows: Rows, sends: str) -> asyncio.subprocess.Process:
    words = (str(most), str(file.fileno()), rows.name, rows.field or "", sends)
    files = (file.fileno(),)
    try:
        return await start("mediamirror.documents.parquet_process", *words, files=files, environment=_ONE_ARENA)
    except OSError as error:
        raise UsageError(f"No process to read Parquet files can be started ({error.strerror}).") from error


async def _pictured(
    process: asyncio.subprocess.Process,
    name: str,
    row: tuple[dict[str, object], list[tuple[str, str, int]]],
    carried: Carried,
) -> list[Document | Problem]:
    """The document of a row with pictures, whose bytes follow."""
    values, pictures = row
    urls: list[str] = []
    problems: list[Document | Problem] = []
    for column, member, size in pictures:
        data = await _large(process, size)
        pieces = iter((data,)) if isinstance(data, bytes) else data.chunks()
        url = await asyncio.to_thread(carried.keep, member, pieces)
        if url is not None:
            urls.append(url)
        else:
            message = f"{name}: the picture in {column} is over the limit of {carried.limit:,} bytes: it is left out."
            problems.append(Problem("row-too-large", message, document=name))
    return [*problems, *([sample(name, urls, values)] if urls else [])]


_ONE_ARENA = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Address space that is only set aside counts against the limit too."""


async def _large(process: asyncio.subprocess.Process, size: int) -> bytes | Stored:
    """A row that comes in pieces; one too large to be held lies in a nameless temporary file, which goes with the last reference."""
    file: BinaryIO = tempfile.SpooledTemporaryFile(max_size=HELD, prefix="mediamirror-")  # type: ignore[assignment]  # noqa: SIM115
    while file.tell() < size:
        await asyncio.to_thread(file.write, await apart.read(process))
    return await asyncio.to_thread(weighed, lambda: read_again(file), size) or b""

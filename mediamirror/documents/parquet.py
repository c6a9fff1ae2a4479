"""Parquet row by row, read in a process that may take so much memory and no more.

A few bytes of a Parquet file can stand for gigabytes: runs, dictionaries and compression multiply, and what a row takes
is known only when it has been decoded. So pyarrow runs in a process of its own, as large documents do (decision 0044).
"""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO

from mediamirror.documents import apart
from mediamirror.documents.document import HELD, Document, Stored, read_again, weighed
from mediamirror.documents.rows import Rows, counter, json_row
from mediamirror.errors import UsageError
from mediamirror.first_use import replace
from mediamirror.model import Problem
from mediamirror.processes import start


async def parquet_rows(file: BinaryIO, rows: Rows, memory: int) -> AsyncIterator[Document | Problem]:
    """Yield a document for every row, named ``file:ROW``, rows counted from 1; ``file`` is one of the system's.

    Text columns are read, and numbers, lists and structures; binary ones are left. With a field, only that column and
    those that may hold the page's address. What takes more than half of ``memory`` (in bytes) ends with the `Problem`
    ``document-over-memory``. Raises `UsageError` when no process can be started.
    """
    if importlib.util.find_spec("pyarrow") is None:
        message = f"{rows.name} is a Parquet file, which needs pyarrow: pip install 'mediamirror[parquet]'."
        yield Problem("extra-missing", message, document=rows.name)
        return
    rows, most = replace(rows, beside=memory // 2), memory // 2
    words = ("mediamirror.documents.parquet_process", str(most), str(file.fileno()), rows.name, rows.field or "")
    try:
        process = await start(*words, files=(file.fileno(),), environment=_ONE_ARENA)
    except OSError as error:
        raise UsageError(f"No process to read Parquet files can be started ({error.strerror}).") from error
    counted = counter(rows)
    number = 0
    try:
        while (answer := await apart.read(process)) is not None:
            if isinstance(answer, Problem):
                yield answer
                continue
            for text in answer if isinstance(answer, list) else [await _large(process, answer)]:
                number += 1
                for item in json_row(text, number, rows, counted):
                    yield item
    except asyncio.IncompleteReadError:
        yield apart.explained(await apart.end(process), rows.name, most, told=number > 0)
    finally:
        await apart.end(process)
    for problem in counted.total():
        yield problem


_ONE_ARENA = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Address space that is only set aside counts against the limit too."""


async def _large(process: asyncio.subprocess.Process, size: int) -> bytes | Stored:
    """A row that comes in pieces; one too large to be held lies in a nameless temporary file, which goes with the last reference."""
    file: BinaryIO = tempfile.SpooledTemporaryFile(max_size=HELD, prefix="mediamirror-")  # type: ignore[assignment]  # noqa: SIM115
    while file.tell() < size:
        await asyncio.to_thread(file.write, await apart.read(process))
    return await asyncio.to_thread(weighed, lambda: read_again(file), size) or b""

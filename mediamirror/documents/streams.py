"""Containers: files that hold documents of their own, read one by one in bounded memory. A new one is a row of `READERS`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from mediamirror.documents.document import MAX_DOCUMENT, Document
from mediamirror.documents.parquet import parquet_rows
from mediamirror.documents.rows import Rows, json_lines, json_list, table
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.read import read_warc
from mediamirror.model import Problem
from mediamirror.scratch import scratch_folder


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

    @property
    def rows(self) -> Rows:
        """How to read its rows."""
        return Rows(self.name, self.base_url, self.field, self.limit)


Read = Callable[[Container], Iterator[Document | Problem]]


def _parquet(container: Container) -> Iterator[Document | Problem]:
    if container.path is not None:
        yield from parquet_rows(container.file, container.rows)
        return
    with tempfile.TemporaryFile(prefix="mediamirror-") as file:
        shutil.copyfileobj(container.file, file)
        file.seek(0)
        yield from parquet_rows(file, container.rows)


def _warc(container: Container) -> Iterator[Document | Problem]:
    if container.path is not None:
        yield from read_warc(container.path, archive=container.archive, limit=container.limit)
        return
    if container.archive is not None:
        path = container.archive.directory / f"{uuid4().hex}.warc"
        with path.open("xb") as kept:
            shutil.copyfileobj(container.file, kept)
        yield from read_warc(path, archive=container.archive, limit=container.limit)
        return
    with scratch_folder() as directory:
        path = directory / "stdin.warc"
        with path.open("xb") as copy:
            shutil.copyfileobj(container.file, copy)
        yield from read_warc(path, limit=container.limit)


def _table(container: Container, delimiter: str | None) -> Iterator[Document | Problem]:
    yield from table(container.file, container.rows, delimiter=delimiter)


READERS: dict[str, Read] = {
    "jsonl": lambda container: json_lines(container.file, container.rows),
    "csv": partial(_table, delimiter=None),
    "tsv": partial(_table, delimiter="\t"),
    "parquet": _parquet,
    "warc": _warc,
}
"""How to take each kind of container apart. Each reader raises `OSError`."""


def reader_for(kind: str, field: str | None) -> Read | None:
    """Return the reader of a kind, None for what is one document. JSON is taken apart only for one field of its records."""
    if kind == "json" and field is not None:
        return lambda container: json_list(container.file, container.rows)
    return READERS.get(kind)

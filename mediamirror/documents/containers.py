"""Containers: files that hold documents of their own, read one by one in bounded memory. A new one is a row of `READERS`.

Each reader is imported when a container asks for it.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from mediamirror.documents.document import MAX_DOCUMENT, Document
from mediamirror.first_use import dataclass
from mediamirror.model import Problem
from mediamirror.scratch import scratch_folder

if TYPE_CHECKING:
    from mediamirror.documents.rows import Rows
    from mediamirror.documents.warc.archive import WarcArchive

BATCH = 256
"""Rows that are in memory at once."""
_MAX_METADATA = 64 * 1024 * 1024


def parquet_rows(file: BinaryIO, rows: Rows) -> Iterator[Document | Problem]:
    """Yield a document for every row, named ``file:ROW``, rows counted from 1. ``file`` can be sought in. Raises `OSError`.

    Text columns are read, and numbers, lists and structures; binary ones are left. With a field, only that column and
    those that may hold the page's address.
    """
    from mediamirror.documents.rows import counter, record_document

    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        message = f"{rows.name} is a Parquet file, which needs pyarrow: pip install 'mediamirror[parquet]'."
        yield Problem("extra-missing", message, document=rows.name)
        return
    counted = counter(rows)
    number = 0
    try:
        table = parquet.ParquetFile(
            file, pre_buffer=False, buffer_size=1024 * 1024, thrift_string_size_limit=_MAX_METADATA
        )
        for batch in table.iter_batches(batch_size=BATCH, columns=_columns(table.schema_arrow, rows.field, arrow)):
            for values in batch.to_pylist():
                number += 1
                yield from record_document(values, number, rows, counted)
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0][:200]
        message = f"{rows.name} can't be read as Parquet after row {number:,} ({reason})."
        yield Problem("parquet-damaged", message, number, document=rows.name)
    yield from counted.total()


def _columns(schema: Any, field: str | None, arrow: Any) -> list[str]:
    from mediamirror.markup.json.names import URLS, bare

    pages = {bare(name) for name in URLS}
    wanted = [each for each in schema if not _is_binary(each.type, arrow)]
    if field is None:
        return [each.name for each in wanted]
    top = field if field in schema.names else field.partition(".")[0]
    return [each.name for each in wanted if each.name == top or bare(each.name) in pages]


def _is_binary(kind: Any, arrow: Any) -> bool:
    types = arrow.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


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
        from mediamirror.documents.rows import Rows

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
    from mediamirror.documents.warc.read import read_warc

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
    from mediamirror.documents.rows import table

    yield from table(container.file, container.rows, delimiter=delimiter)


def _json_lines(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.rows import json_lines

    yield from json_lines(container.file, container.rows)


def _json_list(container: Container) -> Iterator[Document | Problem]:
    from mediamirror.documents.rows import json_list

    yield from json_list(container.file, container.rows)


READERS: dict[str, Read] = {
    "jsonl": _json_lines,
    "csv": partial(_table, delimiter=None),
    "tsv": partial(_table, delimiter="\t"),
    "parquet": _parquet,
    "warc": _warc,
}
"""How to take each kind of container apart. Each reader raises `OSError`."""


def reader_for(kind: str, field: str | None) -> Read | None:
    """Return the reader of a kind, None for what is one document. JSON is taken apart only for one field of its records."""
    if kind == "json" and field is not None:
        return _json_list
    return READERS.get(kind)

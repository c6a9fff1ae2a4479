"""Parquet row by row, with pyarrow, which is an extra: ``pip install 'mediamirror[parquet]'``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from mediamirror.documents.document import Document
from mediamirror.documents.rows import Rows, counter, record_document
from mediamirror.markup.json.names import URLS, bare
from mediamirror.model import Problem

BATCH = 256
"""Rows that are in memory at once."""
_MAX_METADATA = 64 * 1024 * 1024


def parquet_rows(file: BinaryIO, rows: Rows) -> Iterator[Document | Problem]:
    """Yield a document for every row, named ``file:ROW``, rows counted from 1. ``file`` can be sought in. Raises `OSError`.

    Text columns are read, and numbers, lists and structures; binary ones are left. With a field, only that column and
    those that may hold the page's address.
    """
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
    pages = {bare(name) for name in URLS}
    wanted = [each for each in schema if not _is_binary(each.type, arrow)]
    if field is None:
        return [each.name for each in wanted]
    top = field if field in schema.names else field.partition(".")[0]
    return [each.name for each in wanted if each.name == top or bare(each.name) in pages]


def _is_binary(kind: Any, arrow: Any) -> bool:
    types = arrow.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))

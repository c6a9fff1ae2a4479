"""The process that reads Parquet: rows as JSON on stdout. Started by ``python -m`` with the most bytes it may take,

the number of an open file, its name, and the name of a field or nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from mediamirror.documents.document import HELD
from mediamirror.documents.reader_process import OVER_MEMORY, allow_cpu, bound_memory, die_with_parent, send
from mediamirror.markup.json.names import URLS, bare
from mediamirror.model import Problem

_BATCH = 64
"""Rows that are in memory at once, at most."""
_BATCH_BYTES = 8 * 1024 * 1024
"""Of rows as they are stored, without their compression."""
_SMALL = 256
"""Bytes a row, on an average, of a column that is read though nobody asked for it."""
_BUFFER = 1024 * 1024
_MAX_METADATA = 64 * 1024 * 1024

arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")


def main(memory: int, descriptor: int, name: str, field: str) -> None:
    """Send rows as lists of texts; of a large row its size, and its text in pieces behind it; a problem; None at the end."""
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    bound_memory(memory)
    number = 0
    try:
        for texts in _rows(os.fdopen(descriptor, "rb"), name, field or None):
            allow_cpu()
            if isinstance(texts, Problem):
                send(answers, texts)
                continue
            number += len(texts)
            _send(answers, texts)
    except MemoryError:
        os._exit(OVER_MEMORY)
    except BrokenPipeError:
        os._exit(0)
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0][:200]
        message = f"{name} can't be read as Parquet after row {number:,} ({reason})."
        send(answers, Problem("parquet-damaged", message, number, document=name))
    send(answers, None)
    os._exit(0)  # No teardown: nothing here is worth the milliseconds.


def _send(answers: BinaryIO, texts: list[bytes]) -> None:
    if sum(map(len, texts)) <= HELD:
        send(answers, texts)
        return
    for text in texts:
        send(answers, len(text))
        for start in range(0, len(text), HELD):
            send(answers, text[start : start + HELD])


def _rows(file: BinaryIO, name: str, field: str | None) -> Iterator[list[bytes] | Problem]:
    """The rows as JSON, a few small ones at a time, after what there is to be told of columns that are not read."""
    table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, thrift_string_size_limit=_MAX_METADATA)
    columns = _columns(table.schema_arrow, field, table.metadata)
    files = [each.name for each in table.schema_arrow if arrow.types.is_nested(each.type) and _is_binary(each.type)]
    if files and field is None:
        message = f"{name} holds files themselves in {', '.join(files)[:100]}, which are not read: only URLs are."
        yield Problem("parquet-bytes", message, document=name)
    for batch in table.iter_batches(batch_size=_batch_size(table.metadata), columns=columns, use_threads=False):
        step = batch.num_rows if batch.nbytes <= HELD else 1
        for at in range(0, batch.num_rows, step):
            yield [
                json.dumps(values, ensure_ascii=False, default=str).encode("utf-8", "replace")
                for values in batch.slice(at, step).to_pylist()
            ]


def _batch_size(metadata: Any) -> int:
    rows: int = metadata.num_rows
    size: int = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
    return min(max(_BATCH_BYTES * rows // max(size, 1), 1), _BATCH)


def _columns(schema: Any, field: str | None, metadata: Any) -> list[str]:
    pages = {bare(name) for name in URLS}
    wanted = [each for each in schema if not _is_binary(each.type)]
    if field is None:
        return [each.name for each in wanted]
    top = field if field in schema.names else field.partition(".")[0]
    return [each.name for each in wanted if each.name == top or bare(each.name) in pages or _is_small(each, metadata)]


def _is_small(column: Any, metadata: Any) -> bool:
    """Whether the values of a column are short, so that they can be kept beside the images of their rows."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    stored = [group.column(at) for group in groups for at in range(group.num_columns)]
    size: int = sum(each.total_uncompressed_size for each in stored if each.path_in_schema == column.name)
    rows: int = metadata.num_rows
    return 0 < size <= _SMALL * max(rows, 1)


def _is_binary(kind: Any) -> bool:
    types = arrow.types
    if types.is_struct(kind) and any(_is_binary(kind.field(at).type) for at in range(kind.num_fields)):
        return True
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_binary(kind.value_type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])

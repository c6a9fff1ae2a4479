"""The process that reads Parquet: rows as JSON on stdout. Started by ``python -m`` with the most bytes it may take,

the number of an open file, its name, the name of a field or nothing, and whether pictures are to be sent or only named.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from mediamirror.documents.document import HELD
from mediamirror.documents.reader_process import OVER_MEMORY, allow_cpu, bound_memory, die_with_parent, resident, send
from mediamirror.markup.json.names import URLS, bare
from mediamirror.model import Problem

_BATCH = 64
"""Rows that are in memory at once, at most."""
_BATCH_BYTES = 8 * 1024 * 1024
"""Of rows as they are stored, without their compression."""
_NAMED = 40
"""Columns that are named to whoever asked for another."""
_SMALL = 256
"""Bytes a row, on an average, of a column that is read though nobody asked for it."""
_TRIED = 8
_FOR_ONE, _TIMES = 64 * 1024 * 1024, 4
"""Bytes that a table takes beside pyarrow itself, and how many times as many as lie in a piece of a column.

Measured with pyarrow 26, pictures in eight shapes with pieces of 1.5 to 58 MiB: 45 MiB and four times where a batch lies in two
groups of rows. pyarrow writes 1,024 rows in a page at the least: 20 MiB of it for pages of 20 KB, which take 160 MiB in all.
"""
_PAGE, _UNPACKED = 1024, 8
"""Rows that pyarrow writes into a page at the least, and how many times what they take in the file they may take unpacked."""
_MOST = 8
"""How many times as much as a small table a large one may take: its bytes are there in the file."""
_BUFFER = 1024 * 1024
_MAX_METADATA = 64 * 1024 * 1024

arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")


Pictures = tuple[dict[str, Any], list[tuple[str, str, bytes]]]
"""The plain values of a row, and of each of its pictures the column, the name it gets, and the bytes."""


def main(memory: int, descriptor: int, name: str, field: str, sends: str) -> None:
    """Send rows as lists of texts; of a large row its size, and its text in pieces behind it; a problem; None at the end.

    A row with pictures is a pair: its values, and each picture's column, name and size, with the bytes in pieces behind it. What
    more this process may take for them comes first.
    """
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    bound_memory(memory)
    number = 0
    try:
        for texts in _rows(os.fdopen(descriptor, "rb"), name, field or None, memory):
            allow_cpu()
            if isinstance(texts, Problem):
                send(answers, texts)
            elif isinstance(texts, int):
                send(answers, {"memory": texts})
            elif isinstance(texts, tuple):
                number += 1
                _send_pictures(answers, texts, sends=bool(sends))
            else:
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
        _send_pieces(answers, text)


def _send_pieces(answers: BinaryIO, data: bytes) -> None:
    for start in range(0, len(data), HELD):
        send(answers, data[start : start + HELD])


def _send_pictures(answers: BinaryIO, row: Pictures, *, sends: bool) -> None:
    values, pictures = row
    send(answers, (values, [(column, name, len(data) if sends else 0) for column, name, data in pictures]))
    for _, _, data in pictures if sends else ():
        _send_pieces(answers, data)


def _rows(
    file: BinaryIO, name: str, field: str | None, memory: int
) -> Iterator[list[bytes] | Pictures | Problem | int]:
    """The rows as JSON, a few small ones at a time, after what there is to be told of columns that are not read."""
    table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, thrift_string_size_limit=_MAX_METADATA)
    names = table.schema_arrow.names
    if field is not None and field not in names and field.partition(".")[0] not in names:
        told = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        yield Problem("field-missing", f"{name} has no column {field!r}. Its columns: {told}.", document=name)
        return
    columns = _columns(table.schema_arrow, field, table.metadata)
    most = _UNPACKED * os.fstat(file.fileno()).st_size
    chunk = min(_largest_chunk(table, columns, with_files=field is None), most)
    yield allow_memory(memory, chunk, _MOST * memory)
    pictures = frozenset(each.name for each in table.schema_arrow if field is None and _holds_pictures(table, each))
    files = [each.name for each in table.schema_arrow if arrow.types.is_nested(each.type) and _is_binary(each.type)]
    if (left := [each for each in files if each not in pictures]) and field is None:
        message = (
            f"{name} holds files themselves in {', '.join(left)[:100]}, which are not read: only URLs and pictures are."
        )
        yield Problem("parquet-bytes", message, document=name)
    columns += sorted(pictures)
    number = 0
    for batch in table.iter_batches(batch_size=_batch_size(table.metadata), columns=columns, use_threads=False):
        step = batch.num_rows if batch.nbytes <= HELD and not pictures else 1
        for at in range(0, batch.num_rows, step):
            rows = batch.slice(at, step).to_pylist()
            number += len(rows)
            found = [each for column in sorted(pictures) for each in _taken(rows[0], column)] if rows else []
            if found:
                several = len(found) > 1
                yield (
                    rows[0],
                    [(column, _named(number, column if several else "", data), data) for column, data in found],
                )
            else:
                yield [
                    json.dumps(values, ensure_ascii=False, default=str).encode("utf-8", "replace") for values in rows
                ]


def _largest_chunk(table: Any, columns: list[str], *, with_files: bool) -> int:
    """Bytes of the largest piece of a column that is read: pyarrow decodes pages of it, and one may be all of it.

    A page of texts counts as long as it is unpacked, up to eight times what it takes in the file: no more is believed.
    """
    wanted = {*columns, *(each.name for each in table.schema_arrow if with_files and _is_binary(each.type))}
    groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    return max((_taken_at_once(each) for each in chunks if each.path_in_schema.partition(".")[0] in wanted), default=0)


def _taken_at_once(chunk: Any) -> int:
    packed: int = chunk.total_compressed_size
    page: int = chunk.total_uncompressed_size * _PAGE // max(chunk.num_values, _PAGE)
    return max(packed, min(page, _UNPACKED * packed))


def _holds_pictures(table: Any, column: Any) -> bool:
    """Whether a column holds pictures themselves: whether one of the first values that there are begins as one."""
    if not _is_binary(column.type):
        return False
    tried = 0
    for batch in table.iter_batches(batch_size=1, columns=[column.name], use_threads=False):
        for _, data in _taken(batch.to_pylist()[0], column.name):
            tried += 1
            if _extension(data):
                return True
        if tried >= _TRIED:
            break
    return False


def _taken(row: dict[str, Any], column: str) -> Iterator[tuple[str, bytes]]:
    """Take the files out of one column: bytes, or bytes and a path as Hugging Face's datasets have them, in lists and structures.

    What else is in it is a column of its own.
    """
    yield from _files(row, column, row.pop(column, None))


def _files(row: dict[str, Any], name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _files(row, name if key == "bytes" else f"{name}.{key}", each)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _files(row, f"{name}-{at}" if len(value) > 1 else name, each)
    elif isinstance(value, bytes):
        if value:
            yield name, value
    elif value is not None:
        row[name] = value


def _named(number: int, column: str, data: bytes) -> str:
    return f"{number}{'-' if column else ''}{column.replace('/', '-')}{_extension(data)}"


_SIGNS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tiff",
    b"MM\0*": ".tiff",
}


def _extension(data: bytes) -> str:
    """That of the format which bytes begin as; empty for none of a picture."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[4:12] in {b"ftypavif", b"ftypavis"}:
        return ".avif"
    return next((extension for sign, extension in _SIGNS.items() if data.startswith(sign)), "")


def allow_memory(memory: int, chunk: int, most: int) -> int:
    """Allow what pictures take of which ``chunk`` bytes are decoded at once, no less than ``memory``; returns the limit."""
    allowed = min(max(memory, resident() + _FOR_ONE + _TIMES * chunk), most)
    bound_memory(allowed)
    return allowed


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
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6])

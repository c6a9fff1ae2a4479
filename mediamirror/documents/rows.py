"""Crawls and exports row by row: JSON Lines, lists in JSON, CSV and TSV. Each row is a document of its own.

A row's document is named ``file:LINE``. Without a field it is the whole row, in which images are looked for everywhere; with
one it is that field's text alone, as HTML where it is markup, under the address that the row gives.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TextIO

from mediamirror.documents.compressed import STEP, Undecodable, inflated_stream, is_gzip
from mediamirror.documents.document import HELD, MAX_DOCUMENT, Document, Stored, kept
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.json.names import Unmarked
from mediamirror.markup.json.records import records
from mediamirror.markup.places.json_text import Json, Object, Text, read_json
from mediamirror.markup.places.source import decode
from mediamirror.model import Problem

if TYPE_CHECKING:
    from mediamirror.markup.records.structured import Row

_LOOKED_AT = 64 * 1024
MAX_SHOWN = 100
"""Most bad rows of one file that are reported one by one."""
_JSON = "application/json"
_FOUR_BYTES = pattern(rb"[\xf0-\xff]")
"""The first byte of a character of UTF-8 that is outside of the first plane."""
MAX_RECORD = 16 * 1024 * 1024
"""Largest record that is taken apart for one of its fields, and largest row of a table, in bytes."""
MOST_COLUMNS = 8 * 1024
"""Characters of a row's plain values that are kept beside its images, at most."""
_LONGEST_COLUMN = 1024
_PLAIN = (str, int, float)
_PARSED_TWICE = 16 * 1024
"""Bytes up to which a row that is a document itself is read for its plain values, too."""
MAX_LIST = 32 * 1024 * 1024
"""Largest JSON text that is taken apart as one, in bytes: JSON Lines may be of any length."""
TAKEN = 136 * 1024 * 1024
"""Bytes that taking apart rows of `MAX_RECORD`, or a list of `MAX_LIST`, takes: csv and JSON hold several copies of a row."""
_RECORD_TOO_LARGE = f"The record is over the {MAX_RECORD:,} bytes from which one field is taken."


@dataclass(frozen=True, slots=True)
class Rows:
    """How to read one file's rows: its name, the base URL where a row gives none, a field's name or None, a row's limit.

    ``beside`` is how many bytes taking the file apart may take while a large row of it is read.
    """

    name: str
    base_url: str | None = None
    field: str | None = None
    limit: int = MAX_DOCUMENT
    beside: int = 0


class Counted:
    """Reports what is wrong with rows: the first ones each, then how many more there were."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._bad = 0
        self._without = 0
        self._first_without = 0
        self.unmarked = Unmarked()

    def bad(self, line: int, code: str, message: str) -> Iterator[Problem]:
        """Tell of a row, if not too many were told of."""
        self._bad += 1
        if self._bad <= MAX_SHOWN:
            yield Problem(code, message, line, document=self._rows.name)

    def without_field(self, line: int) -> None:
        """Count a row without the field."""
        self._without += 1
        self._first_without = self._first_without or line

    def total(self) -> Iterator[Problem]:
        """Tell at the end what was not told of each."""
        name = self._rows.name
        yield from self.unmarked.problem(name)
        if self._bad > MAX_SHOWN:
            yield Problem("bad-rows", f"{name}: {self._bad - MAX_SHOWN:,} more rows can't be read.", document=name)
        if self._without:
            rows = "1 row has" if self._without == 1 else f"{self._without:,} rows have"
            message = (
                f"{name}: {rows} no text in the field {self._rows.field!r}, the first in line {self._first_without}."
            )
            yield Problem("field-missing", message, self._first_without, document=name)


def json_lines(file: BinaryIO, rows: Rows) -> Iterator[Document | Problem]:
    """Yield a document for every line of JSON Lines; empty ones are left. Raises `OSError`."""
    counted = Counted(rows)
    line = 0
    stream = _in_utf8(inflated(file))
    try:
        while (data := _line(stream, rows.limit)) != b"":
            line += 1
            if data is None:
                yield from counted.bad(line, "row-too-large", f"The row is over the limit of {rows.limit:,} bytes.")
            elif isinstance(data, Stored) or data.strip():
                yield from json_row(data, line, rows, counted)
    except Undecodable as error:
        yield _broken(rows, line, error)
    yield from counted.total()


def json_list(file: BinaryIO, rows: Rows) -> Iterator[Document | Problem]:
    """Yield a document for one field of every record in a JSON text that is read whole. Raises `OSError`."""
    counted = Counted(rows)
    try:
        limit = min(rows.limit, MAX_LIST)
        data = inflated(file).read(limit + 1)
    except Undecodable as error:
        yield _broken(rows, 0, error)
        return
    if len(data) > limit:
        message = f"{rows.name} is over the limit of {limit:,} bytes: split it, or write it as JSON Lines."
        yield Problem("document-too-large", message, document=rows.name)
        return
    line = 0
    for line, record in _records(data):
        yield from json_row(record, line, rows, counted)
    if data.lstrip().startswith(b"[") and not data.rstrip().endswith(b"]"):
        message = f"{rows.name} ends before its list does: what comes before was read."
        yield Problem("document-damaged", message, line, document=rows.name)
    yield from counted.total()


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The records of a JSON text and the lines on which they begin."""
    if decode(data[:_LOOKED_AT]).encoding != "utf-8":
        data = decode(data).text.encode("utf-8", "replace")
    # A byte a character, where one of another script would make it four of each: JSON's own marks are ASCII.
    text = data.decode("latin-1")
    line, counted = 1, 0
    for start, end in records(text):
        line, counted = line + text.count("\n", counted, start), start
        yield line, data[start:end]


def json_row(data: bytes | Stored, line: int, rows: Rows, counted: Counted) -> Iterator[Document | Problem]:
    """Yield the document of one row that is JSON, or what keeps it from being one."""
    if rows.field is None:
        values = _values(data) if isinstance(data, bytes) and len(data) <= _PARSED_TWICE else {}
        counted.unmarked.saw(values)
        name, columns = f"{rows.name}:{line}", columns_of(values)
        yield Document(name, _held(data), _JSON, rows.base_url, "json", beside=rows.beside, columns=columns)
        return
    if _size(data) > MAX_RECORD:
        yield from counted.bad(line, "row-too-large", _RECORD_TOO_LARGE)
        return
    data = data if isinstance(data, bytes) else b"".join(data.chunks())
    reading = read_json(data.decode("utf-8", "replace"))
    if reading.error is not None:
        yield from counted.bad(line, "malformed-json", "The row is not complete JSON: what could be read was read.")
    yield from _picked(next(iter(reading.values), None), line, rows, counted)


def _picked(record: Json | None, line: int, rows: Rows, counted: Counted) -> Iterator[Document]:
    from mediamirror.markup.records.structured import pick  # noqa: PLC0415 -- loaded for rows alone

    found = pick(record, rows.field or "") if isinstance(record, Object) else None
    if found is None or not isinstance(record, Object):
        counted.without_field(line)
    elif found.text.strip():
        base = found.page or rows.base_url
        text = _held(found.text.encode("utf-8", "replace"))
        beside, columns = max(rows.beside, TAKEN), _columns_of(record, rows.field or "")
        yield Document(f"{rows.name}:{line}", text, None, base, found.kind, beside=beside, columns=columns)


def _columns_of(record: Object, field: str) -> str:
    """The plain values of a record that is taken apart, but for the field that is its document."""
    spelled = (
        f"{json.dumps(name)}:{value if isinstance(value, str) else json.dumps(value.value)}"
        for name, value in record.members
        if name != field and isinstance(value, str | Text)
    )
    return columns_of(_values(f"{{{','.join(spelled)}}}".encode("utf-8", "replace")))


def _values(data: bytes) -> dict[str, object]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def columns_of(values: dict[str, object]) -> str:
    """The plain values of a row as JSON, in order, as far as they are short; empty for a row without any."""
    kept: dict[str, object] = {}
    room = MOST_COLUMNS
    for name, value in values.items():
        if not isinstance(value, _PLAIN) or (isinstance(value, float) and not math.isfinite(value)):
            continue
        size = len(name) + len(value if isinstance(value, str) else str(value))
        if size <= room and size <= _LONGEST_COLUMN:
            kept[name] = value
            room -= size
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace").decode() if kept else ""


def _held(data: bytes | Stored) -> bytes | Stored:
    """The same, in a file if it is too large to be held."""
    if isinstance(data, Stored) or len(data) <= HELD:
        return data
    return kept([data], len(data)) or data


def _size(data: bytes | Stored) -> int:
    """The bytes of a row as a text in memory, where one character outside of the first plane makes it four of each."""
    size = len(data) if isinstance(data, bytes) else data.size
    if size * 4 <= MAX_RECORD:
        return size
    is_wide = any(_FOUR_BYTES.search(chunk) for chunk in ([data] if isinstance(data, bytes) else data.chunks()))
    return size * (4 if is_wide else 1)


def table(file: BinaryIO, rows: Rows, *, delimiter: str | None = None) -> Iterator[Document | Problem]:
    """Yield a document for every row of CSV or TSV whose first row names the columns. Raises `OSError`."""
    from mediamirror.markup.records.structured import Misquoted, table_rows  # noqa: PLC0415 -- loaded for rows alone

    counted, misquoted = Counted(rows), Misquoted()
    rows = replace(rows, beside=TAKEN)
    line = 0
    try:
        for row in table_rows(_Lines(_as_text(inflated(file)), min(rows.limit, MAX_RECORD)), delimiter=delimiter):
            line = row.line
            if isinstance(row, Problem):
                yield from counted.bad(row.line, row.code, row.message)
            else:
                misquoted.saw(row)
                yield from json_row(_json_of(row), row.line, rows, counted)
            del row  # it may be large, and the next is read beside it
    except Undecodable as error:
        yield _broken(rows, line, error)
    yield from misquoted.problem(rows.name)
    yield from counted.total()


def _json_of(row: Row) -> bytes:
    return json.dumps(row.values, ensure_ascii=False).encode("utf-8", "replace")


_ENDS = ("\n", "\r")
"""What ends a line of a table: spreadsheets wrote a carriage return alone."""


class _Lines(Iterable[str]):
    """The lines of a table; one over the limit is an error of its row, and the next is read."""

    def __init__(self, text: TextIO, limit: int) -> None:
        self._text = text
        self._limit = limit

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self._text.readline(STEP)
        if not piece:
            raise StopIteration
        pieces: list[str] = []
        size = 0
        while piece and size <= self._limit:
            pieces.append(piece)
            # In memory, where a character of another script takes up to four bytes.
            size += len(piece) if piece.isascii() else sys.getsizeof(piece)
            piece = "" if piece.endswith(_ENDS) else self._text.readline(STEP)
        if size <= self._limit:
            return "".join(pieces)
        pieces.clear()
        while piece and not piece.endswith(_ENDS):
            piece = self._text.readline(STEP)
        raise csv.Error(f"a line is longer than {self._limit:,} bytes")


def _as_text(stream: io.BufferedReader) -> TextIO:
    head = stream.peek(_LOOKED_AT)[:_LOOKED_AT]
    codec = decode(head).encoding
    return io.TextIOWrapper(stream, encoding="utf-8-sig" if codec == "utf-8" else codec, errors="replace", newline="")


def _in_utf8(stream: io.BufferedReader) -> io.BufferedReader:
    """The same in UTF-8, where its byte order mark says that it is in UTF-16: its lines end with other bytes."""
    if not stream.peek(2).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return stream
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    return io.BufferedReader(
        Stream(decoder.decode(chunk).encode("utf-8", "replace") for chunk in _chunks(stream)), STEP
    )


def _line(stream: io.BufferedReader, limit: int) -> bytes | Stored | None:
    """The next line, empty at the end; None for one over the limit, which is passed over."""
    piece = stream.readline(STEP)
    if len(piece) < STEP or piece.endswith(b"\n"):
        return piece if len(piece) <= limit else None
    pieces = _pieces(piece, stream)
    line = kept(pieces, limit)
    for _ in pieces:
        pass
    return line


def _pieces(piece: bytes, stream: io.BufferedReader) -> Iterator[bytes]:
    """A line's first piece and those that follow."""
    while piece:
        yield piece
        piece = b"" if piece.endswith(b"\n") else stream.readline(STEP)


def _broken(rows: Rows, line: int, error: Undecodable) -> Problem:
    message = f"{rows.name}: {error}, after line {line}: what comes before was read."
    return Problem("document-damaged", message, line, document=rows.name)


def inflated(file: BinaryIO) -> io.BufferedReader:
    """Read a file, or what it is once inflated. Reading raises `Undecodable` where its compressed data is damaged."""
    plain = file if isinstance(file, io.BufferedReader) else io.BufferedReader(Stream(_chunks(file)))
    if is_gzip(plain.peek(3)[:3]):
        return io.BufferedReader(Stream(inflated_stream(_chunks(plain))), STEP)
    return plain


def _chunks(file: BinaryIO | io.BufferedReader) -> Iterator[bytes]:
    while chunk := file.read(STEP):
        yield chunk


class Stream(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._pieces = chunks
        self._left = b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Fill a buffer as far as the next piece goes."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

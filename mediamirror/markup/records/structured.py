"""Images in JSON, JSON Lines, JSON Feed and tables: crawls, exports and the answers of content systems.

Every record is read by itself, with the page that it is about as the base URL of what it holds.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.json.names import Unmarked, bare, is_srcset_name, is_url, page_of
from mediamirror.markup.json.records import is_json, records
from mediamirror.markup.naming import has_image_extension
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.json_text import MAX_NODES, Array, Json, Object, Reading, Text, read_json, whole_json
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import json_string
from mediamirror.markup.records.placing import Placing, collected
from mediamirror.markup.records.record_images import RecordReader, lone_image
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Severity, Source, Span

__all__ = ["Misquoted", "Row", "find_json", "find_json_lines", "find_table", "is_json", "pick", "table_rows"]

MAX_CELL = 64 * 1024 * 1024
"""Longest value of a table, in code points."""
MAX_CELLS = 200_000
"""Most values of one row, as its delimiters tell."""
MAX_ROW = 16 * 1024 * 1024
"""Longest row, in code points: the csv module takes four bytes for each of a value."""
_MARKUP = pattern(r"<[a-z!][^<>]*>", re.IGNORECASE)
_LOOKED_AT = 65536
_LINE = pattern(r"[^\r\n]+")
_MOST_COMMAS = 64


def find_json(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of a JSON text, or of a JSON Feed (https://www.jsonfeed.org/version/1.1/).

    Never raises for bytes. What is malformed, nested too deep or too large is a problem, and the other records are read.
    """
    place = Placing(decode(data, encoding), Context(document, base_url))
    alone = lone_image(place.source.text)
    if alone is not None:
        name, value = alone
        return Extraction((place.single(json_string(value, place.source.text), "json", name),))
    found = collected(_in_records(place, records, merge=merge), document, merge=merge)
    text = place.source.text
    if found.sets or found.problems or _BARE.fullmatch(text) or next(records(text), None) is not None:
        return found
    if read_json(text).error is None:
        return found
    message = "This is not JSON: nothing was read."
    return Extraction((), (Problem("malformed-json", message, 1, document=document),))


_BARE = pattern(r"[ \t\r\n\ufeff]*+(?:null|true|false|-?[0-9][0-9.eE+\-]*+)?[ \t\r\n]*+")
"""What is JSON without a record in it."""


def find_json_lines(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of JSON Lines. Never raises for bytes; a bad line costs no other."""
    place = Placing(decode(data, encoding), Context(document, base_url))
    return collected(_in_records(place, _lines, merge=merge), document, merge=merge)


def _lines(text: str) -> Iterator[Span]:
    return (line.span() for line in _LINE.finditer(text) if not line[0].isspace())


def _in_records(place: Placing, parted: Callable[[str], Iterator[Span]], *, merge: bool) -> Iterator[ImageSet]:
    text, unmarked = place.source.text, Unmarked()
    is_told, is_list = False, text[:1] == "["  # one record alone is a row of a file, where they are counted
    whole = whole_json(text)
    if whole is not None:
        readings = iter([(0, Reading(whole.items if isinstance(whole, Array) else [whole]))])
    else:
        readings = ((start, read_json(text[start:end])) for start, end in parted(text))
    for start, reading in readings:
        reader = RecordReader(place, merge, start)
        for value in reading.values:
            yield from reader.images(value)
            if is_list:
                unmarked.saw(_plain(value))
        if not reader.is_cut:
            for trouble in malformed(place, reading, start):
                is_told |= not reading.is_cut
                yield trouble
    if is_list and not is_told and not text.rstrip().endswith("]"):
        message = "The JSON ends before its list does: what comes before was read."
        yield _trouble(place, "malformed-json", message, len(text), Severity.ERROR)
    if is_list:
        yield from map(place.trouble, unmarked.problem(place.context.document))


def malformed(place: Placing, reading: Reading, start: int = 0) -> Iterator[ImageSet]:
    """Tell what was wrong with a record that starts at ``start``, in code points."""
    if reading.is_cut:
        message = f"This record has more than {MAX_NODES:,} values: the rest of it is left out."
        yield _trouble(place, "json-too-large", message, start)
    elif reading.error is not None:
        message = "The JSON is malformed here: what could be read was read."
        severity = Severity.ERROR if reading.is_unfinished else Severity.NOTE
        yield _trouble(place, "malformed-json", message, start + reading.error, severity)


def _plain(record: Json) -> dict[str, object]:
    """The values of a record, its strings as such."""
    values = record.members if isinstance(record, Object) else ()
    return {name: value.value if isinstance(value, Text) else value for name, value in values if value != "null"}


def _trouble(place: Placing, code: str, message: str, at: int, severity: Severity = Severity.NOTE) -> ImageSet:
    line, document = place.source.line(at), place.context.document
    return place.trouble(Problem(code, message, line, document=document, severity=severity))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the line on which it starts, counted from 1, and its values by column.

    ``is_misquoted`` says that a quotation mark opens a value in it which nothing closes: then it is its one line as it stands.
    """

    line: int
    values: dict[str, str]
    is_misquoted: bool = False


class Misquoted:
    """Counts the lines of a table that are read as they stand, since nothing closes a quotation mark in them."""

    def __init__(self) -> None:
        self._lines = self._first = 0

    def saw(self, row: Row) -> None:
        """Count a row."""
        self._lines += row.is_misquoted
        self._first = self._first or (row.line if row.is_misquoted else 0)

    def problem(self, document: str) -> Iterator[Problem]:
        """Tell how they were read."""
        if self._lines:
            them = f"line {self._first}" if self._lines == 1 else f"{self._lines:,} lines, the first {self._first}"
            message = f"{document}: a quotation mark is never closed in a value in {them}: it was read as a part of the value."
            yield Problem("read-as", message, self._first, document=document)


def table_rows(lines: Iterable[str], *, delimiter: str | None = None) -> Iterator[Row | Problem]:
    """Read CSV or TSV (RFC 4180) whose first row names the columns, a row at a time; one that holds a URL is no such row.

    Without a ``delimiter`` the first row decides: tab, semicolon, comma or pipe, whichever it has most of. A row that can't be
    read is a `Problem` (of no document yet), and the next is read.
    """
    # The csv module keeps one limit for the whole process; it only ever grows here.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
    feed, blank = iter(lines), 0
    try:
        while (first := next(feed, "")) and not first.strip():
            blank += 1
    except csv.Error as error:
        yield Problem("malformed-table", f"The names of the columns can't be read ({error}): the table is left out.", 1)
        return
    table = _Table(chain((first,), feed), delimiter or _delimiter(first), blank)
    names: list[str] = []
    bare = False
    while True:
        line = table.taken + 1
        try:
            cells, is_misquoted = table.row()
        except csv.Error as error:
            yield Problem("malformed-table", f"This row can't be read ({error}): it is left out.", line)
            continue
        if cells is None:
            return
        if cells == ["sep=", ""]:
            continue  # what tells Excel the delimiter
        if not names:
            cells = [cell.strip().lstrip("\ufeff") for cell in cells]
            bare = any(map(_is_address, cells))
            names = [("" if bare else cell) or f"column {at}" for at, cell in enumerate(cells, 1)]
            table.columns = len(names)
            cells = cells if bare else []
        if cells:
            yield Row(
                line, dict(zip(names, _whole(cells, table.delimiter) if bare else cells, strict=False)), is_misquoted
            )
        del cells  # they may be large, and the next are read beside them


def _is_address(cell: str) -> bool:
    return cell[:8].lower().startswith(("http://", "https://", "//"))


def _whole(cells: list[str], mark: str) -> list[str]:
    """The one URL of a line in a plain list, where its commas were not quoted."""
    if not 1 < len(cells) <= _MOST_COMMAS or has_image_extension(cells[0]) or any(map(_is_address, cells[1:])):
        return cells
    whole = mark.join(cells)
    return [whole] if _is_address(whole) and has_image_extension(whole) and " " not in whole else cells


class _Table(Iterator[str]):
    """The lines of a table, and its rows. One over `MAX_CELLS` or `MAX_ROW` is an error, on however many lines it stands.

    A quotation mark that nothing closes would hold all that follows in one value. So would two that stand in two lines: where each of
    these is a whole row by its delimiters, and text has none of them, they are read as such.
    """

    def __init__(self, lines: Iterator[str], delimiter: str, taken: int) -> None:
        self.delimiter = delimiter
        self.taken = taken
        """Lines so far, those with an error too, which `csv.reader` does not count."""
        self.columns = 0
        self._lines = lines
        self._back: deque[str] = deque()
        self._row: list[str] = []
        self._cells = self._size = self._read_again = 0
        self._is_over = False
        self._reader = csv.reader(self, delimiter=delimiter, strict=True)

    def row(self) -> tuple[list[str] | None, bool]:
        """The values of the next row, and whether they are its first line as it stands; None at the end. Raises `csv.Error`."""
        self._cells = self._size = 0
        self._row.clear()
        try:
            return next(self._reader, None), False
        except csv.Error:
            if self._is_over:
                raise
            return self._first_alone()

    def __next__(self) -> str:
        try:
            line = self._back.popleft() if self._back else next(self._lines)
        except csv.Error:
            self.taken += 1
            self._is_over = True
            raise
        self.taken += 1
        cells = line.count(self.delimiter)
        self._cells += cells
        self._size += len(line)
        self._is_over = self._cells > MAX_CELLS or self._size > MAX_ROW
        if self._cells > MAX_CELLS:
            raise csv.Error(f"it has more than {MAX_CELLS:,} values")
        if self._size > MAX_ROW:
            raise csv.Error(f"it is longer than {MAX_ROW:,} characters")
        self._row.append(line)
        if (
            len(self._row) == 2
            and self.delimiter in "\t|"
            and self._is_row(cells)
            and self._is_row(self._cells - cells)
        ):
            raise csv.Error("it is two rows")
        return line

    def _is_row(self, delimiters: int) -> bool:
        return 0 < delimiters == (self.columns - 1 if self.columns else self._row[0].count(self.delimiter))

    def _first_alone(self) -> tuple[list[str], bool]:
        """The first line of a row that is quoted amiss; those behind it are lines of their own."""
        first, *others = self._row
        self.taken -= len(others)
        self._back.extendleft(reversed(others))
        self._read_again += sum(map(len, others))
        if self._read_again > MAX_ROW:  # once more for each line would be a square
            self._reader = csv.reader(self, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        if first.count('"') % 2:
            return next(csv.reader((first,), delimiter=self.delimiter, quoting=csv.QUOTE_NONE), []), True
        return next(csv.reader((first,), delimiter=self.delimiter), []), False


def _delimiter(first: str) -> str:
    found = max("\t", ";", ",", key=lambda mark: (first.count(mark), mark == ","))
    others = first.count(found)
    # A pipe joins URLs in one value, too.
    is_pipe = "|" in first and (others == 0 if "://" in first else first.count("|") > others)
    return "|" if is_pipe else found


def find_table(
    data: bytes,
    *,
    document: str,
    base_url: str | None,
    encoding: str | None = None,
    delimiter: str | None = None,
    merge: bool = True,
) -> Extraction:
    """Find the image sets of CSV or TSV; lines are those of the table, spans are not kept."""
    text = decode(data, encoding).text
    sets: list[ImageSet] = []
    misquoted = Misquoted()
    for row in table_rows(io.StringIO(text, newline=""), delimiter=delimiter):
        if isinstance(row, Problem):
            sets.append(ImageSet(document, row.line, (), problems=(replace(row, document=document),)))
            continue
        misquoted.saw(row)
        found = find_json(
            json.dumps(row.values, ensure_ascii=False).encode("utf-8", "replace"),
            document=document,
            base_url=base_url,
            encoding="utf-8",
            merge=merge,
        )
        sets += [_on_line(each, row.line) for each in found.sets]
        sets += [
            ImageSet(document, row.line, (), problems=(replace(problem, line=row.line),)) for problem in found.problems
        ]
    sets += [ImageSet(document, problem.line, (), problems=(problem,)) for problem in misquoted.problem(document)]
    return collected(sets, document, merge=merge)


def _on_line(row: ImageSet, line: int) -> ImageSet:
    def moved(candidate: Candidate) -> Candidate:
        reference = candidate.reference
        return (
            candidate if reference is None else replace(candidate, reference=replace(reference, line=line, span=None))
        )

    def source(each: Source) -> Source:
        default = moved(each.default) if each.default is not None else None
        return replace(each, candidates=tuple(map(moved, each.candidates)), default=default)

    problems = tuple(replace(problem, line=line) for problem in row.problems)
    places = tuple(replace(place, line=line, span=None) for place in row.places)
    return replace(row, line=line, sources=tuple(map(source, row.sources)), problems=problems, places=places)


@dataclass(frozen=True, slots=True)
class Picked:
    """One field's value: the text, how to read it (a kind of document), and the address of the page it is from."""

    text: str
    kind: str
    page: str | None


def pick(record: Object, field: str) -> Picked | None:
    """Return a record's field by its name, ``a.b`` being ``b`` within ``a``; None where there is no such text.

    Markup is read as HTML, a field named like a srcset attribute as one, everything else as text.
    """
    value: object = record.get(field)
    if value is None:
        value = record
        for name in field.split("."):
            value = value.get(name) if isinstance(value, Object) else None
    if not isinstance(value, Text):
        return None
    name = field.rpartition(".")[2]
    return Picked(value.value, kind_of_value(name, value.value), page_of(record))


def kind_of_value(name: str, value: str) -> str:
    """Say how to read a field's value: ``srcset``, ``html``, ``markdown``, ``urls`` or ``text``."""
    if is_srcset_name(name):
        return "srcset"
    if "html" in bare(name) or _MARKUP.search(value, 0, _LOOKED_AT):
        return "html"
    if bare(name) in {"markdown", "md"}:
        return "markdown"
    return "urls" if is_url(value.strip()) else "text"

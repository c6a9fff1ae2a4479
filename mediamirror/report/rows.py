"""Rows of the catalog, one by one, so that a list of any length takes little memory: lines for people, JSON, CSV, Parquet.

docs/catalog.md has the columns.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import IO, Any, Protocol, Self

from mediamirror.catalog.listing import CatalogRow
from mediamirror.errors import UsageError
from mediamirror.redact import redact_url, redact_values
from mediamirror.report.escape import clean, shorten, tail
from mediamirror.report.events import fields_of, human_bytes, to_line

_LEFT = frozenset({"status", "format", "rules", "key or url"})


def to_variant(row: CatalogRow) -> dict[str, Any]:
    """Return the JSON object of a row: the fields of a `variant`, and what only a catalog knows."""
    error = {"code": row.error_code, "message": row.error_message} if row.error_code else None
    shared = "url final_url status key declared_width width height format bytes sha256 findings"
    own = "store content_type token fetched_at http_status stored_at set_number set_id sets document line alt context"
    columns = {"row": row.columns, "other_rows": list(row.other_columns)}
    return {"type": "variant", **fields_of(row, shared), "error": error, **fields_of(row, own), **columns}


class Lines:
    """Makes lines of rows, fitted to ``width`` characters (None: as long as they are), their columns fixed by the first ones."""

    def __init__(self, first: Iterable[CatalogRow], *, width: int | None) -> None:
        self._width = width
        cells = [_cells(row) for row in first]
        names = _cells(None)
        self._sizes = {
            name: max([len(text), *(len(row[name]) for row in cells)])
            for name, text in names.items()
            if name != "key or url"
        }
        for name in ("rules", "declared"):  # what no row has takes no room
            if not any(row[name] for row in cells):
                del self._sizes[name]
        self.heading = self._line(names)

    def line(self, row: CatalogRow) -> str:
        """Return one row's line."""
        return self._line(_cells(row))

    def _line(self, cells: dict[str, str]) -> str:
        parts = [
            f"{shorten(cells[name], size):{'<' if name in _LEFT else '>'}{size}}" for name, size in self._sizes.items()
        ]
        head = "  ".join(parts) + "  "
        last = cells["key or url"]
        if self._width is not None:
            last = tail(last, max(16, self._width - len(head)))
        return head + last


def _cells(row: CatalogRow | None) -> dict[str, str]:
    if row is None:
        names = ("set", "declared", "real", "format", "bytes", "status", "rules", "key or url")
        return {name: name for name in names}
    return {
        "set": str(row.set_number or ""),
        "declared": ",".join(f"{width}w" for width in row.declared_width[:3])
        + ("…" if len(row.declared_width) > 3 else ""),
        "real": f"{row.width}×{row.height}" if row.width else "",
        "format": row.format or "",
        "bytes": human_bytes(row.bytes),
        "status": row.status,
        "rules": ",".join(row.findings[:3]) + ("…" if len(row.findings) > 3 else ""),
        "key or url": clean(row.key or redact_url(row.url or "", room=None)),
    }


COLUMNS: dict[str, str] = {
    "set_number": "int64", "set_id": "string", "sets": "strings", "document": "string", "line": "int64", "alt": "string",
    "context": "string", "url": "string", "final_url": "string", "status": "string", "store": "string", "key": "string",
    "declared_width": "int64s", "width": "int64", "height": "int64", "format": "string", "bytes": "int64",
    "sha256": "string", "content_type": "string", "token": "string", "findings": "strings", "error_code": "string",
    "error_message": "string", "fetched_at": "string", "http_status": "int64", "stored_at": "string",
    "row": "string", "other_rows": "string",
}  # fmt: skip
"""Every column, in order, with its type; a plural is a list."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would calculate: OWASP, CSV Injection. The last four are full-width."""

_GROUP = 10_000


class Writer(AbstractContextManager["Writer"], Protocol):
    """Takes rows, and ends what it has written. Use as a context manager."""

    def write(self, row: CatalogRow) -> None:
        """Write one row."""


def writer_for(format_: str, file: IO[bytes], *, hide: bool = False) -> Writer:
    """Return the writer of ``jsonl``, ``csv`` or ``parquet``; with ``hide`` URLs lose their secrets.

    Raises `UsageError` when an extra is not installed.
    """
    makers: dict[str, Callable[[IO[bytes], bool], Writer]] = {"jsonl": JsonLines, "csv": Csv, "parquet": Parquet}
    return makers[format_](file, hide)


def values_of(row: CatalogRow, *, hide: bool) -> dict[str, Any]:
    """Return a row by column; with ``hide`` its URLs have lost their secrets."""
    whole = redact_values(to_variant(row), whole_urls=not hide)
    error = whole["error"] or {}
    return {name: whole.get(name) for name in COLUMNS} | {
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        **{
            name: json.dumps(whole[name], ensure_ascii=False) if whole[name] else None for name in ("row", "other_rows")
        },
    }


class JsonLines:
    """One object a line, the same as ``catalog ls --format jsonl`` without a summary."""

    def __init__(self, file: IO[bytes], hide: bool) -> None:
        self._file = file
        self._hide = hide

    def write(self, row: CatalogRow) -> None:
        """Write one row."""
        self._file.write(to_line(to_variant(row), hide=self._hide).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()


class Csv:
    """RFC 4180, UTF-8, a heading line; lists are joined by spaces, what is not known is empty.

    Text that a spreadsheet would calculate, which a page's alt text or URL may be, gets an apostrophe before it.
    """

    def __init__(self, file: IO[bytes], hide: bool) -> None:
        self._hide = hide
        self._text = io.TextIOWrapper(
            file, encoding="utf-8", errors="backslashreplace", newline="", write_through=False
        )
        self._csv = csv.writer(self._text)
        self._csv.writerow(COLUMNS)

    def write(self, row: CatalogRow) -> None:
        """Write one row."""
        cells = values_of(row, hide=self._hide).values()
        self._csv.writerow([_cell(cell) for cell in cells])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.flush()
        self._text.detach()  # the file is its owner's to close


class Parquet:
    """A Parquet file, a row group for each 10,000 rows. Needs pyarrow."""

    def __init__(self, file: IO[bytes], hide: bool) -> None:
        self._hide = hide
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise UsageError(
                "--format parquet needs pyarrow, which is not installed: pip install 'mediamirror[parquet]'."
            ) from None
        self._schema = self._arrow.schema([(name, self._type(kind)) for name, kind in COLUMNS.items()])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def _type(self, kind: str) -> Any:
        plain = {"int64": self._arrow.int64(), "string": self._arrow.string()}
        return plain[kind] if kind in plain else self._arrow.list_(plain[kind.removesuffix("s")])

    def write(self, row: CatalogRow) -> None:
        """Write one row."""
        self._rows.append({name: _text(value) for name, value in values_of(row, hide=self._hide).items()})
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._rows and kind is None:
            self._flush()
        self._writer.close()


def _cell(value: Any) -> Any:
    """What stands in a CSV file for a value: text that no program calculates."""
    text = " ".join(map(str, value)) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _text(value: Any) -> Any:
    """Parquet's text is UTF-8: half a character can't be in it."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

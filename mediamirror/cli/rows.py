"""Printing what a catalog says: rows as they come, in little memory."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import field
from typing import TYPE_CHECKING

from mediamirror.cli.running import complain
from mediamirror.first_use import dataclass
from mediamirror.report.events import to_line

if TYPE_CHECKING:
    from mediamirror.catalog.listing import CatalogRow
    from mediamirror.report.rows import Lines

_FIRST = 200


@dataclass(slots=True)
class Listed:
    """The end of a list."""

    exit_code: int = 0
    rows: int = 0
    bytes: int = 0
    statuses: dict[str, int] = field(default_factory=dict)

    def add(self, row: CatalogRow) -> None:
        """Count one row."""
        self.rows += 1
        self.bytes += row.bytes or 0
        self.statuses[row.status] = self.statuses.get(row.status, 0) + 1


async def print_rows(rows: AsyncIterator[CatalogRow], style: str, *, quiet: bool, hide: bool = False) -> Listed:
    """Print every row in the asked format, and how many there were."""
    listed = Listed()
    if style == "table":
        await _table(rows, listed)
    else:
        await _json(rows, style, listed, hide=hide)
    sys.stdout.flush()
    if not quiet and style != "json":
        _conclude(listed, style)
    return listed


async def _table(rows: AsyncIterator[CatalogRow], listed: Listed) -> None:
    width = _terminal()
    first: list[CatalogRow] = []
    lines: Lines | None = None
    async for row in rows:
        listed.add(row)
        if lines is not None:
            print(lines.line(row))
            continue
        first.append(row)
        if len(first) >= _FIRST:
            lines = _begin(first, width)
    if lines is None and first:
        _begin(first, width)


def _begin(first: list[CatalogRow], width: int | None) -> Lines:
    from mediamirror.report.rows import Lines

    lines = Lines(first, width=width)
    print(lines.heading)
    for row in first:
        print(lines.line(row))
    return lines


def _terminal() -> int | None:
    """Columns of the terminal; None into a pipe, where nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


async def _json(rows: AsyncIterator[CatalogRow], style: str, listed: Listed, *, hide: bool) -> None:
    from mediamirror.report.rows import to_variant

    before = "" if style == "jsonl" else "["
    async for row in rows:
        listed.add(row)
        if style == "jsonl":
            print(to_line(to_variant(row), hide=hide))
        else:
            print(f"{before}{to_line(to_variant(row), hide=hide)}", end="")
            before = ",\n "
    summary = {
        "type": "summary",
        "variants": listed.rows,
        "statuses": dict(sorted(listed.statuses.items())),
        "bytes": listed.bytes,
        "exit_code": 0,
    }
    print(json.dumps(summary) if style == "jsonl" else f"{before}{json.dumps(summary)}]")


def _conclude(listed: Listed, style: str) -> None:
    from mediamirror.report.events import human_bytes, plural

    if style != "table":
        return
    if not listed.rows:
        complain("nothing in the catalog matches.")
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(listed.statuses.items()))
    print(f"{plural(listed.rows, 'row')}: {counts}; {human_bytes(listed.bytes)}.", file=sys.stderr)

"""What commands about objects and rows of the catalog print: sync, check, those that mend a catalog, and those that list it.

A line an object, or a row, in the asked format and in little memory; progress and summary for people on standard error.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import field
from typing import TYPE_CHECKING, Self

from mediamirror.cli.output import progress_for
from mediamirror.cli.running import complain
from mediamirror.first_use import dataclass
from mediamirror.model import Compared, Mark, MendEvent, MendSummary, ObjectEvent, Problem, SyncEvent, SyncSummary
from mediamirror.report.escape import clean
from mediamirror.report.events import to_line
from mediamirror.report.objects import compared_line, mend_summary_line, object_line, summary_line, to_object

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


class ObjectOutput:
    """Receives a job's events and prints them. Use as a context manager; call it with each event.

    The table has a line for what was done, differs or failed; with ``verbose`` also for what is the same, and for what is done
    to every object there is: the operation ``routine``.
    """

    def __init__(
        self, style: str, *, quiet: bool, verbose: bool, progress: bool = False, routine: str = "skip"
    ) -> None:
        self._style = style
        self._quiet = quiet
        self._verbose = verbose
        self._routine = routine
        self._rows: list[str] = []
        self._bar = progress_for("object", "object", wanted=progress and not quiet)

    def __enter__(self) -> Self:
        """Begin to tell of progress."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the progress bar away; finish a JSON document that has begun."""
        if self._bar is not None:
            self._bar.stop()
        if self._rows:
            print("[" + ",\n ".join(self._rows) + "]")
        sys.stdout.flush()

    def __call__(self, event: SyncEvent | MendEvent) -> None:
        """Print one event."""
        if self._bar is not None:
            self._bar.show(event)
        if self._style == "table":
            self._tell(event)
        elif (row := to_object(event)) is not None:
            if self._style == "json":
                self._rows.append(to_line(row))
            else:
                # Skips come by the thousand while listing; what was done is seen at once by a reader down the pipe.
                print(to_line(row), flush=row.get("op") != self._routine)
        if isinstance(event, SyncSummary | MendSummary) and self._bar is not None:
            self._bar.stop()
        if isinstance(event, SyncSummary | MendSummary) and not self._quiet:
            sys.stdout.flush()
            line = summary_line(event) if isinstance(event, SyncSummary) else mend_summary_line(event)
            print(line, file=sys.stdout if self._style == "table" else sys.stderr)

    def _tell(self, event: SyncEvent | MendEvent) -> None:
        match event:
            case ObjectEvent() if event.error is not None:
                print(object_line(event), file=sys.stderr)
            case ObjectEvent() if not self._quiet and (event.op != self._routine or self._verbose):
                print(object_line(event))
            case Compared() if event.mark is Mark.ERROR:
                print(compared_line(event), file=sys.stderr)
            case Compared() if not self._quiet and (event.mark is not Mark.SAME or self._verbose):
                print(compared_line(event))
            case Problem():
                print(clean(event.message), file=sys.stderr)

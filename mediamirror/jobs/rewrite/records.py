"""What a rewrite did to each file, kept beside the pages so that it can be undone: a line of JSON for each time.

A line holds the page's path below its folder, the sha256 before and after, and the edits that lead back, whose bytes are
written as Latin-1. A record is on the disk before its page is. It is obeyed only where it is ours, and only for bytes that
have the hash it names: what it makes of them must have the other.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mediamirror.first_use import dataclass
from mediamirror.rewrite.splice import Edit, fits

NAME = ".mediamirror-rewrite.jsonl"
"""Hidden, so that it is no INPUT; a web server should not serve it."""
_MOST = 512 * 1024 * 1024
_ONE_AT_A_TIME = threading.Lock()
"""Two lines that are written at once would be written into each other."""


@dataclass(frozen=True, slots=True)
class Record:
    """One rewriting of one page. ``back`` makes the bytes before of those after."""

    page: str
    before: str
    after: str
    back: tuple[Edit, ...]
    catalog: str | None = None


def append(root: Path, record: Record, *, durable: bool) -> None:
    """Add a record to those of a folder; where it is ``durable``, it is on the disk on return. Raises `OSError`."""
    back = [[edit.start, edit.end, edit.text.decode("latin-1")] for edit in record.back]
    row = {"page": record.page, "before": record.before, "after": record.after, "catalog": record.catalog, "back": back}
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "ab") as file, _ONE_AT_A_TIME:  # noqa: PTH123 - a descriptor
        file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())


def read(root: Path) -> dict[str, list[Record]]:
    """Return the records of a folder by page, oldest first. There are none where they are not ours, or can't be read."""
    found: dict[str, list[Record]] = {}
    try:
        descriptor = os.open(root / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return found
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        about = os.fstat(file.fileno())
        if about.st_uid not in {0, os.geteuid()} or about.st_size > _MOST:
            return found
        for line in file:
            if (record := _record(line)) is not None:
                found.setdefault(record.page, []).append(record)
    return found


def _record(line: bytes) -> Record | None:
    """A record as it was written; None for a line that was cut off, or that nobody here has written."""
    try:
        row: Any = json.loads(line)
        back = tuple(Edit(int(start), int(end), text.encode("latin-1")) for start, end, text in row["back"])
        catalog = row.get("catalog")
        return Record(str(row["page"]), str(row["before"]), str(row["after"]), back, catalog and str(catalog))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def without(root: Path, pages: Sequence[str]) -> None:
    """Drop the records of pages that have their own bytes again; the file goes with the last. Raises `OSError`."""
    from mediamirror.scratch import replace_file  # noqa: PLC0415

    kept = [line for line in (root / NAME).read_bytes().splitlines(keepends=True) if _page_of(line) not in set(pages)]
    if kept:
        replace_file(root / NAME, b"".join(kept))
    else:
        (root / NAME).unlink()


def _page_of(line: bytes) -> str | None:
    record = _record(line)
    return record.page if record is not None else None


def steps_back(records: Sequence[Record], sha256: str) -> Iterator[Record]:
    """Yield the records that lead from bytes with this hash to the first ones, in that order."""
    for record in reversed(records):
        if record.after == sha256:
            yield record
            sha256 = record.before


def can_be_made(record: Record, data: bytes) -> bool:
    """Whether a record's edits lie within these bytes."""
    return fits(record.back, len(data))

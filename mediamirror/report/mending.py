"""Events of gc, rebuild and import, as lines for people and as JSON objects."""

from __future__ import annotations

from typing import Any

from mediamirror.model import MendEvent, MendSummary, ObjectEvent, Problem
from mediamirror.report import sync_table
from mediamirror.report.escape import clean
from mediamirror.report.words import human_bytes


def event_line(event: ObjectEvent | Problem) -> str:
    """Say in one line what was, would be, or could not be done to one thing."""
    return clean(event.message) if isinstance(event, Problem) else sync_table.object_line(event)


def summary_line(summary: MendSummary) -> str:
    """Say in one line how it ended."""
    still = "to be " if summary.dry_run else ""
    parts = [f"{count:,} {_label(name, count, still)}" for name, count in summary.counts.items()]
    size = f"; {human_bytes(summary.bytes)}" if summary.bytes else ""
    line = f"{clean(summary.destination)}: {', '.join(parts) or 'nothing to do'}{size}, {summary.seconds:.1f} s."
    return f"{line} Nothing was changed (dry run)." if summary.dry_run else line


def _label(name: str, count: int, still: str) -> str:
    noun, _, done = name.partition(" ")
    if noun.endswith("s") and count == 1:
        noun = noun.removesuffix("s")
    return " ".join(part for part in (noun, f"{still}{done}" if done and "kept" not in done else done) if part)


def to_object(event: MendEvent) -> dict[str, Any]:
    """Return the JSON object of an event."""
    if isinstance(event, MendSummary):
        return {
            "type": "summary",
            "command": event.command,
            "destination": event.destination,
            "counts": event.counts,
            "bytes": event.bytes,
            "seconds": round(event.seconds, 3),
            "dry_run": event.dry_run,
            "exit_code": event.exit_code,
        }
    return sync_table.to_object(event) or {}

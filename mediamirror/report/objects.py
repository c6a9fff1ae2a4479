"""Events about single objects (sync, check, gc, rebuild, import): as lines for people, and as JSON objects."""

from __future__ import annotations

from typing import Any

from mediamirror.model import Compared, MendEvent, MendSummary, ObjectEvent, Problem, SyncEvent, SyncSummary
from mediamirror.report.escape import clean
from mediamirror.report.events import fields_of, human_bytes, plural, to_objects

_DONE = {"upload": "uploaded", "download": "downloaded", "delete": "deleted", "skip": "skipped"}
_DONE |= {"copy": "copied", "forget": "forgot", "compact": "compacted", "sweep": "swept", "record": "recorded"}
_DONE |= {"rewrite": "rewrote", "restore": "restored"}
_ORDER = (
    "uploaded", "downloaded", "copied", "deleted", "same", "skipped", "differ", "not in DEST", "not in SRC", "left out",
    "failed",
)  # fmt: skip
_CHANGES = frozenset({"uploaded", "downloaded", "copied", "deleted"})


def object_line(event: ObjectEvent) -> str:
    """Say in one line what was, would be, or could not be done to one object."""
    if event.error is not None:
        return f"failed          {clean(event.key)}  ({event.error.code}: {clean(event.error.message)})"
    verb = f"would {event.op}" if event.dry_run and event.op in _DONE else _DONE.get(event.op, event.op)
    size = f", {human_bytes(event.size)}" if event.size is not None else ""
    return f"{verb:<15} {clean(event.key)}  ({clean(event.reason)}{size})"


def compared_line(event: Compared) -> str:
    """Render rclone's line: the mark and the key; for what is not the same, why."""
    why = "" if event.mark == "=" else f"  ({clean(event.reason)})"
    return f"{event.mark} {clean(event.key)}{why}"


def summary_line(summary: SyncSummary) -> str:
    """Say in one line how a sync or check ended."""
    counts = sorted(summary.statuses.items(), key=lambda pair: _ORDER.index(pair[0]) if pair[0] in _ORDER else 99)
    total = plural(sum(summary.statuses.values()), "object")
    still = "to be " if summary.dry_run else ""
    parts = ", ".join(f"{count:,} {still if name in _CHANGES else ''}{name}" for name, count in counts)
    line = f"{clean(summary.source)} -> {clean(summary.destination)}: {total}" + (f": {parts}" if parts else "")
    rate = human_bytes(int(max(summary.bytes_in, summary.bytes_out) / summary.seconds)) if summary.seconds else "0 B"
    line += f"; {human_bytes(summary.bytes_in)} read, {human_bytes(summary.bytes_out)} written, {summary.seconds:.1f} s"
    line += f" ({rate}/s)." if summary.bytes_in or summary.bytes_out else "."
    if summary.dry_run:
        line += " Nothing was changed (dry run)."
    if summary.exit_code == 130:
        line += f" Interrupted with {plural(summary.left, 'object')} left: run the same command again to go on."
    return line


def to_object(event: SyncEvent | MendEvent) -> dict[str, Any] | None:
    """Return the JSON object of an event, or None where there is none."""
    match event:
        case ObjectEvent():
            return next(to_objects(event))
        case Compared():
            told = {"type": "object", "op": "compare", "mark": event.mark.value}
            return told | fields_of(event, "key reason") | {"bytes": event.size, "dry_run": True}
        case Problem():
            return {"type": "problem", **fields_of(event, "code message document"), "line": 0}
        case SyncSummary():
            return _sync_summary(event)
        case MendSummary():
            return _mend_summary(event)
        case _:
            return None


def _sync_summary(event: SyncSummary) -> dict[str, Any]:
    told = {"type": "summary", **fields_of(event, "source destination statuses"), "findings": {}}
    told |= fields_of(event, "left bytes_in bytes_out") | {"seconds": round(event.seconds, 3)}
    return told | fields_of(event, "dry_run exit_code")


def _mend_summary(event: MendSummary) -> dict[str, Any]:
    told = {"type": "summary", **fields_of(event, "command destination counts bytes")}
    return told | {"seconds": round(event.seconds, 3)} | fields_of(event, "dry_run exit_code")


def mend_summary_line(summary: MendSummary) -> str:
    """Say in one line how gc, rebuild or import ended."""
    still = "to be " if summary.dry_run else ""
    parts = [f"{count:,} {_label(name, count, still)}" for name, count in summary.counts.items()]
    size = f"; {human_bytes(summary.bytes)}" if summary.bytes else ""
    nothing = "nothing done yet" if summary.exit_code == 130 else "nothing to do"
    line = f"{clean(summary.destination)}: {', '.join(parts) or nothing}{size}, {summary.seconds:.1f} s."
    if summary.dry_run:
        line += " Nothing was changed (dry run)."
    if summary.exit_code == 130:
        line += " Interrupted: run the same command again."
    return line


def _label(name: str, count: int, still: str) -> str:
    noun, _, done = name.partition(" ")
    if noun.endswith("s") and count == 1:
        noun = noun.removesuffix("s")
    return " ".join(part for part in (noun, f"{still}{done}" if done and "kept" not in done else done) if part)

"""MM504 to MM506: whether a mirror has whole sets, and whether the origins still give out what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mediamirror.lint.rules import RULES, Violation
from mediamirror.lint.stored import run_stored
from mediamirror.model import Finding, Reference, SetResult, SetRow, Severity, Status

_GONE = frozenset({404, 410})


def missing_rows(result: SetResult) -> tuple[SetRow, ...]:
    """The candidates of a set that were wanted and that the mirror does not hold, each file once."""
    rows = {row.url: row for row in result.rows if row.key is None and row.status is not Status.SKIPPED}
    return tuple(rows.values())


@RULES.add_stored(
    "MM504",
    "partial-set",
    Severity.WARNING,
    summary="The mirror holds some variants of an image set and lacks others that were to be mirrored.",
    why="Once pages point at the mirror, the screens that would load a missing variant show a broken picture.",
    fix="Run the same `mediamirror mirror` command again; a candidate whose file is at fault belongs out of the srcset.",
    about="set",
)
def partial_set(result: SetResult) -> Iterator[Violation]:
    """Fire once for a set of which some is stored and something is not, with the reason of each that is not."""
    missing = missing_rows(result)
    held = {row.url for row in result.rows if row.key is not None}
    if held and missing:
        reasons = ", ".join(f"{_called(row)} ({row.error.code if row.error else 'not reached'})" for row in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        total = len(held) + len(missing)
        message = f"The mirror holds {len(held)} of {total} variants of this set; missing: {reasons}{more}."
        yield Violation(message, f"{total} variants", f"{len(held)} stored", url=missing[0].url)


def _called(row: SetRow) -> str:
    if row.declared_width is not None:
        return f"{row.declared_width}w"
    return f"{row.density:g}x" if row.density is not None else row.attribute or row.carrier


@dataclass(frozen=True, slots=True)
class SourceSubject:
    """What an origin says now of a file that was mirrored.

    ``http_status`` is 304 where the origin says that nothing changed; ``sha256`` is that of the bytes it gives out instead.
    """

    url: str
    key: str
    recorded_sha256: str
    fetched_at: datetime
    http_status: int
    sha256: str | None = None


@RULES.add_stored(
    "MM505",
    "source-changed",
    Severity.WARNING,
    summary="The origin gives out other bytes for a URL than those that were mirrored.",
    why="The mirror shows an older picture than the site does.",
    fix="Run the same `mediamirror mirror` command again; it fetches what has changed.",
    about="source",
)
def source_changed(subject: SourceSubject) -> Iterator[Violation]:
    """Fire when the origin sent bytes with another sha256."""
    if subject.sha256 is not None and subject.sha256 != subject.recorded_sha256:
        message = f"The source has changed since it was mirrored on {subject.fetched_at:%Y-%m-%d}."
        yield Violation(message, subject.recorded_sha256, subject.sha256)


@RULES.add_stored(
    "MM506",
    "source-gone",
    Severity.NOTE,
    summary="The origin does not have a mirrored file any more (404 or 410).",
    why="The mirror may hold the last copy. Nothing is deleted for it.",
    fix="Keep the object, and look at the page: the file may have moved.",
    about="source",
)
def source_gone(subject: SourceSubject) -> Iterator[Violation]:
    """Fire for the two answers that say so; every other failure says nothing of the file."""
    if subject.http_status in _GONE:
        message = f"The source is gone (HTTP {subject.http_status}); it was mirrored on {subject.fetched_at:%Y-%m-%d}."
        yield Violation(message, subject.key, f"HTTP {subject.http_status}")


def check_mirrored(result: SetResult, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on what a mirror holds of one set."""
    reference = Reference(result.document, "set", None, result.line)
    first = result.rows[0].url if result.rows else ""
    return run_stored("set", result, codes, url=first, reference=reference)


def check_source(subject: SourceSubject, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on what an origin says now."""
    reference = Reference(subject.key, "source", None, 0)
    return run_stored("source", subject, codes, url=subject.url, reference=reference)

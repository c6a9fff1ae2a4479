"""MM5xx, the rules of `verify --mirror`: whether a mirror holds what it recorded, whole sets, and what the origins still have.

The job reads the objects and asks the origins; these rules compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mediamirror.first_use import dataclass
from mediamirror.lint.rules import About, all_rules, rule
from mediamirror.lint.subject import Violation, format_of_mime
from mediamirror.model import Facts, Finding, Reference, SetResult, SetRow, Severity, Status, descriptor

_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class StoredSubject:
    """One object: what was recorded of it, and what was read just now.

    ``recorded_sha256`` and ``recorded_type`` are None where nothing was recorded. ``present`` is False for an object that
    the catalog has and the store has not. ``facts`` are those of the bytes, None where they are no image that is read here;
    ``unsound`` says why what should be an image is none that can be shown.
    """

    key: str
    mirror: str
    present: bool
    recorded_sha256: str | None
    sha256: str | None = None
    content_type: str | None = None
    facts: Facts | None = None
    unsound: str | None = None


@rule("MM501", "object-missing", Severity.ERROR, about="object")
def object_missing(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when the object is gone."""
    if not subject.present:
        yield Violation("The mirror does not hold this object any more.", "stored", "missing")


@rule("MM502", "bytes-changed", Severity.ERROR, about="object")
def bytes_changed(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when both hashes are known and differ."""
    recorded, found = subject.recorded_sha256, subject.sha256
    if recorded is not None and found is not None and recorded != found:
        yield Violation(
            f"The bytes have changed: recorded sha256 {recorded[:16]}…, found {found[:16]}….", recorded, found
        )


@rule("MM503", "stored-type-differs", Severity.WARNING, about="object")
def stored_type_differs(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when the store says another type than the bytes."""
    facts, stored = subject.facts, subject.content_type
    if facts is None or stored is None or format_of_mime(stored) == facts.format:
        return
    if stored != facts.content_type:
        yield Violation(f"Stored as {stored}, but the bytes are {facts.format}.", stored, facts.content_type)


def missing_rows(result: SetResult) -> tuple[SetRow, ...]:
    """The candidates of a set that were wanted and that the mirror does not hold, each file once."""
    rows = {row.url: row for row in result.rows if row.key is None and row.status is not Status.SKIPPED}
    return tuple(rows.values())


@rule("MM504", "partial-set", Severity.WARNING, about="stored set")
def partial_set(result: SetResult) -> Iterator[Violation]:
    """Fire once for a set of which some is stored and something is not, with the reason of each that is not."""
    missing = missing_rows(result)
    held = {row.url for row in result.rows if row.key is not None}
    if held and missing:
        reasons = ", ".join(
            f"{_descriptor(row)} ({row.error.code if row.error else 'not reached'})" for row in missing[:5]
        )
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        total = len(held) + len(missing)
        message = f"The mirror holds {len(held)} of {total} variants of this set; missing: {reasons}{more}."
        yield Violation(message, f"{total} variants", f"{len(held)} stored", url=missing[0].url)


def _descriptor(row: SetRow) -> str:
    return descriptor(row.declared_width, row.density) or row.attribute or row.carrier


@rule("MM507", "object-unrecorded", Severity.ERROR, about="object")
def object_unrecorded(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when nothing is known that the bytes could be compared with."""
    if subject.present and subject.recorded_sha256 is None:
        yield Violation("No sha256 is recorded for it, so its bytes were compared with nothing.")


@rule("MM508", "object-undecodable", Severity.ERROR, about="object")
def object_undecodable(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when the object is an image by its name, type or first bytes and can't be shown, unless its bytes have changed."""
    if subject.unsound is not None and subject.recorded_sha256 in {None, subject.sha256}:
        yield Violation(f"It can't be shown as an image: {subject.unsound}")


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


@rule("MM505", "source-changed", Severity.WARNING, about="source")
def source_changed(subject: SourceSubject) -> Iterator[Violation]:
    """Fire when the origin sent bytes with another sha256."""
    if subject.sha256 is not None and subject.sha256 != subject.recorded_sha256:
        message = f"The source has changed since it was mirrored on {subject.fetched_at:%Y-%m-%d}."
        yield Violation(message, subject.recorded_sha256, subject.sha256)


@rule("MM506", "source-gone", Severity.NOTE, about="source")
def source_gone(subject: SourceSubject) -> Iterator[Violation]:
    """Fire for the two answers that say so; every other failure says nothing of the file."""
    if subject.http_status in _GONE:
        message = f"The source is gone (HTTP {subject.http_status}); it was mirrored on {subject.fetched_at:%Y-%m-%d}."
        yield Violation(message, subject.key, f"HTTP {subject.http_status}")


def check_stored(subject: StoredSubject, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on one object; its key stands for the URL."""
    return _run("object", subject, codes, subject.key, Reference(subject.mirror, "object", None, 0))


def check_mirrored(result: SetResult, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on what a mirror holds of one set."""
    reference = Reference(result.document, "set", None, result.line)
    first = result.rows[0].url if result.rows else ""
    return _run("stored set", result, codes, first, reference)


def check_source(subject: SourceSubject, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on what an origin says now."""
    return _run("source", subject, codes, subject.url, Reference(subject.key, "source", None, 0))


def _run(about: About, subject: object, codes: frozenset[str], url: str, reference: Reference) -> tuple[Finding, ...]:
    rules = [each for each in all_rules() if each.about == about and each.code in codes]
    return tuple(
        each.finding(found, url=found.url or url, reference=reference)
        for each in rules
        for found in each.check(subject)
    )

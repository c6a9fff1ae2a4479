"""What a report is made of: image sets after a run, with findings and thumbnails. The job fills it, the renderers read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mediamirror.model import Finding, ItemError, Problem, SetResult, SetRow, Severity, Summary

GRAVITY = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
"""Sort key of severities, gravest first."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """A whole run. ``created`` is aware; ``title`` names what was looked at, in a person's words."""

    title: str
    sets: tuple[SetResult, ...]
    summary: Summary
    created: datetime
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to say, whether a finding or the reason of a failure: a rule or error code, and where.

    ``failure`` is True for a variant that could not be fetched or read, where no rule speaks.
    """

    rule: str
    severity: Severity
    message: str
    url: str
    document: str
    line: int
    declared: str | None = None
    actual: str | None = None
    failure: bool = False


def entries_of(image_set: SetResult) -> tuple[Entry, ...]:
    """What is to be said of one set, gravest first, each thing once."""
    found = [entry_of(finding, image_set) for finding in image_set.findings]
    for row in image_set.rows:
        found.extend(entries_of_row(row, image_set))
    return tuple(sorted(dict.fromkeys(found), key=lambda entry: GRAVITY[entry.severity]))


def entries_of_row(row: SetRow, image_set: SetResult) -> tuple[Entry, ...]:
    """What is to be said of one candidate: its findings, and its error unless a finding says the same."""
    found = [entry_of(finding, image_set) for finding in row.findings]
    if row.error is not None and row.error.code not in {finding.rule for finding in row.findings}:
        found.append(_from_error(row.error, row.url, image_set))
    return tuple(found)


def all_entries(sets: Iterable[SetResult]) -> tuple[Entry, ...]:
    """Everything to be said of a run, in document order; a variant that several sets share speaks once per place."""
    return tuple(dict.fromkeys(_every(sets)))


def _every(sets: Iterable[SetResult]) -> Iterator[Entry]:
    for image_set in sets:
        yield from entries_of(image_set)


def entry_of(finding: Finding, image_set: SetResult) -> Entry:
    """What is to be said of a finding; where it names no place, the set's own is meant."""
    place = finding.reference
    return Entry(
        rule=finding.rule,
        severity=finding.severity,
        message=finding.message,
        url=finding.url,
        document=place.document if place else image_set.document,
        line=place.line if place else image_set.line,
        declared=finding.declared,
        actual=finding.actual,
    )


def _from_error(error: ItemError, url: str, image_set: SetResult) -> Entry:
    return Entry(error.code, Severity.ERROR, error.message, url, image_set.document, image_set.line, failure=True)

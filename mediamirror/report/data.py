"""What a report is made of: image sets after a run, with findings and thumbnails. The job fills it, the renderers read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePath

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass
from mediamirror.lint import get_rule
from mediamirror.lint.problems import error_kinds
from mediamirror.model import Finding, ItemError, Problem, SetResult, SetRow, Severity, Status, Summary, Suppressed

GRAVITY = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
"""Sort key of severities, gravest first."""
SOUND, ACCEPTED, UNCHECKED = "sound", "accepted", "unchecked"
"""What a set is that nothing is to be said of: as it should be; as somebody takes it, who switched the findings off or put them
into a baseline; or not one of its files was looked at."""
_LOOKED_AT = frozenset({Status.STORED, Status.UNCHANGED, Status.DUPLICATE, Status.REPAIRED, Status.CHECKED})


@dataclass(frozen=True, slots=True)
class ReportData:
    """A whole run. ``created`` is aware; ``title`` names what was looked at, in a person's words."""

    title: str
    sets: tuple[SetResult, ...]
    summary: Summary
    created: datetime
    problems: tuple[Problem, ...] = ()
    problems_off: tuple[Suppressed, ...] = ()
    """Problems that somebody switched off, with their reasons."""
    folder: PurePath | None = None
    """Where the run was started: code scanners and annotations name files below it by their relative paths."""


def named_from(folder: PurePath | None, document: str) -> str:
    """A document's name as it is seen from a folder: an absolute path below it becomes a relative one."""
    path = PurePath(document)
    if folder is None or "://" in document or not path.is_absolute() or not path.is_relative_to(folder):
        return document
    return path.relative_to(folder).as_posix()


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


def verdict_of(image_set: SetResult) -> str:
    """The gravest severity of what is to be said of a set, else a word for none.

    Silence about bytes that nobody saw is no praise, and advice about them is none either.
    """
    entries = entries_of(image_set)
    seen = not is_unseen(image_set)
    if entries and (seen or entries[0].severity is not Severity.NOTE):
        return entries[0].severity.value
    if not entries and (image_set.suppressed or image_set.known):
        return ACCEPTED
    return SOUND if seen else UNCHECKED


def is_unseen(image_set: SetResult) -> bool:
    """Whether no file of a set was looked at."""
    return bool(image_set.rows) and all(row.status not in _LOOKED_AT for row in image_set.rows)


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


def entry_of(finding: Finding, image_set: SetResult | Problem) -> Entry:
    """What is to be said of a finding; where it names no place, the set's own is meant."""
    place = finding.reference or image_set
    return Entry(
        rule=finding.rule,
        severity=finding.severity,
        message=finding.message,
        url=finding.url,
        document=place.document,
        line=place.line,
        declared=finding.declared,
        actual=finding.actual,
    )


def _from_error(error: ItemError, url: str, image_set: SetResult) -> Entry:
    return Entry(error.code, Severity.ERROR, error.message, url, image_set.document, image_set.line, failure=True)


@dataclass(frozen=True, slots=True)
class RuleNote:
    """A rule or error code explained: a short name, what it says, why it matters, how to fix it (the last two may be empty)."""

    code: str
    name: str
    summary: str
    why: str = ""
    fix: str = ""

    @property
    def title(self) -> str:
        """The name as people write it: ``Width differs from descriptor``; empty where it only repeats the code."""
        words = self.name.replace("-", " ")
        return "" if self.name == self.code else words[:1].upper() + words[1:]


def explain(code: str) -> RuleNote:
    """Explain a code; one that nobody knows explains itself by its name only."""
    try:
        rule = get_rule(code)
    except UsageError:
        return _explain_error(code)
    return RuleNote(rule.code, rule.name, rule.words.summary, rule.words.why, rule.words.fix)


def _explain_error(code: str) -> RuleNote:
    for kind in error_kinds():
        if kind.code == code:
            sentence = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            return RuleNote(code, code, sentence.replace("``", ""))
    return RuleNote(code, code, "")

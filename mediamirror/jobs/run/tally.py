"""Counting a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import Literal

from mediamirror.first_use import dataclass, replace
from mediamirror.model import Finding, ImageSet, Outcome, Planned, Problem, Severity, Status, Summary
from mediamirror.settings import JobOptions

HARMLESS = frozenset(
    {
        *("empty-document", "page-limit", "sitemap-limit", "too-many-links"),
        *("page-closed", "page-nofollow", "not-a-page", "other-host", "special-file", "passed-over", "read-as"),
        *("page-not-archived", "wacz-unsigned", "warc-doubtful", "sheet-not-archived", "frame-not-archived"),
    }
)
"""Problems with a document as a whole that are no failure: there is nothing in it, or a crawl leaves it out by its rules."""

UNREAD = frozenset({"document-over-memory", "document-over-time", "document-unread"})
"""Problems in a document that kept it, or the rest of it, from being read."""
CUT_SHORT = UNREAD | {"too-many-candidates", "too-many-sets"}
"""Problems that say that not all of a document was read."""
UNUSABLE = frozenset({"relative-url-without-base", "invalid-url"})
"""Problems of an image that is there to be fetched and can't be."""


@dataclass
class Tally:
    """Running totals; `summary` freezes them."""

    planned: Planned = field(default_factory=lambda: Planned(0, 0, 0, 0))
    statuses: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    problems: int = 0
    failed_inputs: int = 0
    unread: int = 0
    """INPUTs that could not be read, whether or not they are told of."""
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_saved: int = 0
    bytes_unchanged: int = 0
    known: int = 0
    suppressed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """How the documents were read: `Document.way`."""
    unusable: int = 0
    """Images that a document names and nobody could ask for."""
    counts_items: bool = True
    """Whether a failed or rejected item alone makes the run fail; `verify` has a finding for each."""

    def add(self, outcome: Outcome) -> None:
        """Count one variant."""
        self.statuses[outcome.status.value] += 1
        self.findings.update(finding.severity.value for finding in outcome.findings)
        self.bytes_in += outcome.fetched_bytes
        self.bytes_unchanged += outcome.fetched_bytes if outcome.status is Status.UNCHANGED else 0
        self.bytes_out += outcome.sent_bytes

    def add_finding(self, finding: Finding) -> None:
        """Count one finding that belongs to no outcome."""
        self.findings[finding.severity.value] += 1

    def add_problem(self, problem: Problem) -> None:
        """Count a problem that is told. One of severity ``error`` makes the run fail."""
        self.problems += 1
        self.failed_inputs += problem.severity is Severity.ERROR

    def weigh(self, problem: Problem) -> Problem:
        """Say how grave it is that an INPUT can't be read: a failed item, or for one that is only empty a note."""
        failed = problem.code not in HARMLESS
        self.unread += failed
        return replace(problem, severity=Severity.ERROR) if failed else problem

    def weigh_inside(self, problem: Problem) -> Problem:
        """The same of a problem inside a document: none of them fails the run, but one that kept it from being read."""
        self.unusable += problem.code in UNUSABLE
        grave = {**dict.fromkeys(UNREAD, Severity.ERROR), **dict.fromkeys(UNUSABLE, Severity.WARNING)}
        severity = grave.get(problem.code)
        return problem if severity is None else replace(problem, severity=severity)

    def note(self, event: ImageSet | Problem) -> ImageSet | Problem:
        """Weigh and count the problems inside a document; return the event as it is to be told."""
        if isinstance(event, Problem):
            weighed = self.weigh_inside(event)
            self.add_problem(weighed)
            return weighed
        problems = tuple(map(self.weigh_inside, event.problems))
        for each in problems:
            self.add_problem(each)
        return replace(event, problems=problems) if problems else event

    def summary(self, *, seconds: float, options: JobOptions, interrupted: bool = False) -> Summary:
        """Freeze the totals. An interrupted run exits 130 and says how many variants it did not reach."""
        code = exit_code(
            dict(self.statuses) if self.counts_items else {},
            dict(self.findings),
            fail_on=options.fail_on,
            failed_inputs=self.failed_inputs,
        )
        if (options.fail_empty or self.unusable) and not self.planned.variants:
            code = 1  # images were found, and not one could be looked at: that is no success
        if self.unread and not self.planned.documents:
            code = 2  # no INPUT at all could be read: the same as one that is missing
        return Summary(
            documents=self.planned.documents,
            sets=self.planned.sets,
            variants=self.planned.variants,
            statuses=dict(sorted(self.statuses.items())),
            findings=dict(sorted(self.findings.items())),
            problems=self.problems,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            bytes_saved=self.bytes_saved,
            bytes_unchanged=self.bytes_unchanged,
            known=self.known,
            suppressed=self.suppressed,
            kinds=tuple(sorted(self.kinds)),
            seconds=seconds,
            left=max(0, self.planned.variants - self.statuses.total()) if interrupted else 0,
            exit_code=130 if interrupted else code,
        )


FailOn = Literal["error", "warning", "never"]


def exit_code(statuses: dict[str, int], findings: dict[str, int], *, fail_on: FailOn, failed_inputs: int) -> int:
    """Return 1 when an item failed or was rejected or a finding is as grave as ``fail_on``, else 0."""
    if statuses.get("failed") or statuses.get("rejected") or failed_inputs:
        return 1
    grave = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    return int(any(findings.get(severity) for severity in grave))

"""A run's totals: what is told is counted here, and how the run ends follows from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Literal

from mediamirror.first_use import dataclass, replace
from mediamirror.model import (
    Event,
    Finding,
    ImageSet,
    Outcome,
    Planned,
    Problem,
    Rendered,
    Severity,
    Status,
    Summary,
    Suppressed,
)
from mediamirror.settings import JobOptions

Emit = Callable[[Event], None]
"""Called with each event of a job, in order; must not block."""


def nobody_listens(event: Event) -> None:
    """Take an event and do nothing."""
    del event


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
    """Running totals of what is told to ``emit``; `summary` freezes them."""

    emit: Emit = nobody_listens
    started: float = field(default_factory=time.monotonic)
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

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    def tell(self, event: Event) -> None:
        """Count an event, and tell it. A problem of severity ``error`` makes the run fail."""
        match event:
            case Outcome():
                self._add(event)
            case Finding():
                self.add_finding(event)
            case Problem():
                self._add_problem(event)
            case Suppressed():
                self.suppressed += 1
            case Planned():
                self.planned = event
        self.emit(event)

    def tell_all(self, events: Iterable[Event]) -> None:
        """Tell them one after another."""
        for event in events:
            self.tell(event)

    def _add(self, outcome: Outcome) -> None:
        self.statuses[outcome.status.value] += 1
        self.findings.update(finding.severity.value for finding in outcome.findings)
        self.bytes_in += outcome.fetched_bytes
        self.bytes_unchanged += outcome.fetched_bytes if outcome.status is Status.UNCHANGED else 0
        self.bytes_out += outcome.sent_bytes

    def add_finding(self, finding: Finding) -> None:
        """Count one finding that belongs to no outcome."""
        self.findings[finding.severity.value] += 1

    def _add_problem(self, problem: Problem) -> None:
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

    def tell_found(self, event: ImageSet | Problem) -> None:
        """Tell what was found in a document; its problems, or those of the set, are weighed and counted."""
        if isinstance(event, Problem):
            self.tell(self.weigh_inside(event))
        else:
            self.tell_set(event, tuple(map(self.weigh_inside, event.problems)))

    def tell_passed(self, count: int) -> None:
        """Tell how many image sets there are of which nothing else is told."""
        self.emit(Rendered("", count, frozenset()))

    def tell_rendered(self, rendered: Rendered) -> None:
        """Tell image sets that are rendered already; their problems are weighed and counted."""
        for each in rendered.problems:
            self._add_problem(self.weigh_inside(each))
        self.emit(rendered)

    def tell_set(self, image_set: ImageSet, problems: tuple[Problem, ...]) -> None:
        """Tell a set with these problems, which are counted."""
        for each in problems:
            self._add_problem(each)
        self.emit(image_set if problems == image_set.problems else replace(image_set, problems=problems))

    def summary(self, options: JobOptions, *, interrupted: bool) -> Summary:
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
            seconds=self.seconds,
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

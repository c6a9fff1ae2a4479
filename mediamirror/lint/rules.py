"""The registry of lint rules. A rule is one function; the docs and ``mediamirror rules`` are made from what stands beside it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mediamirror.errors import ImageError, UsageError
from mediamirror.lint.tolerance import Tolerance
from mediamirror.model import Download, Finding, ImageFacts, Reference, Severity, Variant


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule looks at: one variant, how it was served, and what its bytes turned out to be.

    ``known_widths`` are the width descriptors of the image sets that name the variant, its own among them.
    """

    variant: Variant
    download: Download
    result: ImageFacts | ImageError
    tolerance: Tolerance
    known_widths: frozenset[int]

    @property
    def facts(self) -> ImageFacts | None:
        """The facts, when the bytes are an image."""
        return None if isinstance(self.result, ImageError) else self.result

    @property
    def reference(self) -> Reference | None:
        """Where the variant was named first."""
        return self.variant.promises[0].reference if self.variant.promises else None


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule function yields: the sentence, the two values that disagree, and who made the promise."""

    message: str
    declared: str | None = None
    actual: str | None = None
    reference: Reference | None = None


Check = Callable[[Subject], Iterator[Violation]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: ``code`` and ``name`` are stable. ``rejects`` means that the image is not published."""

    code: str
    name: str
    severity: Severity
    rejects: bool
    summary: str
    why: str
    fix: str
    check: Check

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Run the rule."""
        for found in self.check(subject):
            yield Finding(
                rule=self.code,
                severity=self.severity,
                message=found.message,
                url=subject.variant.url,
                reference=found.reference or subject.reference,
                declared=found.declared,
                actual=found.actual,
            )


class Registry:
    """Rules by code, in the order of their codes."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def add(
        self, code: str, name: str, severity: Severity, *, rejects: bool = False, summary: str, why: str, fix: str
    ) -> Callable[[Check], Check]:
        """Register the decorated function as the check of a rule."""

        def register(check: Check) -> Check:
            if code in self._rules:
                raise ValueError(f"two rules with code {code}")
            self._rules[code] = Rule(code, name, severity, rejects, summary, why, fix, check)
            return check

        return register

    def all(self) -> tuple[Rule, ...]:
        """Every rule, by code."""
        return tuple(self._rules[code] for code in sorted(self._rules))

    def get(self, code: str) -> Rule:
        """The rule of a code or a name, in any case. Raises `UsageError` that names the nearest one."""
        wanted = code.strip().lower()
        for rule in self._rules.values():
            if wanted in (rule.code.lower(), rule.name):
                return rule
        names = [word for rule in self.all() for word in (rule.code.lower(), rule.name)]
        near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
        hint = (
            f"did you mean {self.get(near[0]).code} ({self.get(near[0]).name})?" if near else "see `mediamirror rules`."
        )
        raise UsageError(f"There is no rule {code!r}: {hint}")


RULES = Registry()

"""The registry of lint rules. A rule is one function; the docs and ``mediamirror rules`` are made from what stands beside it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mediamirror.errors import FetchError, ImageError, UsageError
from mediamirror.lint.subject import SetSubject
from mediamirror.lint.tolerance import Tolerance
from mediamirror.lint.unread import unread_kind
from mediamirror.model import Download, Facts, Finding, ImageFacts, Look, OpaqueFacts, Reference, Severity, Variant


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule looks at: one variant, how it was served, and what its bytes turned out to be.

    ``download`` is None for a file that was read from a disk, and for one that could not be fetched. ``known_widths`` are
    the width descriptors of the image sets that name the variant, its own among them.
    """

    variant: Variant
    download: Download | None
    result: Facts | ImageError | FetchError
    tolerance: Tolerance
    known_widths: frozenset[int]
    look: Look | None = None
    storing: bool = True
    """Whether a mirror asks, which keeps only what it can look into."""

    @property
    def unread(self) -> str | None:
        """The format, when the bytes are a picture as promised of a format that is not read here (an SVG drawing, an icon)."""
        if isinstance(self.result, OpaqueFacts):
            return self.result.format
        return unread_kind(self.variant, self.result, self.download)

    @property
    def facts(self) -> ImageFacts | None:
        """The facts, when the bytes are an image."""
        return self.result if isinstance(self.result, ImageFacts) else None

    @property
    def reference(self) -> Reference | None:
        """Where the variant was named first."""
        return self.variant.promises[0].reference if self.variant.promises else None


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule function yields: the sentence, the two values that disagree, and who made the promise.

    ``url`` is the file concerned, for rules about sets; empty when there is none. ``explains`` are findings, as pairs of rule
    and URL, that this one accounts for: they are not told beside it. ``severity`` is for a lighter case than the rule's.
    """

    message: str
    declared: str | None = None
    actual: str | None = None
    reference: Reference | None = None
    url: str = ""
    explains: frozenset[tuple[str, str]] = frozenset()
    severity: Severity | None = None


Check = Callable[[Subject], Iterator[Violation]]
SetCheck = Callable[[SetSubject], Iterator[Violation]]
AfterCheck = Callable[[SetSubject, Sequence[Finding]], Iterator[Violation]]


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
    limits: str = field(default="", kw_only=True)
    """What it does not find, in Markdown, where that was measured."""

    @property
    def switch_off(self) -> str:
        """How to leave the rule out."""
        return f"--ignore {self.code}"

    def finding(self, found: Violation, *, url: str, reference: Reference | None) -> Finding:
        """Make the finding of a violation that concerns ``url``, named at ``reference`` unless it says another place."""
        place = found.reference or reference
        return Finding(
            self.code, found.severity or self.severity, found.message, url, place, found.declared, found.actual
        )


@dataclass(frozen=True, slots=True)
class VariantRule(Rule):
    """A rule about one variant. ``verify_only``: `mirror`, which asks only whether the bytes are as promised, leaves it out."""

    check: Check
    verify_only: bool = False

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Run the rule."""
        for found in self.check(subject):
            yield self.finding(found, url=subject.variant.url, reference=subject.reference)


@dataclass(frozen=True, slots=True)
class SetRule(Rule):
    """A rule about an image set as a whole: its markup, and its variants beside each other."""

    check: SetCheck


@dataclass(frozen=True, slots=True)
class AfterRule(Rule):
    """A rule about a set and what the other rules found in it."""

    check: AfterCheck


@dataclass(frozen=True, slots=True)
class StoredRule(Rule):
    """A rule about a mirror (`lint.stored`), and which kind of its things it is about."""

    check: Callable[[Any], Iterator[Violation]]
    about: Literal["object", "set", "source"] = "object"


_MISREAD = str.maketrans("oil", "011")
"""Letters that are typed for digits."""


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


class Registry:
    """Rules by code, in the order of their codes."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def add(
        self,
        code: str,
        name: str,
        severity: Severity,
        *,
        summary: str,
        why: str,
        fix: str,
        rejects: bool = False,
        verify_only: bool = False,
    ) -> Callable[[Check], Check]:
        """Register the decorated function as the check of a rule about one variant."""

        def register(check: Check) -> Check:
            self._put(VariantRule(code, name, severity, rejects, summary, why, fix, check, verify_only))
            return check

        return register

    def add_set(
        self, code: str, name: str, severity: Severity, *, summary: str, why: str, fix: str, limits: str = ""
    ) -> Callable[[SetCheck], SetCheck]:
        """Register the decorated function as the check of a rule about a set."""

        def register(check: SetCheck) -> SetCheck:
            self._put(SetRule(code, name, severity, False, summary, why, fix, check, limits=limits))
            return check

        return register

    def add_after(
        self, code: str, name: str, severity: Severity, *, summary: str, why: str, fix: str
    ) -> Callable[[AfterCheck], AfterCheck]:
        """Register the decorated function as the check of a rule about what the other rules found."""

        def register(check: AfterCheck) -> AfterCheck:
            self._put(AfterRule(code, name, severity, False, summary, why, fix, check))
            return check

        return register

    def add_stored(
        self,
        code: str,
        name: str,
        severity: Severity,
        *,
        summary: str,
        why: str,
        fix: str,
        about: Literal["object", "set", "source"] = "object",
    ) -> Callable[[Callable[[Any], Iterator[Violation]]], Callable[[Any], Iterator[Violation]]]:
        """Register the decorated function as the check of a rule about a mirror."""

        def register(check: Callable[[Any], Iterator[Violation]]) -> Callable[[Any], Iterator[Violation]]:
            self._put(StoredRule(code, name, severity, False, summary, why, fix, check, about))
            return check

        return register

    def _put(self, rule: Rule) -> None:
        if rule.code in self._rules:
            raise ValueError(f"two rules with code {rule.code}")
        self._rules[rule.code] = rule

    def all(self) -> tuple[Rule, ...]:
        """Every rule, by code."""
        return tuple(self._rules[code] for code in sorted(self._rules))

    def get(self, code: str) -> Rule:
        """The rule of a code or a name, in any case. Raises `UsageError` that names the nearest one."""
        wanted = code.strip().lower()
        for rule in self._rules.values():
            if wanted in (rule.code.lower(), rule.name):
                return rule
        raise self._unknown(code)

    def matching(self, word: str) -> tuple[frozenset[str], int]:
        """The codes that a code, a name or the beginning of a code means, and how exact it is (its length).

        Raises `UsageError` that names the nearest rule when there is none.
        """
        wanted = word.strip().lower()
        exact = next((rule.code for rule in self._rules.values() if wanted in (rule.code.lower(), rule.name)), None)
        if exact is not None:
            return frozenset({exact}), len(exact)
        found = frozenset(code for code in self._rules if wanted and code.lower().startswith(wanted))
        if not found:
            raise self._unknown(word)
        return found, len(wanted)

    def _unknown(self, code: str) -> UsageError:
        by_word = {word: rule for rule in self.all() for word in (rule.code.lower(), rule.name)}
        word = code.strip().lower()
        typed = word.translate(_MISREAD)
        near = [typed] if typed in by_word else difflib.get_close_matches(word, by_word, n=8, cutoff=0.5)
        # Of equally near codes the one that begins the same: whoever wrote MM190 means no pixels.
        best = max(near, key=lambda each: (_ratio(word, each), each[:3] == word[:3]), default=None)
        found = by_word[best] if best is not None else None
        hint = f"did you mean {found.code} ({found.name})?" if found else "see `mediamirror rules`."
        return UsageError(f"There is no rule {code!r}: {hint}")


RULES = Registry()


def choose_codes(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> frozenset[str]:
    """The codes of the rules to run. Words are codes, names or beginnings of codes (``MM3``); nothing selected means all.

    | in select | in ignore | runs |
    |---|---|---|
    | no | whatever | no |
    | yes | no | yes |
    | yes | yes | if the longest word that selects it is longer than the longest that ignores it |

    Raises `UsageError`, with the nearest rule, for a word that means none.
    """
    chosen = _lengths(select) or {rule.code: 0 for rule in RULES.all()}
    ignored = _lengths(ignore)
    return frozenset(code for code, length in chosen.items() if length > ignored.get(code, -1))


BLIND = frozenset({"MM203", "MM207", "MM208", "MM305", "MM306", "MM307", "MM308", "MM501"})
"""Rules that say that a file could not be looked into, so that no other rule could find anything in it."""


def choose_checks(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> frozenset[str]:
    """Like `choose_codes`, and the rules of `BLIND` whatever is selected, unless they are ignored by word.

    Who asks for some rules only is not told that a file passed them which nobody could open. Raises `UsageError`.
    """
    ignore = tuple(ignore)
    return choose_codes(select, ignore) | BLIND - _lengths(ignore).keys()


def _lengths(words: Iterable[str]) -> dict[str, int]:
    """For each code that some word means, the length of the most exact one."""
    lengths: dict[str, int] = {}
    for word in words:
        codes, length = RULES.matching(word)
        lengths.update({code: max(length, lengths.get(code, 0)) for code in codes})
    return lengths

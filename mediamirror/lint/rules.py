"""The lint rules and how they are run. A rule is one function, and an entry in ``rules.toml`` with what people read about it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

from mediamirror.errors import ImageError, UsageError
from mediamirror.first_use import dataclass
from mediamirror.lint.problems import problem_codes
from mediamirror.lint.screens import Browser
from mediamirror.lint.subject import LintOptions, Subject, Tolerance, VariantFacts, Violation, subject_of, variants_of
from mediamirror.model import Download, Facts, Finding, ImageSet, Problem, Reference, Severity, Variant

About = Literal["file", "set", "findings", "object", "stored set", "source"]
"""What the check of a rule is given.

| about | given |
|---|---|
| file | a `Subject`: one variant, how it was served and what its bytes are |
| set | a `SetSubject`: an image set, its markup and its variants beside each other |
| findings | a `SetSubject` and what the other rules found in it |
| object, stored set, source | what `verify --mirror` looks at (`lint.stored`) |
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What people read about a rule; ``rules.toml`` says what each is."""

    summary: str
    why: str
    fix: str
    bad: str
    good: str
    bad_files: Mapping[str, str] = field(default_factory=dict)
    good_files: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    limits: str = ""


@cache
def _texts() -> Mapping[str, Mapping[str, Any]]:
    # Read when somebody asks: a run that finds nothing needs none of it.
    return tomllib.loads(files("mediamirror.lint").joinpath("rules.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``code`` and ``name`` are stable.

    ``rejects``: `mirror` does not publish the image. ``verify_only``: `mirror`, which asks only whether the bytes are as promised,
    leaves the rule out.
    """

    code: str
    name: str
    severity: Severity
    check: Callable[..., Iterator[Violation]]
    about: About
    rejects: bool = False
    verify_only: bool = False

    @property
    def words(self) -> Words:
        """What people read about it."""
        return Words(**_texts()[self.code])

    def finding(self, found: Violation, *, url: str, reference: Reference | None) -> Finding:
        """Make the finding of a violation that concerns ``url``, named at ``reference`` unless it says another place."""
        place = found.reference or reference
        return Finding(
            self.code, found.severity or self.severity, found.message, url, place, found.declared, found.actual
        )


_RULES: dict[str, Rule] = {}
_Check = TypeVar("_Check", bound=Callable[..., Iterator[Violation]])


def rule(
    code: str, name: str, severity: Severity, *, about: About = "set", rejects: bool = False, verify_only: bool = False
) -> Callable[[_Check], _Check]:
    """Register the decorated function as the check of a rule; the parameters are those of `Rule`. Its words go to ``rules.toml``."""

    def register(check: _Check) -> _Check:
        if code in _RULES:
            raise ValueError(f"two rules with code {code}")
        _RULES[code] = Rule(code, name, severity, check, about, rejects, verify_only)
        return check

    return register


def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    return tuple(_RULES[code] for code in sorted(_RULES))


def get_rule(code: str) -> Rule:
    """The rule of a code (``MM301``) or name, in any case. Raises `UsageError` that names the nearest one."""
    wanted = code.strip().lower()
    found = next((each for each in _RULES.values() if wanted in (each.code.lower(), each.name)), None)
    if found is None:
        raise _unknown(code)
    return found


def matching(word: str) -> tuple[frozenset[str], int]:
    """The codes that a code, a name or the beginning of a code means, and how exact it is (its length).

    A problem whose code is the name of a rule goes with that rule. Raises `UsageError` that names the nearest rule when there
    is none.
    """
    wanted = word.strip().lower()
    exact = [each for each in _RULES.values() if wanted in (each.code.lower(), each.name)]
    found = exact or [each for code, each in _RULES.items() if wanted and code.lower().startswith(wanted)]
    codes = {each.code for each in found} | ({wanted, *(each.name for each in found)} & problem_codes())
    if not codes:
        raise _unknown(word)
    return frozenset(codes), len(exact[0].code if exact else wanted)


_MISREAD = str.maketrans("oil", "011")
"""Letters that are typed for digits."""


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _unknown(code: str) -> UsageError:
    by_word = dict.fromkeys(problem_codes(), "")
    by_word |= {word: f"{each.code} ({each.name})" for each in all_rules() for word in (each.code.lower(), each.name)}
    word = code.strip().lower()
    typed = word.translate(_MISREAD)
    near = [typed] if typed in by_word else difflib.get_close_matches(word, by_word, n=8, cutoff=0.5)
    # Of equally near codes the one that begins the same: whoever wrote MM190 means no pixels.
    best = max(near, key=lambda each: (_ratio(word, each), each[:3] == word[:3]), default=None)
    hint = f"did you mean {by_word[best] or best}?" if best is not None else "see `mediamirror rules`."
    return UsageError(f"There is no rule {code!r}: {hint}")


def choose_codes(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> frozenset[str]:
    """The codes of the rules to run. Words are codes, names or beginnings of codes (``MM3``); nothing selected means all.

    | in select | in ignore | runs |
    |---|---|---|
    | no | whatever | no |
    | yes | no | yes |
    | yes | yes | if the longest word that selects it is longer than the longest that ignores it |

    Raises `UsageError`, with the nearest rule, for a word that means none.
    """
    return frozenset(code for code, runs in _choice(select, ignore).items() if runs and code in _RULES)


def choose_problems(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Callable[[Problem], bool]:
    """Return what says whether a problem is told, by the table of `choose_codes`.

    What keeps images from being looked at is told whatever is selected, unless its code is ignored. Raises `UsageError`.
    """
    select, ignore = tuple(select), tuple(ignore)
    chosen, ignored = _choice(select, ignore), _lengths(ignore)

    def tells(problem: Problem) -> bool:
        grave = problem.severity is not Severity.NOTE and problem.code not in ignored
        return grave or chosen.get(problem.code, not select)

    return tells


def _choice(select: Iterable[str], ignore: Iterable[str]) -> dict[str, bool]:
    """Whether each code that the words mean is chosen; without words to select, every code."""
    chosen = _lengths(select) or dict.fromkeys([*_RULES, *problem_codes()], 0)
    ignored = _lengths(ignore)
    return {code: length > ignored.get(code, -1) for code, length in chosen.items()}


BLIND = frozenset({"MM203", "MM207", "MM208", "MM305", "MM306", "MM307", "MM308", "MM501"})
"""Rules that say that a file could not be looked into, so that no other rule could find anything in it."""


def choose_checks(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> frozenset[str]:
    """Like `choose_codes`, and the rules of `BLIND` whatever is selected, unless they are ignored by word.

    Who asks for some rules only is not told that a file passed them which nobody could open. Raises `UsageError`.
    """
    ignore = tuple(ignore)
    return choose_codes(select, ignore) | BLIND - _lengths(ignore).keys()


_DECODED = frozenset({"MM311", "MM312", "MM316", "MM317"})
"""Rules that ask for the pixels themselves."""


def refuse_unable(select: Iterable[str], **given: bool) -> None:
    """Raise `UsageError` for a word that selects only rules which can't find anything: their silence would look like praise.

    ``given`` says what there is: ``pages`` (else a mirror), ``decode``, ``ladder``, ``estimate``, ``source``.
    """
    for word in select:
        codes = matching(word)[0] & _RULES.keys()
        reasons = {code: why for code in codes if (why := _lack(_RULES[code], given))}
        if codes and codes == reasons.keys():
            code, why = min(reasons.items())
            raise UsageError(f"--select {word}: {code} can find nothing here, since it {why}.")


def _lack(rule: Rule, given: Mapping[str, bool]) -> str:
    of_mirror = rule.about in ("object", "stored set", "source")
    if of_mirror == given.get("pages", False):
        return (
            "is about a mirror: give verify --mirror DEST"
            if of_mirror
            else "is about pages: give INPUTs, and no --mirror"
        )
    lacks = {
        "needs every pixel: omit --check header": rule.code in _DECODED and not given.get("decode"),
        "needs --ladder WIDTHS": rule.code == "MM401" and not given.get("ladder"),
        "needs --estimate": rule.code == "MM406" and not given.get("estimate"),
        "asks the origins: give --source": rule.about == "source" and not given.get("source"),
    }
    return next((why for why, lacking in lacks.items() if lacking), "")


def _lengths(words: Iterable[str]) -> dict[str, int]:
    """For each code that some word means, the length of the most exact one."""
    lengths: dict[str, int] = {}
    for word in words:
        codes, length = matching(word)
        lengths.update({code: max(length, lengths.get(code, 0)) for code in codes})
    return lengths


@cache
def _promise_rules() -> tuple[Rule, ...]:
    # Asked for each variant of a mirror; the registry is filled once, on import.
    return tuple(each for each in all_rules() if each.about == "file" and not each.verify_only)


def check_variant(
    variant: Variant,
    download: Download,
    result: Facts | ImageError,
    *,
    tolerance: Tolerance,
    known_widths: Iterable[int] = (),
    true_ending: bool = False,
) -> tuple[Finding, ...]:
    """Run the rules on one variant that tell whether its bytes are as promised; findings come in the order of their codes.

    ``result`` is what the bytes are, or why they are no sound image. ``known_widths`` are width descriptors of the variant's
    siblings in its image sets; they make a width tag of a bare number in the file name (``name_480.webp``). ``true_ending`` says
    that the file is stored under a name that ends as its bytes are.
    """
    widths = frozenset(known_widths) | frozenset(variant.declared_widths)
    subject = Subject(variant, download, result, tolerance, widths, true_ending=true_ending)
    return tuple(finding for each in _promise_rules() for finding in _found(each, subject))


def check_set(
    image_set: ImageSet, facts: Mapping[str, VariantFacts], options: LintOptions, *, browser: Browser
) -> tuple[Finding, ...]:
    """Run every chosen rule on an image set and each of its variants; findings come in the order of their codes.

    ``facts`` is what is known of the files, by URL; a URL that is missing there was not looked at, and nothing is said of its
    bytes. What one finding explains is not told by another: a generator that never upscales is one finding for the set.
    """
    chosen = [each for each in all_rules() if each.code in options.codes]
    told: list[Finding] = []
    explained: set[tuple[str, str]] = set()
    subject = subject_of(image_set, facts, options, browser)
    variants = list(_subjects(image_set, facts, options))
    for each in chosen:
        if each.about == "file":
            told.extend(finding for variant in variants for finding in _found(each, variant))
        elif each.about == "set":
            for found in each.check(subject):
                told.append(each.finding(found, url=found.url, reference=_place(image_set, found.url)))
                explained |= found.explains
    kept = [finding for finding in told if (finding.rule, finding.url) not in explained]
    stands = [finding for finding in dict.fromkeys(kept) if not _repeated(finding, kept)]
    for each in chosen:
        if each.about == "findings":
            late = [each.finding(v, url=v.url, reference=_place(image_set, v.url)) for v in each.check(subject, stands)]
            stands.extend(late)
    return tuple(stands)


def _found(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for found in rule.check(subject):
        yield rule.finding(found, url=subject.variant.url, reference=subject.reference)


def _subjects(image_set: ImageSet, facts: Mapping[str, VariantFacts], options: LintOptions) -> Iterable[Subject]:
    variants = tuple(variants_of(image_set))
    widths = frozenset(width for variant in variants for width in variant.declared_widths)
    for variant in variants:
        known = facts.get(variant.url)
        if known is not None:
            yield Subject(
                variant, known.download, known.result, options.tolerance, widths, known.look, False, siblings=variants
            )


def _place(image_set: ImageSet, url: str) -> Reference:
    """Where a URL of the set was named first; the set's own place for none."""
    named = (c.reference for c in image_set.candidates if c.reference is not None and c.url == url)
    first = next((c.reference for c in image_set.candidates if c.reference is not None), None)
    carrier = first.carrier if first else image_set.sources[0].carrier if image_set.sources else ""
    return next(named, None) or Reference(image_set.document, carrier, None, image_set.line)


def _repeated(finding: Finding, others: Iterable[Finding]) -> bool:
    """Whether the width in the name only repeats the descriptor's, which has its finding."""
    return finding.rule == "MM302" and any(
        (other.rule, other.url, other.declared) == ("MM301", finding.url, finding.declared) for other in others
    )


def rejects(finding: Finding) -> bool:
    """Whether the finding's rule keeps the image from being published. Raises `UsageError` for an unknown rule."""
    return get_rule(finding.rule).rejects

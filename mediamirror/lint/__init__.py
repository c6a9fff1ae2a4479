"""Facts and expectations to findings. Pure; one function per rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from mediamirror.errors import ImageError
from mediamirror.lint import caching as _caching
from mediamirror.lint import ladder as _ladder
from mediamirror.lint import markup as _markup
from mediamirror.lint import pictures as _pictures
from mediamirror.lint import pixels as _pixels
from mediamirror.lint import privacy as _privacy
from mediamirror.lint import sizes as _sizes
from mediamirror.lint import sources as _sources
from mediamirror.lint import stored as _stored
from mediamirror.lint import stored_sets as _mirrored
from mediamirror.lint import suppress as _suppress
from mediamirror.lint import transport as _transport
from mediamirror.lint import upscaling as _upscaling
from mediamirror.lint import weight as _weight
from mediamirror.lint.rules import RULES, AfterRule, Rule, SetRule, Subject, VariantRule, choose_checks, choose_codes
from mediamirror.lint.screens import DEVICES, Browser, Screen, parse_screen
from mediamirror.lint.subject import (
    LintOptions,
    VariantFacts,
    lint_options,
    lone,
    parse_ladder,
    subject_of,
    variants_of,
)
from mediamirror.lint.tolerance import Tolerance, parse_tolerance
from mediamirror.lint.unread import unread_kind
from mediamirror.model import Download, Facts, Finding, ImageSet, Reference, Variant

__all__ = [
    "DEVICES",
    "Browser",
    "LintOptions",
    "Rule",
    "Screen",
    "Tolerance",
    "VariantFacts",
    "all_rules",
    "check_set",
    "check_variant",
    "choose_checks",
    "choose_codes",
    "get_rule",
    "lint_options",
    "lone",
    "parse_ladder",
    "parse_screen",
    "parse_tolerance",
    "rejects",
    "unread_kind",
    "variants_of",
]

# Importing them is what fills the registry.
_FAMILIES = (
    _caching,
    _ladder,
    _markup,
    _mirrored,
    _pictures,
    _pixels,
    _privacy,
    _sizes,
    _sources,
    _stored,
    _suppress,
    _transport,
    _upscaling,
    _weight,
)


@cache
def _promise_rules() -> tuple[VariantRule, ...]:
    # Asked for each variant of a mirror; the registry is filled once, on import.
    return tuple(rule for rule in RULES.all() if isinstance(rule, VariantRule) and not rule.verify_only)


def check_variant(
    variant: Variant,
    download: Download,
    result: Facts | ImageError,
    *,
    tolerance: Tolerance,
    known_widths: Iterable[int] = (),
) -> tuple[Finding, ...]:
    """Run the rules on one variant that tell whether its bytes are as promised; findings come in the order of their codes.

    ``result`` is what the bytes are, or why they are no sound image. ``known_widths`` are width descriptors of the variant's
    siblings in its image sets; they make a width tag of a bare number in the file name (``name_480.webp``).
    """
    widths = frozenset(known_widths) | frozenset(variant.declared_widths)
    subject = Subject(variant, download, result, tolerance, widths)
    return tuple(finding for rule in _promise_rules() for finding in rule.findings(subject))


def check_set(
    image_set: ImageSet, facts: Mapping[str, VariantFacts], options: LintOptions, *, browser: Browser
) -> tuple[Finding, ...]:
    """Run every chosen rule on an image set and each of its variants; findings come in the order of their codes.

    ``facts`` is what is known of the files, by URL; a URL that is missing there was not looked at, and nothing is said of its
    bytes. What one finding explains is not told by another: a generator that never upscales is one finding for the set.
    """
    told: list[Finding] = []
    explained: set[tuple[str, str]] = set()
    subject = subject_of(image_set, facts, options, browser)
    variants = list(_subjects(image_set, facts, options))
    for rule in RULES.all():
        if rule.code not in options.codes:
            continue
        if isinstance(rule, VariantRule):
            told.extend(finding for each in variants for finding in rule.findings(each))
        elif isinstance(rule, SetRule):
            for found in rule.check(subject):
                told.append(rule.finding(found, url=found.url, reference=_place(image_set, found.url)))
                explained |= found.explains
    kept = [finding for finding in told if (finding.rule, finding.url) not in explained]
    stands = [finding for finding in dict.fromkeys(kept) if not _repeated(finding, kept)]
    for rule in RULES.all():
        if isinstance(rule, AfterRule) and rule.code in options.codes:
            late = [rule.finding(v, url=v.url, reference=_place(image_set, v.url)) for v in rule.check(subject, stands)]
            stands.extend(late)
    return tuple(stands)


def _subjects(image_set: ImageSet, facts: Mapping[str, VariantFacts], options: LintOptions) -> Iterable[Subject]:
    variants = variants_of(image_set)
    widths = frozenset(width for variant in variants for width in variant.declared_widths)
    for variant in variants:
        known = facts.get(variant.url)
        if known is not None:
            yield Subject(variant, known.download, known.result, options.tolerance, widths, known.look, storing=False)


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


def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    return RULES.all()


def get_rule(code: str) -> Rule:
    """The rule of a code (``MM301``) or name, in any case. Raises `UsageError` that names the nearest one."""
    return RULES.get(code)

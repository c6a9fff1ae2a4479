"""Facts and expectations to findings. Pure; one function per rule."""

from __future__ import annotations

from collections.abc import Iterable

from mediamirror.errors import ImageError
from mediamirror.lint import pixels as _pixels
from mediamirror.lint import transport as _transport
from mediamirror.lint.rules import RULES, Rule, Subject
from mediamirror.lint.tolerance import Tolerance, parse_tolerance
from mediamirror.model import Download, Finding, ImageFacts, Variant

__all__ = ["Rule", "Tolerance", "all_rules", "check_variant", "get_rule", "parse_tolerance", "rejects"]

_FAMILIES = (_transport, _pixels)  # Importing them is what fills the registry.


def check_variant(
    variant: Variant,
    download: Download,
    result: ImageFacts | ImageError,
    *,
    tolerance: Tolerance,
    known_widths: Iterable[int] = (),
) -> tuple[Finding, ...]:
    """Run every rule on one variant; findings come in the order of their codes.

    ``result`` is what the bytes are, or why they are no sound image. ``known_widths`` are width descriptors of the variant's
    siblings in its image sets; they make a width tag of a bare number in the file name (``name_480.webp``).
    """
    widths = frozenset(known_widths) | frozenset(variant.declared_widths)
    subject = Subject(variant, download, result, tolerance, widths)
    return tuple(finding for rule in RULES.all() for finding in rule.findings(subject))


def rejects(finding: Finding) -> bool:
    """Whether the finding's rule keeps the image from being published. Raises `UsageError` for an unknown rule."""
    return get_rule(finding.rule).rejects


def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    return RULES.all()


def get_rule(code: str) -> Rule:
    """The rule of a code (``MM301``) or name, in any case. Raises `UsageError` that names the nearest one."""
    return RULES.get(code)

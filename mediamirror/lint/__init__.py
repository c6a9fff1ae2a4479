"""Facts and expectations to findings. Pure; one function per rule.

The modules of rules are imported here for what that does: it fills the registry of `rules`.
"""

from __future__ import annotations

from mediamirror.lint import ladder, markup, pictures, sources, stored, suppress, upscaling, variant  # noqa: F401
from mediamirror.lint.markup import told_by_a_rule
from mediamirror.lint.pictures import same_shape
from mediamirror.lint.rules import (
    Rule,
    all_rules,
    check_set,
    check_variant,
    choose_checks,
    choose_codes,
    choose_problems,
    get_rule,
    refuse_unable,
    rejects,
)
from mediamirror.lint.screens import DEVICES, Browser, Screen, parse_screen
from mediamirror.lint.subject import (
    LintOptions,
    Tolerance,
    VariantFacts,
    lint_options,
    lone,
    parse_ladder,
    parse_tolerance,
    unread_kind,
    variants_of,
)

__all__ = [
    "DEVICES", "Browser", "LintOptions", "Rule", "Screen", "Tolerance", "VariantFacts", "all_rules", "check_set",
    "check_variant", "choose_checks", "choose_codes", "choose_problems", "get_rule", "lint_options", "lone",
    "parse_ladder", "parse_screen", "parse_tolerance", "refuse_unable", "rejects", "same_shape", "told_by_a_rule",
    "unread_kind", "variants_of",
]  # fmt: skip

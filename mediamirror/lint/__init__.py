"""Facts and expectations to findings. Pure; one function per rule."""

from __future__ import annotations

from mediamirror.lint import ladder as _ladder
from mediamirror.lint import markup as _markup
from mediamirror.lint import pictures as _pictures
from mediamirror.lint import pixels as _pixels
from mediamirror.lint import sources as _sources
from mediamirror.lint import stored as _stored
from mediamirror.lint import suppress as _suppress
from mediamirror.lint import transport as _transport
from mediamirror.lint import upscaling as _upscaling
from mediamirror.lint.markup import told_by_a_rule
from mediamirror.lint.names import unread_kind
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
    variants_of,
)

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
    "choose_problems",
    "get_rule",
    "lint_options",
    "lone",
    "parse_ladder",
    "parse_screen",
    "parse_tolerance",
    "refuse_unable",
    "rejects",
    "same_shape",
    "told_by_a_rule",
    "unread_kind",
    "variants_of",
]

# Importing them is what fills the registry.
_FAMILIES = (
    _ladder,
    _markup,
    _pictures,
    _pixels,
    _sources,
    _stored,
    _suppress,
    _transport,
    _upscaling,
)

"""MM205 and MM206: what the origin tells caches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mediamirror.lint.rules import RULES, Subject, Violation
from mediamirror.model import Severity

_NEVER_KEPT = re.compile(r"(?:^|[\s,])(?:no-store|max-age\s*=\s*\"?0+\"?(?![0-9]))", re.IGNORECASE)


@RULES.add(
    "MM205",
    "caching-unspecified",
    Severity.NOTE,
    verify_only=True,
    summary="The origin says nothing about how long the image may be kept.",
    why="Each browser and cache guesses for itself, and many ask again on every visit.",
    fix="Send Cache-Control with a max-age; a year and immutable where a changed image gets a new name.",
)
def caching_unspecified(subject: Subject) -> Iterator[Violation]:
    """Fire when there is neither Cache-Control nor Expires."""
    download = subject.download
    if download is None or subject.facts is None:
        return
    if download.header("cache-control") is None and download.header("expires") is None:
        yield Violation("Served without Cache-Control and Expires.", None, "no caching headers")


@RULES.add(
    "MM206",
    "caching-refused",
    Severity.NOTE,
    verify_only=True,
    summary="The origin forbids caches to keep the image.",
    why="Each visit loads it again: slower for readers, dearer for you.",
    fix="Allow caching (Cache-Control: max-age=…); forbid it only for pictures that belong to one person.",
)
def caching_refused(subject: Subject) -> Iterator[Violation]:
    """Fire for ``no-store`` and for a ``max-age`` of zero without leave for shared caches, and for an old-style ``no-cache``."""
    download = subject.download
    if download is None or subject.facts is None:
        return
    control = ", ".join(value for name, value in download.headers if name == "cache-control")
    pragma = download.header("pragma") or ""
    if _NEVER_KEPT.search(control) and "s-maxage" not in control.lower():
        yield Violation(f"Served with Cache-Control: {control[:200]}.", None, control[:200])
    elif not control and "no-cache" in pragma.lower():
        yield Violation(f"Served with Pragma: {pragma[:200]}.", None, pragma[:200])

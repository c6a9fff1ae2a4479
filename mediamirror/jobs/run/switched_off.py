"""What ``[[verify.per-path]]`` of a config file switches off, for pages and for what a mirror holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mediamirror.errors import UsageError
from mediamirror.first_use import replace
from mediamirror.lint import suppress
from mediamirror.lint.suppress import PathSuppression, Suppression
from mediamirror.model import Finding, ImageSet, Problem, Reference, Suppressed
from mediamirror.settings import PerPath


class SwitchedOff:
    """The entries of the config files of a run. Raises `UsageError` for one that names no rule, at once."""

    def __init__(self, per_path: Sequence[PerPath], *, root: Path | None = None) -> None:
        self._entries = tuple(map(_entry, per_path))
        self._bases = [
            Path(os.path.realpath(base))
            for base in (root, *(each.config.parent for each in per_path))
            if base is not None
        ]

    def in_page(self, image_set: ImageSet, findings: Sequence[Finding]) -> tuple[list[Finding], list[Suppressed]]:
        """Part the findings of a set into those that stand and those that the page or a config file switches off."""
        return suppress.apply(image_set, findings, self._entries, self._names(image_set.document))

    def in_mirror(self, findings: Sequence[Finding], document: str = "") -> tuple[list[Finding], list[Suppressed]]:
        """The same for findings about objects and sources, and with ``document`` about the sets of a page."""
        return suppress.part(findings, (), self._entries, self._names(document) if document else ())

    def problem(self, image_set: ImageSet, finding: Finding) -> Suppressed | None:
        """The same for a problem, as the finding that it would be: how it is switched off, or None where it is not."""
        _, off = self.in_page(image_set, (finding,))
        return replace(off[0], of_set=False) if off else None

    def _names(self, document: str) -> tuple[str, ...]:
        """What a document is called where paths are switched off: a path by all that it may be relative to."""
        if "://" in document:
            return suppress.url_names(document)
        full = Path(os.path.realpath(document))
        below = (full.relative_to(base) for base in self._bases if full.is_relative_to(base))
        return tuple(dict.fromkeys((document, *(path.as_posix() for path in below))))


def as_finding(problem: Problem) -> Finding:
    """What a problem is where findings are switched off and known: its code in the place of a rule's."""
    place = Reference(problem.document, "", None, problem.line)
    return Finding(problem.code, problem.severity, problem.message, "", place)


def _entry(each: PerPath) -> PathSuppression:
    try:
        codes = suppress.codes_of(each.ignore)
    except UsageError as error:
        raise UsageError(f"{each.config}, [[verify.per-path]]: {error.message}") from None
    suppression = Suppression(codes, each.reason, each.config.name, in_source=False)
    return PathSuppression(suppression, each.path, each.image)

"""MM104 to MM107: the sizes attribute."""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.lint.rules import rule
from mediamirror.lint.screens import ever_matches
from mediamirror.lint.subject import SetSubject, Violation, first_reference, first_url, is_element
from mediamirror.model import Severity, Source

_INVALID = frozenset(
    {
        "empty-source-size",
        "invalid-source-size",
        "invalid-media-condition",
        "unknown-media-condition",
        "unreachable-source-size",
        "sizes-too-long",
    }
)


def is_auto(sizes: str | None) -> bool:
    """Whether a sizes value is ``auto``, or starts with it (HTML, "allows auto-sizes")."""
    return (sizes or "").strip().lower().partition(",")[0].strip() == "auto"


def _with_sizes(subject: SetSubject) -> list[tuple[Source, str]]:
    return [(source, source.sizes) for source in subject.sources() if source.sizes is not None and is_element(source)]


def _too_wide(source: Source) -> frozenset[tuple[str, str]]:
    """That the files are too small for a layout that nobody meant needs no finding of its own."""
    return frozenset(("MM403", candidate.url) for candidate in source.candidates)


@rule("MM104", "width-without-sizes", Severity.WARNING)
def width_without_sizes(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such element."""
    for source in subject.sources():
        widths = [candidate for candidate in source.candidates if candidate.width is not None]
        if widths and subject.browser.sizes_of(subject.image_set, source) is None and is_element(source):
            message = f"The {source.carrier} has width descriptors and no sizes: browsers assume 100vw."
            yield Violation(message, None, "100vw", first_reference(source), widths[0].url)


@rule("MM105", "invalid-sizes", Severity.WARNING)
def invalid_sizes(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each entry that browsers skip, and for each condition that no screen meets."""
    for source, sizes in _with_sizes(subject):
        place, url = first_reference(source), first_url(source)
        problems = [problem for problem in subject.browser.sizes_problems(sizes) if problem.code in _INVALID]
        for problem in problems:
            entry = sizes[slice(*problem.span)].strip() if problem.span else sizes
            yield Violation(problem.message, entry[:200], None, place, url, _too_wide(source))
        unknown = [sizes[slice(*p.span)] for p in problems if p.span and p.code == "unknown-media-condition"]
        for condition in subject.browser.sizes_conditions(sizes):
            if not any(condition in entry for entry in unknown) and not ever_matches(condition, subject.browser):
                message = f"No screen meets the condition `{condition[:120]}` of sizes."
                yield Violation(message, condition[:200], "never true", place, url, _too_wide(source))


@rule("MM106", "sizes-without-default", Severity.NOTE)
def sizes_without_default(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such attribute."""
    for source, sizes in _with_sizes(subject):
        if any(problem.code == "no-default-size" for problem in subject.browser.sizes_problems(sizes)):
            message = "Every entry of sizes has a condition: where none is true, 100vw applies."
            place = first_reference(source)
            yield Violation(message, sizes[:200], "100vw", place, first_url(source), _too_wide(source))


@rule("MM107", "auto-sizes-without-lazy", Severity.WARNING)
def auto_sizes_without_lazy(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each auto that cannot count: that of a ``source`` is governed by its img."""
    img = next((source for source in subject.sources() if source.carrier == "img"), None)
    for source, sizes in _with_sizes(subject):
        owner = img if source.carrier == "source" and img is not None else source
        if is_auto(sizes) and not owner.lazy:
            message = f'sizes="{sizes[:80]}" on a {source.carrier} that is not loaded lazily: auto is ignored.'
            yield Violation(message, "auto", "not lazy", first_reference(source), first_url(source))

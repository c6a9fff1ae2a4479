"""MM401 to MM403: the rungs of a ladder, and whether they reach as far as the layout does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

from mediamirror.lint.rules import RULES, Violation
from mediamirror.lint.screens import DEVICES, Screen
from mediamirror.lint.sizes import is_auto
from mediamirror.lint.subject import Member, SetSubject, first_reference, first_url, is_element
from mediamirror.model import Severity, Source

_FAR = 2.0
"""Ratio of two rungs that needs no rung between them: a doubling is what densities themselves do."""
_WASTE = 24 * 1024
"""Bytes that a step has to waste on average to be worth a file more."""
_DENSE = 2.0
_SLACK = 0.95
"""Share of the pixels wanted that is as good as all of them."""


@RULES.add_set(
    "MM401",
    "missing-rung",
    Severity.ERROR,
    summary="A width that --ladder asks for is not among the candidates.",
    why="The ladder is what you decided that every picture needs; screens in the gap load a larger file, or a blurred one.",
    fix="Make the variant, or take the width out of the ladder.",
)
def missing_rung(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for the set, with every width that some source lacks."""
    missing: list[int] = []
    at: Source | None = None
    for source in subject.sources():
        rows = [member for member in subject.of(source) if member.candidate.width is not None]
        lacking = [width for width in subject.options.ladder if rows and not _has(subject, rows, width)]
        missing += lacking
        at = at or (source if lacking else None)
    if at is not None:
        words = ", ".join(f"{width}w" for width in sorted(set(missing)))
        there = ", ".join(f"{c.width}w" for c in at.candidates if c.width is not None)
        message = f"The ladder asks for {words}, and the candidates are {there}."
        yield Violation(message, words, there, first_reference(at), first_url(at))


def _has(subject: SetSubject, rows: Sequence[Member], width: int) -> bool:
    widths = [real for m in rows for real in (m.candidate.width, m.shown[0] if m.shown else None) if real is not None]
    return any(subject.options.tolerance.allows(width, real) for real in widths)


def _steps(ladder: Sequence[Member]) -> list[tuple[int, int, Member]]:
    """Real width, bytes and member of the rungs that were looked at, one for each width, ascending."""
    rows = {m.facts.width: (m.facts.width, m.size, m) for m in ladder if m.facts is not None and m.size}
    return [rows[width] for width in sorted(rows)]


@RULES.add_set(
    "MM402",
    "steps-too-far-apart",
    Severity.NOTE,
    summary="Two neighbouring rungs are so far apart that screens between them load many bytes in vain.",
    why="A screen that needs a little more than the lower rung loads the upper one whole.",
    fix="Add a rung between them.",
)
def steps_too_far_apart(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each step of more than a doubling that wastes, on average of the widths in it, more than 24 KiB.

    A rung that is declared between the two and could not be fetched, or has another width, has a finding of its own.
    """
    for ladder in subject.ladders():
        for (width, size, _), (next_width, next_size, member) in pairwise(_steps(ladder)):
            waste = (next_size - size) // 2
            declared = any(width < (m.candidate.width or 0) < next_width for m in ladder)
            if next_width > width * _FAR and waste > _WASTE and not declared:
                between = round(sqrt(width * next_width))
                message = (
                    f"Nothing between {width} and {next_width} pixels: a screen in between loads {_kib(waste)} too much "
                    f"on average, and {_kib(next_size - size)} at worst. A rung of about {between}w would halve that."
                )
                step = f"{width}w to {next_width}w"
                yield Violation(message, step, f"{waste} bytes", member.candidate.reference, member.url)


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


@RULES.add_set(
    "MM403",
    "largest-too-small",
    Severity.NOTE,
    summary="The largest candidate is too small for its layout on screens with two device pixels to each CSS pixel.",
    why="On most phones and many laptops the picture is enlarged, and softer than the text around it.",
    fix="Add a rung as wide as twice the widest slot, where the original has the pixels.",
)
def largest_too_small(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each source that chooses by explicit sizes, at the dense screen that lacks most."""
    for source in subject.sources():
        rows = [m for m in subject.of(source) if m.candidate.width is not None]
        if not rows or source.sizes is None or is_auto(source.sizes) or not is_element(source):
            continue
        largest = max(rows, key=_width)
        wanted = [(round(_DENSE * slot), slot, screen) for screen, slot in _slots(subject, source)]
        need, slot, screen = max(wanted, key=lambda row: row[0], default=(0, 0.0, DEVICES[0]))
        if _width(largest) < need * _SLACK:
            message = (
                f"The largest candidate has {_width(largest)} pixels; a slot of {slot:.0f} CSS pixels on a {screen.name} "
                f"({screen}) wants {need}."
            )
            yield Violation(message, f"{need} pixels", str(_width(largest)), largest.candidate.reference, largest.url)


def _width(member: Member) -> int:
    """The real width or the declared one: that the two disagree has a rule of its own."""
    return max(member.shown[0] if member.shown else 0, member.candidate.width or 0)


def _slots(subject: SetSubject, source: Source) -> Iterator[tuple[Screen, float]]:
    """The dense screens on which the source is the one that counts, and its slot there in CSS pixels."""
    for screen in DEVICES:
        if screen.dpr >= _DENSE:
            chosen = subject.browser.select(subject.image_set, screen)
            if any(candidate is chosen for candidate in source.candidates):
                yield screen, subject.browser.source_size(subject.image_set, source, screen)

"""MM4xx: the rungs of a ladder, whether they reach as far as the layout does, and bytes beside pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt
from statistics import median

from mediamirror.lint.rules import rule
from mediamirror.lint.screens import DEVICES, Screen
from mediamirror.lint.sources import is_auto
from mediamirror.lint.subject import Member, SetSubject, Violation, first_reference, first_url, is_element
from mediamirror.model import Severity, Source

_FAR = 2.0
"""Ratio of two rungs that needs no rung between them: a doubling is what densities themselves do."""
_WASTE = 24 * 1024
"""Bytes that a step has to waste on average to be worth a file more."""
_DENSE = 2.0
_SLACK = 0.95
"""Share of the pixels wanted that is as good as all of them."""


@rule("MM401", "missing-rung", Severity.ERROR)
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
        message = f"--ladder requires {words}, but the candidates are {there}."
        yield Violation(message, words, there, first_reference(at), first_url(at))


def _has(subject: SetSubject, rows: Sequence[Member], width: int) -> bool:
    widths = [real for m in rows for real in (m.candidate.width, m.shown[0] if m.shown else None) if real is not None]
    return any(subject.options.tolerance.allows(width, real) for real in widths)


def _steps(ladder: Sequence[Member]) -> list[tuple[int, int, Member]]:
    """Real width, bytes and member of the rungs that were looked at, one for each width, ascending."""
    rows = {m.shown[0]: (m.shown[0], m.size, m) for m in ladder if m.shown is not None and m.size}
    return [rows[width] for width in sorted(rows)]


@rule("MM402", "steps-too-far-apart", Severity.NOTE)
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
                    f"on average, and {_kib(next_size - size)} at worst. A variant of about {between}w would halve that."
                )
                step = f"{width}w to {next_width}w"
                yield Violation(message, step, f"{waste} bytes", member.candidate.reference, member.url)


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


@rule("MM403", "largest-too-small", Severity.NOTE)
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
            real = largest.shown is not None and largest.shown[0] >= (largest.candidate.width or 0)
            says = "has" if real else "is declared as"
            message = (
                f"The largest candidate {says} {_width(largest)} pixels; a slot of {slot:.0f} CSS pixels on a {screen.name} "
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


_FAR_ABOVE = 3.0
"""Times the median of bytes per pixel. Small variants of one picture have up to twice those of large ones."""
_ENOUGH = 3
"""Files that a median needs."""
_LEAST = 8 * 1024
"""Bytes below which weight is no matter."""
_HEAVIER = 1.5
"""Times the size of the same picture in a modern format."""


def _by_format(group: Sequence[Member]) -> Iterator[list[Member]]:
    """The still files of each format of one picture, by width; four printing colours weigh as another format does."""
    rows: dict[tuple[str, bool], list[Member]] = defaultdict(list)
    for member in group:
        if member.facts is not None and member.size and (member.facts.frames or 1) == 1:
            rows[member.facts.format, member.facts.mode == "CMYK"].append(member)
    for members in rows.values():
        yield sorted(members, key=_pixels)


def _pixels(member: Member) -> int:
    return member.facts.width * member.facts.height if member.facts else 0


def _weight(member: Member) -> float:
    """Bits per pixel."""
    return 8 * (member.size or 0) / max(1, _pixels(member))


def _heavy(members: Sequence[Member]) -> list[Member]:
    if len(members) < _ENOUGH:
        return []
    usual = median(_weight(member) for member in members)
    return [m for m in members if _weight(m) > _FAR_ABOVE * usual and (m.size or 0) > _LEAST]


@rule("MM404", "larger-is-lighter", Severity.NOTE)
def larger_is_lighter(subject: SetSubject) -> Iterator[Violation]:
    """Fire for neighbours of one format, unless the smaller one is too heavy by itself."""
    for group in subject.groups:
        for members in _by_format(group):
            heavy = _heavy(members) if "MM405" in subject.options.codes else []
            for smaller, larger in pairwise(member for member in members if member not in heavy):
                if (larger.size or 0) < (smaller.size or 0) and _pixels(larger) > _pixels(smaller):
                    message = f"{_told(larger)} has fewer bytes than {_told(smaller)}."
                    yield Violation(
                        message,
                        f"over {smaller.size} bytes",
                        f"{larger.size} bytes",
                        larger.candidate.reference,
                        larger.url,
                    )


def _told(member: Member) -> str:
    width = member.pixels[0]
    return f"the variant of {width} pixels ({(member.size or 0) / 1024:,.1f} KiB)"


@rule("MM405", "heavy-for-its-pixels", Severity.NOTE)
def heavy_for_its_pixels(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each file with more than three times the median of its format in the set, of three files or more."""
    for group in subject.groups:
        for members in _by_format(group):
            usual = median(_weight(m) for m in members) if members else 0.0
            for member in _heavy(members):
                message = f"{_weight(member):.1f} bits per pixel, where the median of the set is {usual:.1f}."
                yield Violation(
                    message, f"{usual:.1f}", f"{_weight(member):.1f}", member.candidate.reference, member.url
                )


@rule("MM406", "heavier-than-modern", Severity.NOTE)
def heavier_than_modern(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each file that has estimates, and more than one and a half times the bytes of the smallest."""
    for group in subject.groups:
        for member in group:
            estimates = member.look.estimates if member.look else ()
            if not estimates or member.size is None:
                continue
            name, size = min(estimates, key=lambda row: row[1])
            if member.size > max(_HEAVIER * size, size + _LEAST):
                message = f"{member.size / 1024:,.0f} KiB; as {name} of quality 80 it would have about {size / 1024:,.0f} KiB."
                yield Violation(
                    message, f"{size} bytes", f"{member.size} bytes", member.candidate.reference, member.url
                )

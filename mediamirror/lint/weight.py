"""MM404 to MM406: bytes beside pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from mediamirror.lint.rules import RULES, Violation
from mediamirror.lint.subject import Member, SetSubject
from mediamirror.model import Severity

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


@RULES.add_set(
    "MM404",
    "larger-is-lighter",
    Severity.NOTE,
    summary="A larger variant has fewer bytes than a smaller one.",
    why="One of the two was made with other settings: the larger one is poor, or the smaller one is wasteful.",
    fix="Make all variants with one quality setting.",
)
def larger_is_lighter(subject: SetSubject) -> Iterator[Violation]:
    """Fire for neighbours of one format, unless the smaller one is too heavy by itself."""
    for group in subject.groups:
        for members in _by_format(group):
            heavy = _heavy(members) if "MM405" in subject.options.codes else []
            for smaller, larger in pairwise(member for member in members if member not in heavy):
                if (larger.size or 0) < (smaller.size or 0) and _pixels(larger) > _pixels(smaller):
                    message = f"{_told(larger)} is lighter than {_told(smaller)}."
                    yield Violation(
                        message,
                        f"over {smaller.size} bytes",
                        f"{larger.size} bytes",
                        larger.candidate.reference,
                        larger.url,
                    )


def _told(member: Member) -> str:
    width = member.facts.width if member.facts else 0
    return f"the variant of {width} pixels ({(member.size or 0) / 1024:,.1f} KiB)"


@RULES.add_set(
    "MM405",
    "heavy-for-its-pixels",
    Severity.NOTE,
    summary="A variant has far more bytes per pixel than its siblings.",
    why="It was saved with another quality, or without compression: people wait for bytes that they can't see.",
    fix="Make it again with the settings of its siblings.",
)
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


@RULES.add_set(
    "MM406",
    "heavier-than-modern",
    Severity.NOTE,
    summary="A variant is far heavier than the same picture in WebP or AVIF of quality 80 (told with --estimate).",
    why="Every browser in use reads WebP, and nearly every one AVIF: the difference is time that people wait.",
    fix="Serve the picture in the format of the message, with the present one as fallback where you need it.",
)
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

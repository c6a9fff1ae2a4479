"""MM310, MM311, MM313, MM314: the decoded variants of a set beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mediamirror.dialects import read
from mediamirror.first_use import pattern
from mediamirror.lint.likeness import alike, alike_cropped
from mediamirror.lint.markup import describe
from mediamirror.lint.rules import rule
from mediamirror.lint.subject import Member, SetSubject, Violation, file_name
from mediamirror.lint.variant import causes, widths_kept
from mediamirror.model import ImageFacts, Severity

_PART = pattern(r"[/?&]")
_FEWEST_ROWS = 8
"""Pixels a side below which two pictures can't be compared: a thumbnail of 32 by 5 is a few stripes."""
_SMALLEST = 4
"""Pixels a side below which a shape is all rounding and a picture is none."""


def _seen(group: Sequence[Member]) -> list[Member]:
    return [m for m in group if m.shown is not None and min(m.shown) >= _SMALLEST]


def _size(member: Member) -> tuple[int, int]:
    return member.shown or (0, 0)


def same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes in pixels can be one shape at two sizes.

    Of each size one side is given and the other is rounded by up to a pixel, and the given one may be off by half of one.
    """
    (width, height), (other_width, other_height) = one, other
    return abs(width * other_height - other_width * height) <= width + other_width + (height + other_height) / 2


def _standard(members: Sequence[Member]) -> Member:
    """The member that the others are measured by: of the shape that most have, and of those the widest."""
    agreeing = [sum(same_shape(_size(one), _size(other)) for other in members) for one in members]
    return max(zip(agreeing, members, strict=True), key=lambda pair: (pair[0], _size(pair[1])[0]))[1]


@rule("MM310", "aspect-ratio-drift", Severity.WARNING)
def aspect_ratio_drift(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each variant that has another shape than most."""
    for group in subject.groups:
        members = _seen(group)
        if len(members) < 2:
            continue
        standard = _standard(members)
        for member in members:
            if not same_shape(_size(member), _size(standard)):
                declared, actual = _ratio(_size(standard)), _ratio(_size(member))
                message = (
                    f"{_box(member)} pixels has another aspect ratio ({actual}) than the {_box(standard)} of the others "
                    f"({declared})."
                )
                message += _one_height(members)
                yield Violation(message, declared, actual, member.candidate.reference, member.url)


def _one_height(members: Sequence[Member]) -> str:
    """The likely cause where every address asks for the same height beside a width of its own, else nothing."""
    asked = [read(member.url).asked for member in members]
    heights = {each.height for each in asked if each is not None and each.width is not None}
    widths = {each.width for each in asked if each is not None}
    if None in asked or None in heights or len(heights) != 1 or len(widths) < 2:
        return ""
    return f" Every address asks for a height of {heights.pop()}: leave the height out of the picture's own address, or scale it."


def _box(member: Member) -> str:
    return "{} x {}".format(*_size(member))


def _ratio(size: tuple[int, int]) -> str:
    return f"{size[0] / size[1]:.3f}:1"


@rule("MM311", "not-the-same-picture", Severity.ERROR)
def not_the_same_picture(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each variant that looks different from the one that most resemble; shapes that drift may be a part of it."""
    for group in subject.groups:
        members = [m for m in _seen(group) if m.look is not None and min(_size(m)) >= _FEWEST_ROWS]
        if len(members) < 2:
            continue
        standard = max(members, key=lambda one: (sum(_same(one, other) for other in members), _size(one)[0]))
        for member in members:
            if not _same(member, standard):
                one, other = _told_apart(member, standard)
                message = f"{one} shows a different image than {other}."
                explains = frozenset((code, member.url) for code in ("MM310", "MM312", "MM404", "MM405"))
                yield Violation(message, standard.url, member.url, member.candidate.reference, member.url, explains)


def _told_apart(one: Member, other: Member) -> tuple[str, str]:
    """Name two files: by their names; where these are one also by their descriptors, or by what differs in their addresses."""
    names = [file_name(member.url) or member.url for member in (one, other)]
    if names[0] == names[1]:
        said = [describe(member.candidate) for member in (one, other)]
        if said[0] == said[1]:
            parts = zip(_PART.split(one.url), _PART.split(other.url), strict=False)
            said = list(next((pair for pair in parts if pair[0] != pair[1]), (one.url, other.url)))
        names = [f"{name} ({words[:80]})" for name, words in zip(names, said, strict=True)]
    return names[0], names[1]


def _same(one: Member, other: Member) -> bool:
    if one is other or one.look is None or other.look is None:
        return True
    if same_shape(_size(one), _size(other)):
        return alike(one.look, other.look)
    return alike_cropped(one.look, other.look, (_size(one), _size(other)))


@rule("MM313", "animated-among-still", Severity.WARNING)
def animated_among_still(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each variant of the kind that is rarer; of as many, for the still ones."""
    for group in subject.groups:
        counted = [(m, m.facts.frames > 1) for m in group if m.facts is not None and m.facts.frames is not None]
        moving = [m for m, moves in counted if moves]
        still = [m for m, moves in counted if not moves]
        odd = moving if len(moving) < len(still) else still
        for member in odd if moving and still else []:
            kind, others = ("animated", "still") if odd is moving else ("still", "animated")
            name = _told_apart(member, (still if odd is moving else moving)[0])[0]
            message = f"{name} is {kind}, but the others are {others}."
            yield Violation(message, others, kind, member.candidate.reference, member.url)


@rule("MM314", "turned-by-exif", Severity.WARNING)
def turned_by_exif(subject: SetSubject) -> Iterator[Violation]:
    """Fire when a descriptor or the attributes fit the stored size and not the shown one."""
    for group in subject.groups:
        for member in group:
            facts = member.facts
            if facts is None or not facts.on_its_side or facts.natural[0] == facts.natural[1]:
                continue
            declared = _declared(member, facts, subject)
            if declared is not None:
                shown = "{} x {}".format(*facts.natural)
                message = (
                    f"Stored {facts.width} x {facts.height} and shown {shown}, {causes(facts)}, against {declared}."
                )
                yield Violation(message, declared, shown, member.candidate.reference, member.url)


def _declared(member: Member, facts: ImageFacts, subject: SetSubject) -> str | None:
    """What the markup says of the size that the turned picture does not keep, if anything, wherever it names the file."""
    tolerance, stored = subject.options.tolerance, widths_kept(facts)[0]
    named = (m.candidate.width for m in subject.members if m.url == member.url and m.source.ignored is None)
    for declared in named:
        if declared is not None and tolerance.allows(declared, stored):
            return f"{declared}w"
    img = next((s for s in subject.image_set.sources if s.carrier == "img"), member.source)
    width, height = img.width, img.height
    if width and height and (width > height) != (facts.natural[0] > facts.natural[1]) and width != height:
        return f'width="{width}" height="{height}"'
    return None

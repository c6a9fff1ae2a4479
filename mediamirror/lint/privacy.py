"""MM315 to MM317: what a file tells besides its picture, and colours that not every program understands."""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.lint.rules import RULES, Subject, Violation
from mediamirror.model import Severity


@RULES.add(
    "MM315",
    "personal-exif",
    Severity.WARNING,
    verify_only=True,
    summary="The file's EXIF tells where the picture was taken, or by whose camera.",
    why="Anyone can read it: home addresses, sources of reporters and serial numbers of cameras have become known this way.",
    fix="Strip the EXIF when the variants are made (most tools do so with one option), and keep the original to yourself.",
)
def personal_exif(subject: Subject) -> Iterator[Violation]:
    """Fire once for a file with a position, or with an entry of `Look.personal`."""
    facts, look = subject.facts, subject.look
    told = ["GPS position"] if facts is not None and facts.has_gps else []
    told += look.personal if look is not None else ()
    if told:
        yield Violation(f"Its EXIF holds: {', '.join(told)}.", None, ", ".join(told))


@RULES.add(
    "MM316",
    "cmyk",
    Severity.WARNING,
    verify_only=True,
    summary="The image has the colours of a printing press (CMYK).",
    why="Programs disagree on its colours, some show it inverted, and it is larger than the same picture in RGB.",
    fix="Convert it to sRGB when the variant is made.",
)
def cmyk(subject: Subject) -> Iterator[Violation]:
    """Fire for a decoded image of four printing colours."""
    if subject.facts is not None and subject.facts.mode == "CMYK":
        yield Violation("The image is CMYK.", "RGB", "CMYK")


@RULES.add(
    "MM317",
    "wide-profile-unused",
    Severity.NOTE,
    verify_only=True,
    summary="The image has a profile for more colours than sRGB, and no colour that needs it.",
    why="The profile costs bytes in every variant, and programs without colour management show the picture pale.",
    fix="Convert it to sRGB when the variant is made.",
)
def wide_profile_unused(subject: Subject) -> Iterator[Violation]:
    """Fire for a wide profile whose extra colours the picture does not use."""
    look = subject.look
    if look is not None and look.wide == "unused":
        yield Violation(
            f'Its profile is "{look.profile or "unnamed"}", and all of its colours are in sRGB.', "sRGB", look.profile
        )

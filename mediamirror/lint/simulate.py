"""Which file each screen would load, and how much of it that screen can't use. Pure; the browser is brought along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mediamirror.errors import NotAnImage
from mediamirror.first_use import dataclass
from mediamirror.lint.screens import DEVICES, Browser, Screen
from mediamirror.lint.sources import is_auto
from mediamirror.lint.subject import Member, VariantFacts
from mediamirror.model import ImageFacts, ImageSet, descriptor


@dataclass(frozen=True, slots=True)
class Choice:
    """What one screen loads of one set.

    ``slot`` is the picture's width in the layout, in CSS pixels, and ``needed`` the pixels that the screen has for it; both
    None where the markup does not tell the width (no width descriptors, ``auto``). ``width``, ``height`` and ``size`` (bytes) are
    the file's own, None where it was not looked at. ``wasted`` are the bytes spent on pixels that the screen can't show: the
    share of the file's area beyond what is needed; ``missing`` are the pixels of width that the screen has and the file lacks.
    ``error`` says why there is no picture to see: the file is gone, or no image.
    """

    screen: Screen
    url: str | None
    descriptor: str | None = None
    slot: float | None = None
    needed: int | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    wasted: int | None = None
    missing: int | None = None
    error: str | None = None


def simulate(
    image_set: ImageSet, facts: Mapping[str, VariantFacts], *, browser: Browser, screens: Iterable[Screen] = DEVICES
) -> tuple[Choice, ...]:
    """For each screen, in order, what it would load. ``facts`` is what is known of the files, by URL, and may be empty."""
    return tuple(_choice(image_set, facts, browser, screen) for screen in screens)


def _choice(image_set: ImageSet, facts: Mapping[str, VariantFacts], browser: Browser, screen: Screen) -> Choice:
    candidate = browser.select(image_set, screen)
    owner = next((s for s, c in image_set.entries if c is candidate), None)
    if candidate is None or owner is None:
        return Choice(screen, None)
    member = Member(owner, candidate, facts.get(candidate.url))
    slot = (
        None
        if candidate.width is None or is_auto(browser.sizes_of(image_set, owner))
        else browser.source_size(image_set, owner, screen)
    )
    needed = None if slot is None else round(slot * screen.dpr)
    width, height = member.shown or (None, None)
    return Choice(
        screen,
        candidate.url,
        descriptor(candidate.width, candidate.density),
        slot,
        needed,
        width,
        height,
        member.size,
        wasted_bytes(member.size, width, needed),
        None if needed is None or width is None else max(0, needed - width),
        _error(member.known),
    )


def _error(known: VariantFacts | None) -> str | None:
    if known is None or isinstance(known.result, ImageFacts):
        return None
    # A drawing, or another format that is not read here, is no error.
    drawn = isinstance(known.result, NotAnImage) and known.result.kind is not None
    return None if drawn else known.result.message


def wasted_bytes(size: int | None, width: int | None, needed: int | None) -> int | None:
    """Bytes of a file ``width`` pixels wide that a slot of ``needed`` pixels has no use for; None where one is not known."""
    if size is None or not width or needed is None:
        return None
    return round(size * (1 - min(1.0, needed / width) ** 2))

"""The HTML standard's algorithms, as the lint rules and the simulator ask for them.

The rooms `lint` and `markup` do not know each other: this is where they meet.
"""

from __future__ import annotations

from collections.abc import Sequence

from mediamirror.first_use import dataclass
from mediamirror.lint.screens import Screen
from mediamirror.markup.standard.media import matches_media, may_match_media
from mediamirror.markup.standard.screen import COMMON
from mediamirror.markup.standard.select import select, source_size, supported_image_type, written_sizes
from mediamirror.markup.standard.sizes import parse_sizes
from mediamirror.model import Candidate, ImageSet, Problem, Source


@dataclass(frozen=True, slots=True)
class StandardBrowser:
    """A browser that does as the standard says, and where that leaves a choice, or browsers differ, as `markup.select` does.

    The width attribute of an img stands for its layout width where ``sizes=auto`` asks for that.
    """

    name: str = COMMON

    def select(self, image_set: ImageSet, screen: Screen) -> Candidate | None:
        """The candidate that a screen would load."""
        layout = _layout_width(image_set, screen)
        viewport = (screen.width, screen.height)
        return select(image_set, viewport=viewport, dpr=screen.dpr, auto_width=layout, browser=self.name)

    def source_size(self, image_set: ImageSet, source: Source, screen: Screen) -> float:
        """The width in CSS pixels that a source's ``sizes`` gives."""
        return source_size(
            source,
            _img(image_set),
            viewport=(screen.width, screen.height),
            dpr=screen.dpr,
            auto_width=_layout_width(image_set, screen),
            browser=self.name,
        )

    def sizes_of(self, image_set: ImageSet, source: Source) -> str | None:
        """The ``sizes`` that count for a source."""
        return written_sizes(source, _img(image_set))

    def matches(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches a screen."""
        return matches_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr, browser=self.name)

    def may_match(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches some device with such a screen."""
        return may_match_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr)

    def supports(self, mime: str) -> bool:
        """Whether a ``type`` lets a browser use the source."""
        return supported_image_type(mime, self.name)

    def sizes_problems(self, sizes: str) -> Sequence[Problem]:
        """What is wrong with a ``sizes`` value."""
        return parse_sizes(sizes).problems

    def sizes_conditions(self, sizes: str) -> Sequence[str]:
        """The media conditions of a ``sizes`` value that a browser keeps."""
        return [entry.condition for entry in parse_sizes(sizes).entries if entry.condition is not None]


def _img(image_set: ImageSet) -> Source | None:
    return next((s for s in image_set.sources if s.carrier == "img" and s.ignored is None), None)


def _layout_width(image_set: ImageSet, screen: Screen) -> float | None:
    img = _img(image_set)
    return float(min(img.width, screen.width)) if img is not None and img.width else None

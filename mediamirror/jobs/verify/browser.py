"""The HTML standard's algorithms, as the lint rules and the simulator ask for them.

The rooms `lint` and `markup` do not know each other: this is where they meet.
"""

from __future__ import annotations

from collections.abc import Sequence

from mediamirror.lint.screens import Screen
from mediamirror.markup.standard.media import matches_media, may_match_media
from mediamirror.markup.standard.select import select, supported_image_type
from mediamirror.markup.standard.sizes import evaluate_sizes, parse_sizes
from mediamirror.model import Candidate, ImageSet, Problem, Source


class StandardBrowser:
    """A browser that does as the standard says, and where that leaves a choice, as `markup.select` does.

    The width attribute of an img stands for its layout width where ``sizes=auto`` asks for that.
    """

    def select(self, image_set: ImageSet, screen: Screen) -> Candidate | None:
        """The candidate that a screen would load."""
        layout = _layout_width(image_set, screen)
        return select(image_set, viewport=(screen.width, screen.height), dpr=screen.dpr, auto_width=layout)

    def source_size(self, image_set: ImageSet, source: Source, screen: Screen) -> float:
        """The width in CSS pixels that a source's ``sizes`` gives."""
        img = _img(image_set)
        owner = img if source.carrier == "source" and img is not None else source
        return evaluate_sizes(
            source.sizes,
            viewport=(screen.width, screen.height),
            dpr=screen.dpr,
            auto_width=_layout_width(image_set, screen) if owner.lazy else None,
            img_sizes=owner.sizes or "",
        )

    def matches(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches a screen."""
        return matches_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr)

    def may_match(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches some device with such a screen."""
        return may_match_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr)

    def supports(self, mime: str) -> bool:
        """Whether a ``type`` lets a browser use the source."""
        return supported_image_type(mime)

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

"""Which candidate a screen would load: https://html.spec.whatwg.org/multipage/images.html#updating-the-source-set"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator

from mediamirror.first_use import dataclass
from mediamirror.markup.standard.media import matches_media
from mediamirror.markup.standard.screen import CHROMIUM, COMMON
from mediamirror.markup.standard.sizes import allows_auto, evaluate_sizes
from mediamirror.model import Candidate, ImageSet, Source

_WIDEST = 2.0**25
"""CSS pixels that no length goes beyond in a browser."""
_WS = "\t\n\f\r "
_SUPPORTED = frozenset({
    "image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/jpg", "image/pjpeg", "image/png",
    "image/svg+xml", "image/vnd.microsoft.icon", "image/webp", "image/x-icon", "image/x-png",
})  # fmt: skip
"""What every current browser accepts, the unregistered old names for JPEG and PNG among it."""
_SUPPORTED_BY = frozenset({("image/jxl", CHROMIUM)})
"""What one browser accepts."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """An entry of a normalised source set: a candidate and the pixel density it stands for (device px per CSS px)."""

    candidate: Candidate
    density: float


def select(
    image_set: ImageSet,
    *,
    viewport: tuple[float, float],
    dpr: float = 1.0,
    auto_width: float | None = None,
    browser: str = COMMON,
) -> Candidate | None:
    """The candidate that a screen of ``viewport`` CSS pixels and ``dpr`` device pixels each would load.

    "Select an image source from a source set" leaves the choice to the browser. Here it is the lowest density that
    is at least ``dpr``, else the highest, as in Chromium when nothing is cached (docs/decisions/0010-selection-policy.md).
    ``auto_width`` is as in `source_set`, and ``browser`` one of `BROWSERS`. None when there is nothing to load. A ``data:`` URL
    may be chosen too: it is one of a source's ``inline``, and none of the set's candidates.
    """
    entries = source_set(image_set, viewport=viewport, dpr=dpr, auto_width=auto_width, browser=browser)
    if not entries:
        return None
    needed = _single(dpr)
    enough = [entry for entry in entries if _density(entry) >= needed]
    if enough:
        return min(enough, key=_density).candidate
    return max(entries, key=_density).candidate


def source_set(
    image_set: ImageSet,
    *,
    viewport: tuple[float, float],
    dpr: float = 1.0,
    auto_width: float | None = None,
    browser: str = COMMON,
) -> list[Weighted]:
    """ "Update the source set" and "normalize the source densities", without the entries that repeat a density.

    Walks the sources in order and takes the first that applies; the entries keep their order. ``auto_width`` is the
    layout width of the img in CSS pixels where it is known: it replaces ``sizes=auto`` of an img with loading=lazy.
    """
    img = next((source for source in image_set.sources if source.carrier == "img" and source.ignored is None), None)
    for source in image_set.sources:
        if not _applies(source, viewport, dpr, browser):
            continue
        size = source_size(source, img, viewport=viewport, dpr=dpr, auto_width=auto_width, browser=browser)
        return _distinct(Weighted(candidate, _normalised(candidate, size)) for candidate in _with_default(source))
    return []


def source_size(
    source: Source,
    img: Source | None,
    *,
    viewport: tuple[float, float],
    dpr: float = 1.0,
    auto_width: float | None = None,
    browser: str = COMMON,
) -> float:
    """`evaluate_sizes` of a source; ``img`` is the img element of its set. ``auto_width`` counts where that is lazy."""
    owner = img if source.carrier == "source" and img is not None else source
    return evaluate_sizes(
        written_sizes(source, img),
        viewport=viewport,
        dpr=dpr,
        auto_width=auto_width if owner.lazy else None,
        img_sizes=owner.sizes or "",
        browser=browser,
    )


def written_sizes(source: Source, img: Source | None) -> str | None:
    """The sizes attribute of a source; ``auto`` where it has none beside a lazy img that allows auto-sizes (HTML, 4.8.2)."""
    if source.sizes is None and source.carrier == "source" and img is not None and img.lazy and allows_auto(img.sizes):
        return "auto"
    return source.sizes


def supported_image_type(mime: str, browser: str = COMMON) -> bool:
    """Whether a ``type`` attribute lets a browser use the source: absent-like (blank), or an image type it decodes.

    The essence counts, in any ASCII case; parameters are ignored.
    """
    essence = mime.strip(_WS).partition(";")[0].rstrip(_WS)
    return not mime.strip(_WS) or _is_shown(essence, browser)


def _is_shown(essence: str, browser: str) -> bool:
    return essence.isascii() and (essence.lower() in _SUPPORTED or (essence.lower(), browser) in _SUPPORTED_BY)


def _applies(source: Source, viewport: tuple[float, float], dpr: float, browser: str) -> bool:
    """ "Update the source set", step 3: whether the walk ends at this source."""
    if source.ignored is not None:
        return False
    if source.carrier != "source":
        # Step 3.1: the element itself. media and type on an img mean nothing; a preload link has to match both.
        return source.carrier == "img" or _matches(source, viewport, dpr, browser)
    # Steps 3.2 to 3.9: not without candidates, a media query list that matches and a type that is supported.
    return bool(source.candidates or source.inline) and _matches(source, viewport, dpr, browser)


def _matches(source: Source, viewport: tuple[float, float], dpr: float, browser: str) -> bool:
    if source.media is not None and not matches_media(source.media, viewport=viewport, dpr=dpr, browser=browser):
        return False
    if source.mime is None:
        return True
    # The type() of an image-set() is taken as it stands: with a parameter, or empty, it is none that a browser knows.
    in_css = source.carrier == "css"
    return _is_shown(source.mime, browser) if in_css else supported_image_type(source.mime, browser)


def _with_default(source: Source) -> Iterator[Candidate]:
    """ "Create a source set", step 4: src or href joins unless a candidate is exactly 1x or any has a width."""
    rows = source.candidates
    if source.inline:
        rows = tuple(sorted((*rows, *source.inline), key=lambda candidate: candidate.span))
    yield from rows
    default = source.default or source.inline_default
    if source.carrier == "source" or default is None or not default.url:
        return
    if not any(candidate.density == 1 or candidate.width is not None for candidate in rows):
        yield default


def _normalised(candidate: Candidate, size: float) -> float:
    """ "Normalize the source densities": pixels of the file per CSS pixel; no descriptor is 1x."""
    if candidate.density is not None:
        return candidate.density
    if candidate.width is None:
        return 1.0
    try:
        return candidate.width / min(size, _WIDEST) if size else math.inf
    except OverflowError:
        return math.inf


def _distinct(entries: Iterable[Weighted]) -> list[Weighted]:
    """ "Select an image source", step 1: an entry whose density equals an earlier one's goes."""
    seen: dict[float, Weighted] = {}
    for entry in entries:
        seen.setdefault(entry.density, entry)
    return list(seen.values())


def _density(entry: Weighted) -> float:
    return _single(entry.density)


def _single(value: float) -> float:
    # Chromium keeps densities in single precision: 96w at 76.80000000000001px (`calc(768px * 0.1)`) is enough for 1.25.
    return ctypes.c_float(value).value

"""Pictures that nobody sees: the one-pixel images that count visits. They are named as a problem and never fetched."""

from __future__ import annotations

import re
from dataclasses import replace

from turbohtml import Element

from mediamirror.markup.places.urls import shown
from mediamirror.model import ImageSet, Problem

CODE = "tracker-pixel"
_LARGEST = 2
_LENGTH = re.compile(r"[\t\n\f\r ]*\+?([0-9]+)")
_COUNTERS = re.compile(
    r"https?://(?:"
    r"(?:www\.)?facebook\.com/tr\b|mc\.yandex\.(?:ru|com|by|kz)/|counter\.yadro\.ru/|top-fwz1\.mail\.ru/"
    r"|counter\.rambler\.ru/|(?:www\.)?tns-counter\.ru/|vk\.com/rtrg\b|(?:pixel|stats)\.(?:wp|wordpress)\.com/"
    r"|(?:sb|b)\.scorecardresearch\.com/|pixel\.quantserve\.com/|bat\.bing\.com/|px\.ads\.linkedin\.com/"
    r"|(?:www\.)?google-analytics\.com/|googleads\.g\.doubleclick\.net/|ad\.doubleclick\.net/ddm/|ct\.pinterest\.com/"
    r"|analytics\.twitter\.com/|t\.co/i/adsct\b|secure\.gravatar\.com/blank\b)",
    re.IGNORECASE,
)


def without_tracker(row: ImageSet, element: Element) -> ImageSet:
    """Return the set of an ``img`` as it is; for a tracker, without its URLs and with a problem that says so.

    A tracker is an ``img`` whose only image is its ``src``, drawn 2 pixels wide and high at most or served by a known
    counter. What has a srcset, or the attributes of a lazy loader, is no tracker, however small its placeholder is.
    """
    if len(row.sources) != 1 or row.sources[0].candidates or row.sources[0].default is None:
        return row
    url = row.sources[0].default
    if url.reference is None or url.reference.attribute != "src":
        return row
    if not (_COUNTERS.match(url.url) or (_is_tiny(element, "width") and _is_tiny(element, "height"))):
        return row
    message = f"{shown(url.url)} counts visits and shows nothing: it is left out."
    problem = Problem(CODE, message, url.reference.line, url.span, row.document)
    return replace(row, sources=(), problems=(*row.problems, problem))


def _is_tiny(element: Element, name: str) -> bool:
    """HTML, "rules for parsing non-negative integers": leading digits count, in px."""
    match = _LENGTH.match(element.attr(name) or "")
    return match is not None and len(match[1]) <= 9 and int(match[1]) <= _LARGEST

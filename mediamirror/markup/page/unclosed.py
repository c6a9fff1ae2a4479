"""A quote of an attribute that is never closed: it swallows the page up to the next quote, images and all.

HTML, 13.2.5.36 "attribute value (double-quoted) state": browsers read so too, and show as little. So nothing of it is an
image of the page, but whoever mirrors the page wants to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from turbohtml import Document, Element

from mediamirror.first_use import pattern
from mediamirror.markup.page.parsed import Page, Value
from mediamirror.markup.places import charrefs
from mediamirror.model import ImageSet, Problem

CODE = "unclosed-quote"
_MAX_FOUND = 100
_CUT_OFF = "eof-in-tag"
_QUOTE_IN_NAME = "unexpected-character-in-attribute-name"
_QUOTES = "\"'"
# `alt="foo>` runs on to the first quote of another tag: `… <img src=`.
_SWALLOWED = pattern(r"<[a-z][^\s>]{0,60}+\s[^>]*=\s*\Z", re.IGNORECASE)
_TAG = pattern(r"<!--|(?P<tag></?[a-z][^\s/>]*+)", re.IGNORECASE)
_ATTRIBUTE = pattern(
    r"[\s/]*+[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)|(?!))?+(?!\s*+=)"
)
_OPENED = pattern(r"[\s/]*+(?P<name>[^\s/>=]++)\s*+=\s*+[\"']")


def find_unclosed(page: Page) -> Iterator[ImageSet]:
    """Yield a set without images for every quote that swallowed markup: its problem names the line where it opens."""
    # A shadow tree was parsed with the page around it, and keeps no errors of its own.
    codes = {error.code for error in page.root.errors} if isinstance(page.root, Document) else {_QUOTE_IN_NAME}
    if _QUOTE_IN_NAME in codes:
        # An element that the parser opened again, in the next paragraph, has the same place.
        found = {value.start: (value, name) for value, name in _closed_late(page)}
        for value, name in islice(found.values(), _MAX_FOUND):
            end = page.line_in(value, len(value.text))
            what = f"The quote that opens {name} here ends only at the next one, on line {end:,}"
            yield _told(page, page.line_in(value, 0), f"{what}: the page between is read as its value")
    if _CUT_OFF in codes:
        yield from _never_closed(page)


def _closed_late(page: Page) -> Iterator[tuple[Value, str]]:
    for element in page.root.iter_elements():
        names = list(element.attrs)
        if not any(quote in name for name in names for quote in _QUOTES):
            continue
        for name in names:
            text = element.attr(name) or ""
            if ">" in text and _SWALLOWED.match(text, max(0, text.rfind("<"))):
                value = page.value(element, name)
                if value is not None:
                    yield value, name
                break


def _never_closed(page: Page) -> Iterator[ImageSet]:
    """The tag that the page ends in has no element: it begins behind the last tag that has one."""
    start = max((_end(element) for element in page.root.iter_elements()), default=0)
    tag = _tag_after(page.text, start)
    if tag is None:
        return
    at = tag.end()
    while (attribute := _ATTRIBUTE.match(page.text, at)) is not None:
        at = attribute.end()
    opened = _OPENED.match(page.text, at)
    if opened is None:
        yield _told(page, _line(page, tag.start()), f"The page ends within the tag {tag['tag']}> that begins here")
    else:
        what = f"The quote that opens {opened['name'][:60]} here is never closed: the rest of the page is read as its value"
        yield _told(page, _line(page, opened.start("name")), what)


def _tag_after(text: str, at: int) -> re.Match[str] | None:
    """The first tag that stands in no comment. Once one comment is not closed, no later one is."""
    closes = True
    while (found := _TAG.search(text, at)) is not None and not found["tag"]:
        end = text.find("-->", found.end()) if closes else -1
        closes = end >= 0
        at = end + 3 if closes else found.end()
    return found


def _end(element: Element) -> int:
    location = element.source_location
    if location is None:
        return 0
    return location.end_tag.end_offset if location.end_tag else location.start_tag.end_offset


def _line(page: Page, position: int) -> int:
    return page.line_in(Value("", charrefs.decode(""), position), 0)


def _told(page: Page, line: int, what: str) -> ImageSet:
    problem = Problem(CODE, f"{what}, and no image there is found.", line, document=page.context.document)
    return ImageSet(page.context.document, line, (), problems=(problem,))

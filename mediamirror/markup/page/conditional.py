"""HTML in conditional comments: what Outlook and old Internet Explorers show of a mail or a page, VML backgrounds among it.

Microsoft, "About conditional comments", downlevel-hidden: ``<!--[if mso]>HTML<![endif]-->``. The revealed kind,
``<!--[if !mso]><!-->``, is ordinary markup, and found as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mediamirror.markup.page.nested import read_inner
from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.places import charrefs
from mediamirror.model import ImageSet

_OPENING = re.compile(r"<!--\[if\b[^\]>]{0,200}+\]>", re.IGNORECASE)
_END = "-->"
# What is worth parsing: a style sheet or a script for an old browser is not.
_NAMES_IMAGES = re.compile(
    r"<(?:img|source|image|input|video|v:\w|table|td|body|[^>]{0,1000}\bstyle\s*=)", re.IGNORECASE
)
MAX_COMMENTS = 1_000

Finder = Callable[[Page], Iterator[ImageSet]]


def in_comments(finders: tuple[Finder, ...]) -> Finder:
    """Return a finder that runs ``finders`` over the HTML in conditional comments."""

    def all_of_them(page: Page) -> Iterator[ImageSet]:
        for finder in finders:
            yield from finder(page)

    def find(page: Page) -> Iterator[ImageSet]:
        for value in _hidden(page):
            yield from read_inner(page, value, all_of_them)

    return find


def _hidden(page: Page) -> Iterator[Value]:
    text, at = page.text, 0
    for _ in range(MAX_COMMENTS):
        opening = _OPENING.search(text, at)
        if opening is None:
            return
        start = opening.end()
        at = text.find(_END, start)
        if at < 0:
            return
        if _NAMES_IMAGES.search(text, start, at) is not None:
            yield Value("", charrefs.Decoded(text[start:at], (), ()), start)

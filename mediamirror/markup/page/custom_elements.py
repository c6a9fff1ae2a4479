"""The own attributes of custom elements: what they show (``amp-story poster-portrait-src``, ``model-viewer poster``), and JSON.

The JSON is the properties that a component's script starts from (``astro-island props``).
Their ``data-`` attributes are read like anyone's, by `lazy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from turbohtml import Element

from mediamirror.markup.page import page_json
from mediamirror.markup.page.carriers import ROWS
from mediamirror.markup.page.elements import Read, image_set
from mediamirror.markup.page.lazy_values import CARRIER, read_other
from mediamirror.markup.page.page import Page
from mediamirror.model import ImageSet

MAX_ELEMENTS = 10_000
_MAX_NAMES = 200
_MOST_ATTRIBUTES = 256
_NOT_SHOWN = frozenset({"href", "style", "sizes"})
"""``href`` leads elsewhere; ``style`` and ``sizes`` are read elsewhere."""
_MAIN = frozenset({"src", "srcset"})
# HTML, 4.13.3 "valid custom element name": a letter first, and a hyphen within.
_TAG = re.compile(r"<([a-z][a-z0-9._]{0,40}-[a-z0-9._\-]{0,60})[\s>/]", re.IGNORECASE)


def find_custom(page: Page) -> Iterator[ImageSet]:
    """Yield what custom elements name: ``src`` with ``srcset``, and each other attribute and each picture in JSON by itself."""
    names = sorted({match[1].lower() for match in _TAG.finditer(page.text)})[:_MAX_NAMES]
    for element in islice(page.elements(names), MAX_ELEMENTS) if names else ():
        own = [name for name in element.attrs if not name.startswith("data-") and name not in _NOT_SHOWN]
        if len(own) <= _MOST_ATTRIBUTES:
            yield from _shown(page, element, own)


def _shown(page: Page, element: Element, names: list[str]) -> Iterator[ImageSet]:
    main: list[Read] = []
    for name in names:
        if page_json.is_json(element.attr(name)):
            yield from page_json.in_attribute(page, element, name)
        elif element.tag not in ROWS:
            reads = list(read_other(page, element, name, CARRIER))
            if name in _MAIN:
                main += reads
            elif reads:
                yield image_set(page, element, reads)
    if main:
        yield image_set(page, element, main, element.attr("alt") or element.attr("aria-label"))

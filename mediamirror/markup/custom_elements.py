"""JSON in the attributes of custom elements: the properties that a component's script starts from (``astro-island props``).

Their ``data-`` attributes are read like anyone's, by `lazy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from mediamirror.markup import page_json
from mediamirror.markup.html_page import Page
from mediamirror.model import ImageSet

MAX_ELEMENTS = 10_000
_MAX_NAMES = 200
_MOST_ATTRIBUTES = 256
# HTML, 4.13.3 "valid custom element name": a letter first, and a hyphen within.
_TAG = re.compile(r"<([a-z][a-z0-9._]{0,40}-[a-z0-9._\-]{0,60})[\s>/]", re.IGNORECASE)


def find_custom(page: Page) -> Iterator[ImageSet]:
    """Yield the pictures in the JSON of custom elements' own attributes, each as a set of its own."""
    names = sorted({match[1].lower() for match in _TAG.finditer(page.text)})[:_MAX_NAMES]
    for element in islice(page.elements(names), MAX_ELEMENTS) if names else ():
        own = [name for name in element.attrs if not name.startswith("data-")]
        for name in own if len(own) <= _MOST_ATTRIBUTES else ():
            if page_json.is_json(element.attr(name)):
                yield from page_json.in_attribute(page, element, name)

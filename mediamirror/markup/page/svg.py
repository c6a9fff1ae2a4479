"""Images in inline SVG: ``image``, ``feImage``, and ``use`` of another file (SVG 2, 12.6, 5.6; Filter Effects 1, 9.14)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from turbohtml import Element, Namespace

from mediamirror.markup.page.elements import Family, image_set, read_source
from mediamirror.markup.page.page import Page
from mediamirror.model import ImageSet

MAX_ELEMENTS = 250_000
_HREFS = ("href", "xlink:href")
"""SVG 2, 16.1.6: ``href`` wins over ``xlink:href``."""


def find_svg(page: Page) -> Iterator[ImageSet]:
    """Yield one image set for every element of inline SVG that loads a file; references within the page load none."""
    for element in islice(page.root.iter_elements(["image", "feImage", "use"]), MAX_ELEMENTS):
        href = _href(element) if element.namespace is Namespace.SVG else None
        if href is not None:
            source = read_source(page, element, Family(None, href, None), carrier=f"svg-{element.tag.lower()}")
            yield image_set(page, element, [source])


def _href(element: Element) -> str | None:
    name = next((name for name in _HREFS if name in element.attrs), None)
    value = (element.attr(name) or "").strip() if name else ""
    return None if not value or value.startswith("#") else name

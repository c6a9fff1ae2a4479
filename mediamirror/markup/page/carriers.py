"""Images in inline SVG: ``image``, ``feImage``, and ``use`` of another file (SVG 2, 12.6, 5.6; Filter Effects 1, 9.14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from turbohtml import Element, Namespace

from mediamirror.first_use import dataclass, replace
from mediamirror.markup.naming import has_image_extension, is_image_type
from mediamirror.markup.page.elements import image_set, read_source
from mediamirror.markup.page.loaders import Family
from mediamirror.markup.page.parsed import Page
from mediamirror.model import ImageSet

MAX_ELEMENTS = 250_000
"""Most elements of one page that are looked at by one finder here."""
_WITH_SRCSET = Family(srcset="srcset", src="src", sizes="sizes")

LINK_RELATIONS = (
    "icon", "apple-touch-icon", "apple-touch-icon-precomposed", "apple-touch-startup-image", "mask-icon", "fluid-icon",
    "image_src",
)  # fmt: skip
"""Link relations whose target is an image; each is a carrier of its name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One carrier. ``carrier`` returns its name for an element that is one, and None for one that is not."""

    family: Family
    carrier: Callable[[Element], str | None]
    alt: str | None = None


def find_carriers(page: Page) -> Iterator[ImageSet]:
    """Yield one image set for every element that a row of `ROWS` knows."""
    yield from _rows(page, ROWS)


def find_links(page: Page) -> Iterator[ImageSet]:
    """``a href`` to an image file, as light boxes use it. Only on demand: a wiki's page about a file has such a name too."""
    yield from _rows(page, LINKS)


def _rows(page: Page, rows: Mapping[str, Row]) -> Iterator[ImageSet]:
    for element in islice(page.elements(rows), MAX_ELEMENTS):
        row = rows[element.tag]
        carrier = row.carrier(element)
        if carrier is not None:
            alt = element.attr(row.alt) if row.alt else None
            # Icons, and what others read, are asked for when all of the page is there.
            on = page.waiting() if element.tag == "link" and carrier != "prefetch" else page
            read = read_source(on, element, row.family, carrier=carrier)
            if not is_image_type(read.source.mime):  # `type` of an input or a page link is no promise about the file
                read = replace(read, source=replace(read.source, mime=None))
            yield image_set(page, element, [read], alt)


def link_relation(rel: str, as_: str, href: str) -> str | None:
    """Return the carrier that a link's relations make it, or None; ``preload`` is read elsewhere."""
    tokens = rel.lower().split()
    known = next((name for name in LINK_RELATIONS if name in tokens), None)
    if known is None and "prefetch" in tokens and (as_.strip().lower() == "image" or has_image_extension(href)):
        return "prefetch"
    return known


def _link(element: Element) -> str | None:
    href = element.attr("href")
    return None if href is None else link_relation(element.attr("rel") or "", element.attr("as") or "", href)


def _having(attribute: str, carrier: str) -> Callable[[Element], str | None]:
    return lambda element: carrier if attribute in element.attrs else None


def _button(element: Element) -> str | None:
    is_image = (element.attr("type") or "").strip().lower() == "image"
    return "input" if is_image and "src" in element.attrs else None


def _plugin(attribute: str, carrier: str) -> Callable[[Element], str | None]:
    def is_image(element: Element) -> str | None:
        url, mime = element.attr(attribute), element.attr("type")
        said = is_image_type(mime) if mime and mime.strip() else has_image_extension(url or "")
        return carrier if url and said else None

    return is_image


def _amp(element: Element) -> str | None:
    return element.tag if "src" in element.attrs or "srcset" in element.attrs else None


def _anchor(element: Element) -> str | None:
    href = element.attr("href")
    return element.tag if href and (has_image_extension(href) or is_image_type(element.attr("type"))) else None


_TABLE = ("body", "table", "thead", "tbody", "tfoot", "tr", "td", "th")
"""HTML, 15.3.2 and 15.3.9: the elements whose ``background`` attribute browsers load."""

ROWS: dict[str, Row] = {
    "link": Row(Family(None, "href", None), _link),
    "video": Row(Family(None, "poster", None), _having("poster", "video")),
    "amp-video": Row(Family(None, "poster", None), _having("poster", "amp-video")),
    "input": Row(Family(None, "src", None), _button, "alt"),
    "object": Row(Family(None, "data", None), _plugin("data", "object")),
    "embed": Row(Family(None, "src", None), _plugin("src", "embed")),
    "amp-img": Row(_WITH_SRCSET, _amp, "alt"),
    "amp-anim": Row(_WITH_SRCSET, _amp, "alt"),
    # VML: the backgrounds of mails for Outlook.
    **{tag: Row(Family(None, "src", None), _having("src", "vml")) for tag in ("v:fill", "v:image", "v:imagedata")},
    **{tag: Row(Family(None, "background", None), _having("background", "background")) for tag in _TABLE},
}
"""The carriers by element; each element carries in one way."""

LINKS: dict[str, Row] = {
    "a": Row(Family(None, "href", None), _anchor),
    "area": Row(Family(None, "href", None), _anchor, "alt"),
}


MAX_SVG = 250_000
_SVG_HREFS = ("href", "xlink:href")
"""SVG 2, 16.1.6: ``href`` wins over ``xlink:href``."""


def find_svg(page: Page) -> Iterator[ImageSet]:
    """Yield one image set for every element of inline SVG that loads a file; references within the page load none."""
    for element in islice(page.root.iter_elements(["image", "feImage", "use"]), MAX_SVG):
        href = _svg_href(element) if element.namespace is Namespace.SVG else None
        if href is not None:
            source = read_source(page, element, Family(None, href, None), carrier=f"svg-{element.tag.lower()}")
            yield image_set(page, element, [source])


def _svg_href(element: Element) -> str | None:
    name = next((name for name in _SVG_HREFS if name in element.attrs), None)
    value = (element.attr(name) or "").strip() if name else ""
    return None if not value or value.startswith("#") else name

"""Finders for pages: each takes a `Page` and yields image sets; `FINDERS` lists them all.

A new lazy loader is one row of `loaders.LOADERS`; a new carrier is one function and its name in `FLAT_FINDERS`: see
docs/adding-a-finder.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from turbohtml import Element, Namespace

from mediamirror.markup.page.carriers import find_carriers
from mediamirror.markup.page.conditional import in_comments
from mediamirror.markup.page.custom_elements import find_custom
from mediamirror.markup.page.data_markup import in_data
from mediamirror.markup.page.elements import Family, Read, image_set, read_source
from mediamirror.markup.page.jsonld import find_jsonld
from mediamirror.markup.page.lazy import element_reads, find_lazy, lazy_reads
from mediamirror.markup.page.loaders import KNOWN
from mediamirror.markup.page.meta import find_meta, find_microdata
from mediamirror.markup.page.nested import within
from mediamirror.markup.page.page import Page
from mediamirror.markup.page.page_json import find_scripts
from mediamirror.markup.page.styles import find_styles
from mediamirror.markup.page.svg import find_svg
from mediamirror.markup.page.trackers import without_tracker
from mediamirror.markup.page.unclosed import find_unclosed
from mediamirror.model import ImageSet

Finder = Callable[[Page], Iterator[ImageSet]]

STANDARD = Family(srcset="srcset", src="src", sizes="sizes")
PRELOAD = Family(srcset="imagesrcset", src="href", sizes="imagesizes")

MAX_ELEMENTS = 100_000
"""Most ``img`` and ``source`` elements of one page that are looked at."""
_ANCESTORS_LOOKED_AT = 32


def find_images(page: Page) -> Iterator[ImageSet]:
    """``img`` alone, and ``picture`` with its sources.

    HTML, 4.8.4.3.11 "update the source set": for an ``img`` whose parent is a ``picture``, the ``source`` children before
    it count. Those that a browser never selects from are kept, and say why.
    """
    for group in _grouped(page):
        if not group.images:
            reads = [row for s in group.sources for row in _source(page, s.element, "no-img")]
            reads += _of_picture(page, group.picture)
            yield image_set(page, group.sources[0].element, reads)
        for image in group.images:
            yield _image(page, image, group)


def find_preloads(page: Page) -> Iterator[ImageSet]:
    """``link rel=preload as=image`` with ``imagesrcset`` or ``href`` (HTML, 4.2.4 and "preload")."""
    for link in page.elements(["link"]):
        if "preload" in _tokens(link, "rel") and _tokens(link, "as") == ["image"]:
            yield image_set(page, link, [read_source(page, link, PRELOAD, carrier="link")])


_OWNERS = frozenset({"picture", "video", "audio"})
FLAT_FINDERS: tuple[Finder, ...] = (
    find_images,
    find_preloads,
    find_carriers,
    find_svg,
    find_styles,
    find_meta,
    find_microdata,
    find_jsonld,
    find_lazy,
    find_custom,
    find_scripts,
    find_unclosed,
)
"""The finders of one page by itself."""

WITHOUT_ENDS = tuple(finder for finder in FLAT_FINDERS if finder is not find_unclosed)
"""For pieces of markup, which may well end within a tag."""

FINDERS: tuple[Finder, ...] = (*FLAT_FINDERS, within(FLAT_FINDERS), in_data(WITHOUT_ENDS), in_comments(WITHOUT_ENDS))
"""Every finder that runs over a page and the pages within it; the order does not matter."""


@dataclass(frozen=True, slots=True)
class _Member:
    element: Element
    order: int
    is_child: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """One picture's sources and images, or one image outside of any picture."""

    picture: Element | None
    sources: list[_Member] = field(default_factory=list)
    images: list[_Member] = field(default_factory=list)


def _grouped(page: Page) -> Iterator[_Group]:
    groups: dict[object, _Group] = {}
    for order, element in enumerate(islice(page.elements(["img", "source"]), MAX_ELEMENTS)):
        picture = _picture_of(element)
        if picture is None and element.tag == "source":
            continue  # of video or audio, or stray: never an image
        # Wrappers of one element compare equal; an element without picture is a group of its own.
        owner = element if picture is None else picture
        group = groups.get(owner)
        if group is None:
            group = groups[owner] = _Group(picture)
        member = _Member(element, order, picture is not None and element.parent == picture)
        (group.images if element.tag == "img" else group.sources).append(member)
    yield from groups.values()


def _picture_of(element: Element) -> Element | None:
    for ancestor in islice(element.ancestors, _ANCESTORS_LOOKED_AT):
        if not isinstance(ancestor, Element):
            return None
        tag = ancestor.tag
        if tag in _OWNERS and ancestor.namespace is Namespace.HTML:
            return ancestor if tag == "picture" else None
    return None


def _image(page: Page, image: _Member, group: _Group) -> ImageSet:
    sources = group.sources
    before = [row for s in sources if s.order < image.order for row in _source(page, s.element, _why_not(s, image))]
    own = element_reads(page, image.element, STANDARD, KNOWN, carrier="img")
    own += _of_picture(page, group.picture)
    after = [row for s in sources if s.order > image.order for row in _source(page, s.element, _why_not(s, image))]
    alt = image.element.attrs.get("alt")
    row = image_set(page, image.element, [*before, *own, *after], alt if isinstance(alt, str) else None)
    row = _with_picture(row, group.picture)
    return without_tracker(row, image.element)


def _with_picture(row: ImageSet, picture: Element | None) -> ImageSet:
    """What is switched off on the picture itself is so for its img."""
    off = None if picture is None else picture.attrs.get("data-mediamirror-ignore")
    if not isinstance(off, str):
        return row
    img = next((at for at, s in enumerate(row.sources) if s.carrier == "img" and s.switched_off is None), None)
    at = 0 if img is None else img
    sources = tuple(replace(s, switched_off=off) if n == at else s for n, s in enumerate(row.sources))
    return replace(row, sources=sources)


def _of_picture(page: Page, picture: Element | None) -> list[Read]:
    """What a loader keeps on the picture itself."""
    return [] if picture is None else list(lazy_reads(page, picture, KNOWN, carrier="picture"))


def _why_not(source: _Member, image: _Member) -> str | None:
    if not source.is_child:
        return "not-a-child"
    if not image.is_child:
        return "img-not-a-child"
    return "after-img" if source.order > image.order else None


def _source(page: Page, element: Element, why_not: str | None) -> list[Read]:
    return element_reads(page, element, STANDARD, KNOWN, carrier="source", why_not=why_not)


def _tokens(element: Element, name: str) -> list[str]:
    value = element.attrs.get(name) or ""
    return (" ".join(value) if isinstance(value, list) else value).lower().split()

"""Finders for pages: each takes a `Page` and yields image sets; `FINDERS` lists them all.

A new lazy loader is one row of `loaders.LOADERS`; a new carrier is one function and its name in `FLAT_FINDERS`: see
docs/adding-a-finder.md.

The last one looks for a quote of an attribute that is never closed: it swallows the page up to the next quote, images and all.
Browsers read so too, and show as little (HTML, 13.2.5.36 "attribute value (double-quoted) state"). So nothing of it is an image of
the page, but whoever mirrors the page wants to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field
from functools import partial
from itertools import islice

from turbohtml import Document, Element, Namespace

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.css import stylesheet
from mediamirror.markup.page.carriers import find_carriers, find_svg
from mediamirror.markup.page.elements import Read, image_set, read_source
from mediamirror.markup.page.embedded_json import find_scripts
from mediamirror.markup.page.inner_html import in_comments, in_data, in_frames
from mediamirror.markup.page.jsonld import find_jsonld
from mediamirror.markup.page.lazy import element_reads, find_custom, find_lazy, lazy_reads
from mediamirror.markup.page.loaders import KNOWN, Family
from mediamirror.markup.page.meta import find_meta, find_microdata
from mediamirror.markup.page.parsed import Page, Value, content, only_a_problem, place, shrinkage
from mediamirror.markup.places import charrefs
from mediamirror.markup.places.urls import shown
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
            yield _unclosed(page, page.line_in(value, 0), f"{what}: the page between is read as its value")
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
        yield _unclosed(page, _line(page, tag.start()), f"The page ends within the tag {tag['tag']}> that begins here")
    else:
        what = f"The quote that opens {opened['name'][:60]} here is never closed: the rest of the page is read as its value"
        yield _unclosed(page, _line(page, opened.start("name")), what)


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


def _unclosed(page: Page, line: int, what: str) -> ImageSet:
    return page.told(CODE, f"{what}, and no image there is found.", line)


TRACKER = "tracker-pixel"
_LARGEST = 2
_LEADING_DIGITS = pattern(r"[\t\n\f\r ]*\+?([0-9]+)")
_COUNTERS = pattern(
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
    message = f"{shown(url.url)} is a tracking pixel: it is left out."
    problem = Problem(TRACKER, message, url.reference.line, url.span, row.document)
    return replace(row, sources=(), problems=(*row.problems, problem))


def _is_tiny(element: Element, name: str) -> bool:
    """HTML, "rules for parsing non-negative integers": leading digits count, in px."""
    match = _LEADING_DIGITS.match(element.attr(name) or "")
    return match is not None and len(match[1]) <= 9 and int(match[1]) <= _LARGEST


_STYLE_ATTRIBUTES = '[style*="("]'
"""A selector that leaves out what can hold no function: most ``style`` attributes of most pages."""
_PRESENTATION = ("fill", "stroke", "filter", "mask", "clip-path", "cursor", "marker-start", "marker-mid", "marker-end")
"""SVG 2, 6.6: the presentation attributes whose value may be a url()."""
_PRESENTED = ", ".join(f'[{name}*="url(" i]' for name in _PRESENTATION)
MAX_SHRINKAGE = 1 << 20
"""Most code points that decoding may take off one attribute: each reference is decoded by itself."""


def find_styles(page: Page) -> Iterator[ImageSet]:
    """Yield the sets of all CSS in the page; problems that belong to none come as sets without candidates."""
    page = replace(page, context=stylesheet.context_of(page.context))
    for style in page.root.iter_elements(["style"]):
        if (style.attr("type") or "text/css").strip().lower() == "text/css":
            yield from _in_value(page, content(page, style))
    for element in page.root.select(_STYLE_ATTRIBUTES):
        yield from _in_attribute(page, element, "style")
    for element in page.root.select(_PRESENTED):
        if element.namespace is Namespace.SVG:
            for name in _PRESENTATION:
                yield from _in_attribute(page, element, name)


def _in_attribute(page: Page, element: Element, name: str) -> Iterator[ImageSet]:
    text = element.attr(name) or ""
    if "(" not in text:
        return
    if shrinkage(element, name) > MAX_SHRINKAGE:
        message = f"The {name} attribute is made of too many character references: it is left out."
        yield page.told("attribute-too-large", message, page.line(element))
    else:
        yield from _in_value(page, page.value(element, name))


def _in_value(page: Page, value: Value | None) -> Iterator[ImageSet]:
    if value is None:
        return
    rows = stylesheet.image_sets(
        value.text,
        page.context.document,
        lambda candidate: place(page, candidate, value, "css"),
        lambda position: page.line_in(value, position),
    )
    for row in rows:
        yield only_a_problem(row) if isinstance(row, Problem) else row


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
"""The finders for pieces of markup, which may end within a tag."""

FINDERS: tuple[Finder, ...] = (
    *FLAT_FINDERS,
    partial(in_frames, finders=FLAT_FINDERS),
    *(partial(each, finders=WITHOUT_ENDS) for each in (in_data, in_comments)),
)
"""Every finder that runs over a page and the pages within it; the order does not matter."""


@dataclass(frozen=True, slots=True)
class _Member:
    element: Element
    order: int
    is_child: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """The sources and images of one ``picture``, or one image outside of any."""

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
    own = element_reads(page, image.element, STANDARD, KNOWN, carrier="img")
    if group.picture is not None:
        own += lazy_reads(page, group.picture, KNOWN, carrier="picture")
        sources = group.sources
        before = [row for s in sources if s.order < image.order for row in _source(page, s.element, _why_not(s, image))]
        after = [row for s in sources if s.order > image.order for row in _source(page, s.element, _why_not(s, image))]
        own = [*before, *own, *after]
    alt = image.element.attrs.get("alt")
    row = image_set(page, image.element, own, alt if isinstance(alt, str) else None)
    row = _with_picture(row, group.picture)
    return without_tracker(row, image.element)


def _with_picture(row: ImageSet, picture: Element | None) -> ImageSet:
    """What `data-mediamirror-ignore` switches off on a picture is switched off for its img."""
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

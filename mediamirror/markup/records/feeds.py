"""Images in feeds: RSS 2.0 and its relatives, Atom (RFC 4287), and JSON Feed, which `structured` reads.

Media RSS (https://www.rssboard.org/media-rss): what one ``media:group`` holds are renditions of one image. HTML in items is
read as a fragment, whether it stands there escaped, as CDATA or as XHTML; its relative URLs are those of the page that the
item links to, unless ``xml:base`` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.json.records import is_json_within
from mediamirror.markup.naming import is_image_type, is_image_url, joined_images
from mediamirror.markup.places.candidates import Context, length
from mediamirror.markup.places.json_text import read_json
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import Piece, Spelled, Spelling, unescaped_again, with_references
from mediamirror.markup.places.urls import base_of
from mediamirror.markup.places.xml_text import Element, End, Flaw, declared_encoding, read_xml
from mediamirror.markup.records.feed_names import (
    GROUP,
    HTML_NAMES,
    ITEMS,
    SRCSET,
    Name,
    image_attribute,
    may_name_image,
    name_of,
    names_image,
)
from mediamirror.markup.records.fragment import Find, in_html, in_html_unmerged, in_text
from mediamirror.markup.records.placing import Placing, Stated, collected
from mediamirror.markup.records.record_images import RecordReader
from mediamirror.markup.records.structured import find_json, is_json
from mediamirror.model import Extraction, ImageSet, Problem, Source, Span

_ATTACHMENT, _META = Name("wp", "attachment_url"), Name("wp", "meta_value")
_SERIALISED = pattern(r"\s*+a:[0-9]{1,6}:\{")
_RENDITION = pattern(
    r'"file";s:[0-9]{1,6}:"(?P<file>[^"]{1,1000})";s:5:"width";i:(?P<width>[0-9]{1,6});s:6:"height";i:(?P<height>[0-9]{1,6});'
    r'|s:5:"width";i:(?P<own_width>[0-9]{1,6});s:6:"height";i:(?P<own_height>[0-9]{1,6});s:4:"file";s:[0-9]{1,6}:"(?P<own>[^"]{1,1000})"'
)
"""A file in what WordPress keeps of an attachment, as PHP serialises it: one of its sizes, or itself."""
_ADDRESS = pattern(
    r'"(?P<url>(?:https?:)?//[^"\s]{1,2000})"|"original_image";s:[0-9]{1,6}:"(?P<original>[^"/]{1,1000})"'
)
MAX_PIECES = 100_000
"""Most runs of text kept for one element."""
_LINK = Name("", "link")
_PREFIX = pattern(r"xmlns:([\w\-]{1,20})\s*=\s*[\"']http://www\.w3\.org/1999/xhtml[\"']")


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of a feed, in document order. Never raises for bytes.

    ``encoding`` is the label that the transport gave; it beats the XML declaration (RFC 7303, 3).
    """
    if is_json(data):
        return find_json(data, document=document, base_url=base_url, encoding=encoding, merge=merge)
    place = Placing(decode(data, encoding or declared_encoding(data)), Context(document, base_url))
    return collected(_Reader(place, merge=merge).read(), document, merge=merge)


@dataclass(slots=True)
class _Frame:
    """An element that is open. ``base`` is its base URL, ``pieces`` its own text where that is wanted.

    ``is_based`` says that an ``xml:base`` gave the base URL; ``is_html`` that the element is part of an item's HTML.
    """

    name: Name
    element: Element
    base: str | None
    is_based: bool
    is_html: bool
    pieces: list[Piece] | None
    has_elements: bool = False


@dataclass(slots=True)
class _Item:
    """What waits for the end of an entry: its HTML or plain text, which is read when its link is known."""

    link: str | None = None
    attachment: str | None = None
    html: list[tuple[Spelled, Find, str | None]] = field(default_factory=list)


class _Reader:
    """Goes through a feed once; holds what is open, and no more than one entry's text."""

    def __init__(self, place: Placing, *, merge: bool) -> None:
        self._place = place
        self._find = in_html if merge else in_html_unmerged
        self._open: list[_Frame] = []
        self._item = _Item()
        self._items_open = 0
        self._group: list[tuple[Source, tuple[Problem, ...]]] | None = None
        self._group_line = 0

    def read(self) -> Iterator[ImageSet]:
        """Yield the image sets, those of an entry's HTML when it ends."""
        for event in read_xml(self._place.source.text):
            if isinstance(event, Element):
                yield from self._start(event)
            elif isinstance(event, End):
                yield from self._end(event)
            elif isinstance(event, Flaw):
                line = self._place.source.line(event.at)
                yield self._place.trouble(event.problem(line, self._place.context.document))
            elif self._open and (pieces := self._open[-1].pieces) is not None and len(pieces) < MAX_PIECES:
                pieces.append(event)
        yield from self._flush()

    def _start(self, element: Element) -> Iterator[ImageSet]:
        frame = self._framed(element)
        self._open.append(frame)
        if frame.is_html:
            return
        if frame.name in ITEMS:
            yield from self._flush()
            self._items_open += 1
        elif frame.name == GROUP:
            self._group, self._group_line = [], self._place.source.line(element.start)
        elif frame.name == _LINK and (element.text("rel") or "alternate").lower() == "alternate":
            self._item.link = self._item.link or element.text("href") or None
        elif frame.name == SRCSET:
            yield from self._srcset(frame)
        yield from self._attribute(frame)

    def _framed(self, element: Element) -> _Frame:
        name = name_of(element)
        parent = self._open[-1] if self._open else None
        base, is_based, is_html = self._place.context.base, False, False
        if parent is not None:
            parent.has_elements = True
            base, is_based = parent.base, parent.is_based
            is_html = parent.is_html or parent.name in HTML_NAMES
        if (declared := element.text("xml:base")) is not None:
            base, is_based = base_of(declared, base), True
        wanted = not is_html and (
            name in HTML_NAMES
            or name in {_LINK, _META}
            or names_image(name, parent.name if parent else None)
            or may_name_image(name)
        )
        return _Frame(name, element, base, is_based, is_html, [] if wanted else None)

    def _attribute(self, frame: _Frame) -> Iterator[ImageSet]:
        """The image that an element's attribute names."""
        element = frame.element
        attribute = image_attribute(frame.name, element)
        if attribute is None:
            return
        width, height = length(element.text("width") or ""), length(element.text("height") or "")
        mime = element.text("type")
        stated = Stated(width, height, mime if is_image_type(mime) else None)
        value = Spelling.of([with_references(attribute.raw, attribute.start)])
        row = self._place.based_on(frame.base).single(value, frame.name.carrier, attribute.name, stated)
        if self._group is None or frame.name.space != "media":
            yield row
        else:
            self._group += [(source, row.problems) for source in row.sources]

    def _srcset(self, frame: _Frame) -> Iterator[ImageSet]:
        """Podcast namespace, ``podcast:images``: a srcset in an attribute."""
        attribute = frame.element.get("srcset")
        if attribute is not None:
            value = Spelling.of([with_references(attribute.raw, attribute.start)])
            place, carrier = self._place.based_on(frame.base), frame.name.carrier
            candidates, problems = place.srcset(value, carrier, attribute.name)
            yield place.image_set(place.line(value), [(Source(carrier, candidates), problems)])

    def _end(self, end: End) -> Iterator[ImageSet]:
        frame = self._open.pop()
        if frame.is_html:
            return
        if frame.name in ITEMS:
            self._items_open -= 1
            yield from self._flush()
        elif frame.name == GROUP:
            if self._group:
                yield self._place.image_set(self._group_line, self._group)
            self._group = None
        elif frame.name in HTML_NAMES:
            self._html(frame, end)
            if not self._items_open:
                yield from self._flush()
        elif frame.pieces:
            yield from self._text(frame, Spelling.of(frame.pieces))

    def _text(self, frame: _Frame, value: Spelling) -> Iterator[ImageSet]:
        """The image, or the entry's page, that an element's text names."""
        if not value.text.strip():
            return
        if frame.name == _META:
            yield from self._meta(
                value, self._place.based_on(base_of(self._item.attachment or self._item.link or "", frame.base))
            )
        elif frame.name != _LINK:
            if frame.name == _ATTACHMENT:
                self._item.attachment = value.text.strip()
            parent = self._open[-1].name if self._open else None
            looks = is_image_url(value.text.strip()) or joined_images(value.text)
            if not names_image(frame.name, parent) and (frame.has_elements or not looks):
                return
            yield from self._place.based_on(frame.base).each(value, frame.name.carrier, None)
        elif self._items_open:
            self._item.link = self._item.link or value.text.strip()

    def _meta(self, value: Spelling, place: Placing) -> Iterator[ImageSet]:
        """What a WordPress export keeps beside a post: PHP's serialised values, JSON of page builders, HTML, an address."""
        if _SERIALISED.match(value.text) is not None:
            files = [self._rendition(match, value, place) for match in _RENDITION.finditer(value.text)]
            if files:
                yield place.image_set(
                    files[0].line, [(source, row.problems) for row in files for source in row.sources]
                )
            for match in _ADDRESS.finditer(value.text):
                if match.lastgroup == "original" or is_image_url(match["url"]):
                    yield place.single(_part(value, match.span(match.lastgroup or 0)), _META.carrier, None)
        elif is_json_within(value.text):
            reader = RecordReader(place, self._find is in_html, outer=value)
            for record in read_json(value.text).values:
                yield from reader.images(record)
        elif "<" in value.text:
            yield from place.within(value, self._find)
        elif "//" in value.text and is_image_url(value.text.strip()):
            yield from place.each(value, _META.carrier, None)

    def _rendition(self, match: re.Match[str], value: Spelling, place: Placing) -> ImageSet:
        """One file of an attachment. The sizes stand beside the file itself, whose path is that below the uploads."""
        own = "own" if match["own"] is not None else ""
        width, height, name = (f"{own}_{each}".strip("_") for each in ("width", "height", "" if own else "file"))
        start, end = match.span(name)
        start += match[name].rfind("/") + 1
        return place.single(
            _part(value, (start, end)), _META.carrier, None, Stated(int(match[width]), int(match[height]))
        )

    def _html(self, frame: _Frame, end: End) -> None:
        kind = (frame.element.text("type") or "").lower()
        if kind.startswith(("image/", "audio/", "video/")):
            return
        if frame.has_elements:
            # XHTML, or HTML that somebody forgot to escape: it reads as HTML as it stands.
            start = frame.element.end
            value = _without_prefix(self._place.source.text[start : max(start, end.start)], start, frame.element)
        else:
            value = Spelling.of(frame.pieces or [])
        spelled = unescaped_again(value)
        if "<" in spelled.text:
            self._item.html.append((spelled, self._find, frame.base if frame.is_based else None))
        elif "://" in spelled.text:
            self._item.html.append((value, in_text, frame.base if frame.is_based else None))

    def _flush(self) -> Iterator[ImageSet]:
        """Read the HTML and the text that have waited."""
        item, self._item = self._item, _Item()
        own = self._place.context.base
        page = base_of(item.link, own) if item.link else own
        for value, find_in, base in item.html:
            yield from self._place.based_on(base or page).within(value, find_in)


def _part(value: Spelling, span: Span) -> Spelling:
    return Spelling.of([Piece(value.text[slice(*span)], *value.raw_span(*span))])


def _without_prefix(raw: str, start: int, element: Element) -> Spelling:
    """XHTML as HTML knows it: where its elements have a prefix (``<h:img>``), without."""
    declared = _PREFIX.search(raw, 0, 2000)
    known = (prefix for prefix, uri in element.spaces.items() if prefix and uri == "http://www.w3.org/1999/xhtml")
    prefix = declared[1] if declared else next(known, None)
    if prefix is None:
        return Spelling.of([Piece(raw, start, start + len(raw))])
    return Spelling.of(_pieces_without(raw, start, f"{prefix}:"))


def _pieces_without(raw: str, start: int, prefix: str) -> Iterator[Piece]:
    done, at = 0, raw.find(prefix)
    while at >= 0:
        end = at + len(prefix)
        if raw[max(0, at - 2) : at].endswith(("<", "</")):
            yield Piece(raw[done:at], start + done, start + at)
            done = end
        at = raw.find(prefix, end)
    yield Piece(raw[done:], start + done, start + len(raw))

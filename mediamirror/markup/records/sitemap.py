"""Images in sitemaps, and the pages and further sitemaps that they list (https://www.sitemaps.org/protocol.html).

Images: https://developers.google.com/search/docs/crawling-indexing/sitemaps/image-sitemaps, and the thumbnails of its video
extension. Following what is listed is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from mediamirror.first_use import dataclass
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import Piece, Spelling
from mediamirror.markup.places.urls import Skip, resolve
from mediamirror.markup.places.xml_text import Element, End, Flaw, declared_encoding, read_xml
from mediamirror.markup.records.feed_names import Name, name_of
from mediamirror.markup.records.placing import Placing, collected
from mediamirror.model import Extraction, ImageSet, Problem

MAX_URLS = 50_000
"""Most ``url`` and ``sitemap`` entries that one sitemap may have, by the protocol; what comes after is left out."""
MAX_BYTES = 52_428_800
"""Largest sitemap by the protocol, in bytes, uncompressed."""
INDEX = "sitemap-index"
"""The code of the note that a sitemap lists others."""
_PIECES = 1_000
_IMAGE = Name("image", "image")
_THUMBNAIL = Name("video", "thumbnail_loc")
_LOC = Name("", "loc")
_CAPTIONS = (Name("image", "caption"), Name("image", "title"))
_ENTRIES = {Name("", "url"): "page", Name("", "sitemap"): "sitemap"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One address that a sitemap lists: of a page, or of another sitemap. ``kind`` is ``page`` or ``sitemap``."""

    url: str
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What a sitemap lists: addresses in order, image sets, and problems."""

    entries: tuple[Entry, ...]
    extraction: Extraction


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of a sitemap: one for each image. Never raises for bytes."""
    return read(data, document=document, base_url=base_url, encoding=encoding, merge=merge).extraction


def read(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Sitemap:
    """Read a sitemap or a sitemap index whole: the images, and what else there is to follow. Never raises for bytes."""
    label = encoding or declared_encoding(data)
    place = Placing(decode(data[:MAX_BYTES], label), Context(document, base_url))
    reader = _Reader(place)
    found = collected(reader.read(), document, merge=merge)
    if len(data) > MAX_BYTES:
        message = (
            f"The sitemap is larger than {MAX_BYTES:,} bytes, which is more than one may be: the rest is left out."
        )
        found = Extraction(found.sets, (*found.problems, Problem("sitemap-too-large", message, document=document)))
    return Sitemap(tuple(reader.entries), _with_note(found, reader.entries, document))


def _with_note(extraction: Extraction, entries: list[Entry], document: str) -> Extraction:
    children = [entry for entry in entries if entry.kind == "sitemap"]
    if not children:
        return extraction
    message = f"This is an index of sitemaps: {len(children):,} are listed, and what they hold is read with --follow-sitemap only."
    note = Problem(INDEX, message, children[0].line, document=document)
    return Extraction(extraction.sets, (*extraction.problems, note))


@dataclass(slots=True)
class _Open:
    name: Name
    start: int
    pieces: list[Piece] = field(default_factory=list)

    @property
    def value(self) -> Spelling:
        return Spelling.of(self.pieces, self.start)


@dataclass(slots=True)
class _Image:
    """One ``image:image`` while its parts come in."""

    loc: Spelling | None = None
    captions: dict[Name, str] = field(default_factory=dict)

    @property
    def alt(self) -> str | None:
        return next((self.captions[name] for name in _CAPTIONS if self.captions.get(name)), None)


class _Reader:
    """Goes through a sitemap once. ``entries`` are what it lists."""

    def __init__(self, place: Placing) -> None:
        self._place = place
        self._open: list[_Open] = []
        self._image = _Image()
        self._count = 0
        self.entries: list[Entry] = []

    def read(self) -> Iterator[ImageSet]:
        """Yield the image sets, in order."""
        for event in read_xml(self._place.source.text):
            if isinstance(event, Element):
                self._start(event)
                if self._count > MAX_URLS:
                    yield self._trouble("sitemap-too-long", _TOO_LONG, event.start)
                    return
            elif isinstance(event, Flaw):
                yield self._place.trouble(
                    event.problem(self._place.source.line(event.at), self._place.context.document)
                )
            elif isinstance(event, End):
                yield from self._end(self._open.pop())
            elif self._open and len(self._open[-1].pieces) < _PIECES:
                self._open[-1].pieces.append(event)

    def _start(self, element: Element) -> None:
        name = name_of(element)
        self._open.append(_Open(name, element.end))
        if name in _ENTRIES:
            self._count += 1
        elif name == _IMAGE:
            self._image = _Image()

    def _end(self, ended: _Open) -> Iterator[ImageSet]:
        parent = self._open[-1].name if self._open else Name("", "")
        if ended.name == _LOC and parent in _ENTRIES:
            yield from self._entry(ended.value, _ENTRIES[parent])
        elif ended.name.space == "image" and ended.name.local == "loc":
            self._image.loc = ended.value
        elif ended.name in _CAPTIONS:
            self._image.captions[ended.name] = " ".join(ended.value.text.split())
        elif ended.name == _IMAGE and self._image.loc is not None:
            yield self._place.single(self._image.loc, _IMAGE.carrier, None, alt=self._image.alt)
        elif ended.name == _THUMBNAIL:
            yield self._place.single(ended.value, _THUMBNAIL.carrier, None)

    def _entry(self, loc: Spelling, kind: str) -> Iterator[ImageSet]:
        line = self._place.line(loc)
        url = resolve(loc.text, self._place.context.base)
        if isinstance(url, Skip):
            yield self._trouble(url.code, url.message, loc.raw_span(0, 0)[0])
        else:
            self.entries.append(Entry(url, kind, line))

    def _trouble(self, code: str, message: str, at: int) -> ImageSet:
        line = self._place.source.line(at)
        return self._place.trouble(Problem(code, message, line, document=self._place.context.document))


_TOO_LONG = f"The sitemap lists more than {MAX_URLS:,} addresses, which is more than one may: the rest is left out."

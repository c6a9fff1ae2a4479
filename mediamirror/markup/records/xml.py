"""Images in XML of no standard: merchants' lists of goods (Yandex's YML, Heureka), exports, KML, DocBook.

It is read as a record is: each attribute, and the text of each element without elements, is a field, whose name and value tell
whether it holds images. Root elements of feeds, sitemaps and pages are known, and read by their own rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import Piece, Spelling, with_references
from mediamirror.markup.places.xml_text import Element, End, Flaw, declared_encoding, read_xml
from mediamirror.markup.records.placing import Place, collected
from mediamirror.markup.records.record_images import RecordReader
from mediamirror.model import Extraction, ImageSet

_FILES = frozenset({"href", "url", "src", "uri", "file", "loc", "value"})
MAX_PIECES = 100_000
"""Most runs of text kept for one element."""


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of an XML document, in document order. Never raises for bytes.

    ``encoding`` is the label that the transport gave; it beats the XML declaration (RFC 7303, 3).
    """
    place = Place(decode(data, encoding or declared_encoding(data)), Context(document, base_url))
    return collected(_sets(place, merge=merge), document, merge=merge)


def _named(element: Element) -> str:
    """What an element is called: where all are alike, as in ``<field name="image">``, its name stands in an attribute."""
    said = element.text("name") or element.text("key") or ""
    return f"{element.name} {said}".rstrip()


def _sets(place: Place, *, merge: bool) -> Iterator[ImageSet]:
    reader = RecordReader(place, merge, carrier="xml")
    pieces: list[Piece] | None = None  # the text of the innermost element, while it has no elements
    names: list[str] = []
    for event in read_xml(place.source.text):
        if isinstance(event, Element):
            pieces = []
            names.append(_named(event))
            for attribute in event.attributes:
                value = Spelling.of([with_references(attribute.raw, attribute.start)])
                yield from reader.value(place, f"{names[-1]} {attribute.name}", value)
        elif isinstance(event, End):
            name = names.pop()
            if pieces:
                # `<Icon><href>`, `<Data name="image"><value>`: the element around it says what the file is of.
                name = f"{names[-1]} {name}" if names and name.lower() in _FILES else name
                yield from reader.value(place, name, Spelling.of(pieces))
            pieces = None
        elif isinstance(event, Flaw):
            yield place.trouble(event.problem(place.source.line(event.at), place.context.document))
        elif pieces is not None and len(pieces) < MAX_PIECES:
            pieces.append(event)

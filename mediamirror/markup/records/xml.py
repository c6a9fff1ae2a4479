"""Images in XML of no standard: merchants' lists of goods (Yandex's YML, Heureka), exports, KML, DocBook, office documents.

It is read as a record is: each attribute, and the text of each element without elements, is a field, whose name and value tell
whether it holds images. Root elements of feeds, sitemaps and pages are known, and read by their own rules. In the parts of an
office document (Office Open XML) only its relationships name files (ECMA-376, part 2, 6.5); others are names that it had once.
"""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.markup.naming import is_image_type
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import Piece, Spelling, with_references
from mediamirror.markup.places.xml_text import Attribute, Element, End, Flaw, declared_encoding, read_xml
from mediamirror.markup.records.placing import Placing, Stated, collected
from mediamirror.markup.records.record_images import RecordReader
from mediamirror.model import Extraction, ImageSet

_FILES = frozenset({"href", "url", "src", "uri", "file", "loc", "value"})
_TYPES = frozenset({"media-type", "type", "content-type", "mime-type", "mimetype"})
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = ("http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/", "http://schemas.microsoft.com/office/")
"""How the namespaces of Office Open XML begin: of its transitional form, its strict one, and what Microsoft adds."""
MAX_PIECES = 100_000
"""Most runs of text kept for one element."""


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of an XML document, in document order. Never raises for bytes.

    ``encoding`` is the label that the transport gave; it beats the XML declaration (RFC 7303, 3).
    """
    place = Placing(decode(data, encoding or declared_encoding(data)), Context(document, base_url))
    return collected(_sets(place, merge=merge), document, merge=merge)


def _named(element: Element) -> str:
    """What an element is called: where all are alike, as in ``<field name="image">``, its name stands in an attribute."""
    said = element.text("name") or element.text("key") or ""
    return f"{element.name} {said}".rstrip()


def _value(attribute: Attribute) -> Spelling:
    return Spelling.of([with_references(attribute.raw, attribute.start)])


def _file(element: Element) -> Attribute | None:
    """The attribute of an element that names an image's file, as the type beside it says."""
    if element.space == _RELATIONSHIPS:
        is_image = (element.text("Type") or "").endswith("/image") and element.text("TargetMode") == "External"
        return element.get("Target") if is_image else None
    if not is_image_type(_type(element)):
        return None
    return next((each for each in element.attributes if each.name.rpartition(":")[2] in _FILES), None)


def _type(element: Element) -> str | None:
    return next((element.text(each.name) for each in element.attributes if each.name in _TYPES), None)


def _fields(element: Element, file: Attribute | None) -> Iterator[Attribute]:
    """The attributes that may name an image: not those that declare or name a namespace, which many have the look of one."""
    if not element.attributes or element.space == _RELATIONSHIPS:
        return
    spaces = element.spaces.values()
    is_office = any(space.startswith(_OFFICE) for space in spaces)
    for each in element.attributes:
        is_name = each.name == "xmlns" or each.name.startswith("xmlns:") or each.raw in spaces
        if each is not file and not is_name and ("://" in each.raw or not is_office):
            yield each


def _sets(place: Placing, *, merge: bool) -> Iterator[ImageSet]:
    reader = RecordReader(place, merge, carrier="xml")
    pieces: list[Piece] | None = None  # the text of the innermost element, while it has no elements
    names: list[str] = []
    for event in read_xml(place.source.text):
        if isinstance(event, Element):
            pieces = []
            names.append(_named(event))
            file = _file(event)
            if file is not None:
                yield place.single(_value(file), "xml", f"{event.name} {file.name}", Stated(mime=_type(event)))
            for attribute in _fields(event, file):
                yield from reader.value(place, f"{names[-1]} {attribute.name}", _value(attribute))
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

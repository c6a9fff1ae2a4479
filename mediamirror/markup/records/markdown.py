"""Images in Markdown: ``![alt](url "title")``, reference style, inline HTML, and srcset strings in its text.

CommonMark 0.31 (https://spec.commonmark.org/0.31.2/), 6.3, 6.4 and 4.7; what stands in code is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5

from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.spelling import Piece, Spelling, as_written
from mediamirror.markup.records.fragment import in_html_unmerged, in_text
from mediamirror.markup.records.markdown_code import without_code
from mediamirror.markup.records.markdown_extras import extras
from mediamirror.markup.records.placing import Place, collected
from mediamirror.model import Extraction, ImageSet, Span

CARRIER = "markdown"
_ALT = r"(?<!\\)!\[((?:[^\[\]\\]|\\[\s\S]|\[[^\[\]]{0,300}\]){0,1000}+)\]"
_TARGET = r"(?:<([^<>\n]{1,8192})>|([^\s<>()]{1,8192}+(?:\([^\s()]{0,200}\)[^\s<>()]{0,8192}+){0,5}))"
_INLINE = re.compile(_ALT + r"\([ \t]*\n?[ \t]*" + _TARGET)
_BY_LABEL = re.compile(_ALT + r"(?:\[((?:[^\[\]\\]|\\.){0,999}+)\])?(?!\()")
_DEFINITION = re.compile(r"^[ >]{0,12}\[((?:[^\[\]\\\n]|\\.){1,999}+)\]:[ \t]*\n?[ \t]*" + _TARGET, re.MULTILINE)
_COMMENT = re.compile(r"<!--(?:[^-]++|-(?!->))*+-->")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SPACE = re.compile(r"\s+")


def find(source: SourceText, *, document: str, base_url: str | None, merge: bool = True) -> Extraction:
    """Find the image sets of a Markdown text, in document order. Linear in its length; never raises."""
    place = Place(source, Context(document, base_url))
    text = without_code(source.text)
    whole = as_written(text, 0)
    inline, plain = list(place.within(whole, in_html_unmerged)), list(place.within(whole, in_text))
    rows: list[ImageSet] = []
    seen: set[Span | None] = set()
    # One place is read once: as HTML within tags, by the text finder where a descriptor follows, else as an image.
    for found in (inline, plain, list(_images(place, text)), list(_added(place, text))):
        rows += [row for row in found if not seen & _spans(row)]
        seen |= {span for row in found for span in _spans(row)} - {None}
    return collected(rows, document, merge=merge)


def in_markdown(data: bytes, context: Context) -> Extraction:
    """Read a fragment as Markdown."""
    return find(decode(data, "utf-8"), document=context.document, base_url=context.base)


def _spans(row: ImageSet) -> set[Span | None]:
    return {c.reference.span for c in row.candidates if c.reference is not None}


def _images(place: Place, text: str) -> Iterator[ImageSet]:
    closed = text.rfind("-->") + 3
    if closed > 2:  # every comment that opens before it is closed by then
        text = _COMMENT.sub(lambda comment: " " * len(comment[0]), text[:closed]) + text[closed:]
    for match in _INLINE.finditer(text):
        yield _image(place, match, 2, match[1])
    definitions = _definitions(text)
    if definitions:
        for match in _BY_LABEL.finditer(text):
            defined = definitions.get(_label(match[2] or match[1]))
            if defined is not None:
                yield _image(place, defined, 2, match[1])


def _added(place: Place, text: str) -> Iterator[ImageSet]:
    for start, end in extras(text):
        yield place.single(as_written(text[start:end], start), CARRIER, None)


def _definitions(text: str) -> dict[str, re.Match[str]]:
    """Link reference definitions by label; the first of equal ones counts."""
    found: dict[str, re.Match[str]] = {}
    for match in _DEFINITION.finditer(text):
        found.setdefault(_label(match[1]), match)
    return found


def _label(text: str) -> str:
    return _SPACE.sub(" ", text.strip()).casefold()


def _image(place: Place, match: re.Match[str], group: int, alt: str) -> ImageSet:
    group = group if match[group] is not None else group + 1
    value = Spelling.of(_pieces(match[group], match.start(group)))
    return place.single(value, CARRIER, None, alt=_unescaped(alt).strip() or None)


def _pieces(raw: str, start: int) -> Iterator[Piece]:
    done = 0
    for match in _ESCAPE.finditer(raw):
        yield Piece(raw[done : match.start()], start + done, start + match.start())
        meant = match[1] or (unescape(match[0]) if match[0][1] == "#" else html5.get(match[0][1:], match[0]))
        yield Piece(meant, start + match.start(), start + match.end())
        done = match.end()
    yield Piece(raw[done:], start + done, start + len(raw))


def _unescaped(raw: str) -> str:
    return "".join(piece.text for piece in _pieces(raw, 0))

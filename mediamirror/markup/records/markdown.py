"""Images in Markdown: ``![alt](url "title")``, reference style, inline HTML, and srcset strings in its text.

CommonMark 0.31 (https://spec.commonmark.org/0.31.2/), 6.3, 6.4 and 4.7; what stands in code is left.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from html import unescape
from html.entities import html5

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.naming import has_image_extension, is_image_url, is_one_word
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.spelling import Piece, Spelling, as_written
from mediamirror.markup.places.urls import shown
from mediamirror.markup.records.fragment import in_bytes, in_html_unmerged, in_text
from mediamirror.markup.records.markdown_blocks import CODE, HTML, TEXT, parts
from mediamirror.markup.records.markdown_inline import Image, InlineReader, definition
from mediamirror.markup.records.placing import Placing, collected
from mediamirror.model import Extraction, ImageSet, Problem, Span

_PREFIX = pattern(r"(?:[ \t>]*+\r?\n|(?!))*+[ >]{0,12}(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]{1,4}){0,4}")


def without_code(text: str) -> str:
    """Return a text with everything that is code replaced by spaces: positions stay."""
    return _read(text).masked


@dataclass(frozen=True, slots=True)
class _Read:
    """A document's images, the text with its code blanked, and what looks like an image and is none."""

    images: list[Image]
    masked: str
    odd: list[Span]


def _read(text: str) -> _Read:
    blocks = list(parts(text))
    definitions: dict[str, Span] = {}
    starts = [_define(text, start, end, definitions) if kind == TEXT else start for start, end, kind in blocks]
    reader = InlineReader(text, definitions)
    images: list[Image] = []
    odd: list[Span] = []
    code: list[Span] = []
    for begin, (start, end, kind) in zip(starts, blocks, strict=True):
        if kind == CODE:
            code.append((start, end))
        elif kind == HTML:
            continue
        elif text.find("[", begin, end) >= 0 or text.find("`", begin, end) >= 0:
            found, spans, none = reader.read(begin, end)
            images += found
            code += spans
            odd += none
    pieces: list[str] = []
    done = 0
    for start, end in code:
        pieces += text[done:start], re.sub(r"[^\r\n]", " ", text[start:end])
        done = end
    return _Read(images, "".join(pieces) + text[done:] if pieces else text, odd)


def _define(text: str, start: int, end: int, definitions: dict[str, Span]) -> int:
    """Take in the definitions that a paragraph begins with; where what follows them begins. The first of equal ones counts."""
    while (prefix := _PREFIX.match(text, start, end)) and (found := definition(text, prefix.end(), end)) is not None:
        label, url, start = found
        definitions.setdefault(label, url)
    return start


_FRONT = pattern(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n")
# YAML and TOML alike, with their quotes; a list's item has no name of its own.
_FIELD = pattern(
    r"^[ \t]{0,40}(?:-[ \t]+)?(?:(?P<name>[\w.\-]{1,80})[ \t]*[:=][ \t]*)?"
    r"(?:\"(?P<a>[^\"\r\n]+)\"|'(?P<b>[^'\r\n]+)'|(?P<c>[^\s\"'#][^\s#]*+))[ \t]*(?:#[^\r\n]*)?\r?$",
    re.MULTILINE,
)
_TELLING = pattern(r"image|img|cover|hero|thumb|banner|photo|picture|logo|icon|poster|avatar|src|url", re.IGNORECASE)
_SHORTCODE = pattern(r"\{\{[<%][ \t]*[\w\-/]{1,80}+[ \t](?P<rest>[^{}]{0,4096}?)[>%]\}\}")
_SRC = pattern(r"(?<![\w\-])src[ \t]*=[ \t]*(?:\"(?P<a>[^\"]+)\"|'(?P<b>[^']+)'|(?P<c>[^\s\"'>]+))")
_WIKI = pattern(r"(?<!\\)!\[\[(?P<c>[^\[\]|#\n]{1,1024}+)(?:[|#][^\[\]\n]{0,200})?\]\]")


def extras(text: str) -> Iterator[Span]:
    """Yield the places of the URLs. Linear in the text's length."""
    yield from _front_matter(text)
    for code in _SHORTCODE.finditer(text):
        source = _SRC.search(text, *code.span("rest"))
        if source is not None and has_image_extension(source[source.lastgroup or 0]):
            yield source.span(source.lastgroup or 0)
    for link in _WIKI.finditer(text):
        if has_image_extension(link["c"]):
            yield link.span("c")


def _front_matter(text: str) -> Iterator[Span]:
    opening = _FRONT.match(text)
    end = text.find("\n" + opening[1], opening.end() - 1) if opening is not None else -1
    if opening is None or end < 0:
        return
    for field in _FIELD.finditer(text, opening.end(), end):
        group = next((name for name in "abc" if field[name] is not None), "c")
        url, name = field[group], field["name"]
        named = name is None or _TELLING.search(name) is not None
        if is_image_url(url) or (named and has_image_extension(url) and is_one_word(url)):
            yield field.span(group)


CARRIER = "markdown"
_MAX_ODD = 1000
"""Characters in which a destination that holds blanks is looked for, to tell of it."""
_PARENTHESIS = pattern(r"\\[\s\S]|[()]")
_TITLE = pattern(r"(?<!\s)\s++[\"'(]")
_COMMENT = pattern(r"<!--(?:[^-]++|-(?!->)|(?!))*+(?:-->|\Z)")
_ESCAPE = pattern(r"\\([!-/:-@\[-`{-~])|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|\\")


def find(source: SourceText, *, document: str, base_url: str | None, merge: bool = True) -> Extraction:
    """Find the image sets of a Markdown text, in document order. Linear in its length; never raises."""
    place = Placing(source, Context(document, base_url))
    read = _read(source.text)
    whole = as_written(read.masked, 0)
    inline, plain = list(place.within(whole, in_html_unmerged)), list(place.within(whole, in_text))
    rows: list[ImageSet] = []
    seen: set[Span | None] = set()
    # One place is read once: as HTML within tags, by the text finder where a descriptor follows, else as an image.
    for found in (inline, plain, list(_images(place, read)), list(_added(place, read.masked))):
        rows += [row for row in found if not seen & _places(row)]
        seen |= {span for row in found for span in _places(row)} - {None}
    return collected(rows, document, merge=merge)


def with_markup(
    found: Extraction, source: SourceText, *, document: str, base_url: str | None, merge: bool
) -> Extraction:
    """Add the images of Markdown and HTML within a text to those that were ``found`` in it as text."""
    place = Placing(source, Context(document, base_url))
    read = _read(source.text)
    seen = {span for row in found.sets for span in _places(row)}
    rows = list(found.sets)
    for more in (list(place.within(as_written(read.masked, 0), in_html_unmerged)), list(_images(place, read))):
        rows += [row for row in more if not seen & _places(row)]
        seen |= {span for row in more for span in _places(row)} - {None}
    extraction = collected(rows, document, merge=merge)
    return Extraction(extraction.sets, (*found.problems, *extraction.problems))


@in_bytes
def in_markdown(data: bytes, context: Context) -> Extraction:
    """Read a fragment as Markdown."""
    return find(decode(data, "utf-8"), document=context.document, base_url=context.base)


@in_bytes
def in_markdown_unmerged(data: bytes, context: Context) -> Extraction:
    """Read a fragment as Markdown, every place a set of its own."""
    return find(decode(data, "utf-8"), document=context.document, base_url=context.base, merge=False)


def _places(row: ImageSet) -> set[Span | None]:
    return {c.reference.span for c in row.candidates if c.reference is not None}


def _images(place: Placing, read: _Read) -> Iterator[ImageSet]:
    text, closed = place.source.text, read.masked.rfind("-->") + 3
    # Every comment that opens before it is closed by then.
    comments = [comment.span() for comment in _COMMENT.finditer(read.masked, 0, closed)] if closed > 2 else []
    for image in read.images:
        if not _within(comments, image.alt[0]):
            value = Spelling.of(_pieces(text[slice(*image.url)], image.url[0], backslash="%5C"), image.url[0])
            yield place.single(value, CARRIER, None, alt=_unescaped(text[slice(*image.alt)]).strip() or None)
    for start, end in read.odd:
        url = _as_meant(text[start : min(end, start + _MAX_ODD)])
        if has_image_extension(url) and len(url.split()) > 1 and not _within(comments, start):
            message = (
                f"{shown(' '.join(url.split()))} has a blank in it, so that this is no image: write it between < and >."
            )
            problem = Problem("markdown-blank", message, place.source.line(start), document=place.context.document)
            yield place.trouble(problem)


def _as_meant(text: str) -> str:
    """The destination that a text begins with, blanks in it or not, up to the parenthesis that ends it, without its title."""
    depth = 0
    for mark in _PARENTHESIS.finditer(text):
        if mark[0] == ")" and not depth:
            return _TITLE.split(text[: mark.start()])[0].strip()
        depth += (mark[0] == "(") - (mark[0] == ")")
    return ""


def _within(spans: list[Span], position: int) -> bool:
    at = bisect_right(spans, (position, position)) - 1
    return at >= 0 and position < spans[at][1]


def _added(place: Placing, text: str) -> Iterator[ImageSet]:
    for start, end in extras(text):
        yield place.single(as_written(text[start:end], start), CARRIER, None)


def _pieces(raw: str, start: int, *, backslash: str = "\\") -> Iterator[Piece]:
    """What a text means; ``backslash`` is what a backslash itself is written as, which a URL would take for a slash."""
    done = 0
    for match in _ESCAPE.finditer(raw):
        yield Piece(raw[done : match.start()], start + done, start + match.start())
        if match[0] in {"\\", "\\\\"}:
            meant = backslash
        else:
            meant = match[1] or (unescape(match[0]) if match[0][1] == "#" else html5.get(match[0][1:], match[0]))
        yield Piece(meant, start + match.start(), start + match.end())
        done = match.end()
    yield Piece(raw[done:], start + done, start + len(raw))


def _unescaped(raw: str) -> str:
    return "".join(piece.text for piece in _pieces(raw, 0))

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
from mediamirror.markup.naming.looks import has_image_extension, is_image_url, is_one_word
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.spelling import Piece, Spelling, as_written
from mediamirror.markup.places.urls import shown
from mediamirror.markup.records.fragment import in_html_unmerged, in_text
from mediamirror.markup.records.markdown_inline import MAX_DESTINATION, TAG, Image, Reader, definition
from mediamirror.markup.records.placing import Place, collected
from mediamirror.model import Extraction, ImageSet, Problem, Span

_LINE = pattern(r"[^\r\n]*(?:\r\n?|\n)?")
_FENCE = pattern(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t]|(?!))*+(`{3,}|~{3,})([^\r\n]*)")
_CLOSING = pattern(r"[ \t>]*(`{3,}|~{3,})[ \t]*\r?\n?\Z")
_LIST_ITEM = pattern(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]|\r?\n?\Z)")
_ITEM_IN_QUOTE = pattern(r" {0,3}>[ >]{0,12}(?:[-+*]|1[.)])[ \t]+\S")
_INDENT = pattern(r"[ \t]*+(?=\S)")
_PREFIXED = r"[ >]{0,12}(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]{1,4}){0,4}"
_HTML_BLOCK = pattern(
    _PREFIXED
    + r"<(?:(?P<raw>pre|script|style|textarea)(?=[\s>])|(?P<comment>!--)|(?P<declared>\?|!(?=[A-Za-z]|\[CDATA\[))"
    r"|/?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
    r"|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu"
    r"|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track"
    r"|ul)(?=[\s>]|/>|\Z))",
    re.IGNORECASE,
)
_HTML_LINE = pattern(_PREFIXED + TAG + r"[ \t]*\r?\n?\Z")
_RULE = pattern(r"[ >]{0,12}(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})\r?\n?\Z")
_UNDERLINE = pattern(r"[ >]{0,12}(?:=++|-++)[ \t]*\r?\n?\Z")
_UNTIL_BLANK = "\n"
_MARKS = "#=-*_"
"""What a heading, what underlines one, and what parts two paragraphs begin with."""
_QUOTE = pattern(r" {0,3}>")
_HEADING = pattern(r"[ >]{0,12}#{1,6}(?:[ \t]|\r?\n?\Z)")
_PREFIX = pattern(r"(?:[ \t>]*+\r?\n|(?!))*+[ >]{0,12}(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]{1,4}){0,4}")


def _is_indented(line: str, offset: int) -> bool:
    if line[0] not in " \t":
        return False
    indent = _INDENT.match(line)
    return indent is not None and len(indent[0].expandtabs(4)) >= offset + 4


def _html_end(opening: re.Match[str]) -> str:
    """CommonMark, 4.6: what ends the block that a line opens."""
    raw = opening.groupdict().get("raw")
    if raw is not None:
        return f"</{raw.lower()}>"
    if opening.groupdict().get("comment"):
        return "-->"
    return ">" if opening.groupdict().get("declared") else _UNTIL_BLANK


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
    parts = list(_parts(text))
    definitions: dict[str, Span] = {}
    starts = [_define(text, start, end, definitions) if kind == _TEXT else start for start, end, kind in parts]
    reader = Reader(text, definitions)
    images: list[Image] = []
    odd: list[Span] = []
    code: list[Span] = []
    for begin, (start, end, kind) in zip(starts, parts, strict=True):
        if kind == _CODE:
            code.append((start, end))
        elif kind == _HTML:
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


def _parts(text: str) -> Iterator[_Block]:
    """Paragraphs, blocks of code and blocks of HTML in order."""
    done = 0
    for start, end, kind in _blocks(text):
        if start > done:
            yield done, start, _TEXT
        if end > start:
            yield start, end, kind
        done = end
    if done < len(text):
        yield done, len(text), _TEXT


def _define(text: str, start: int, end: int, definitions: dict[str, Span]) -> int:
    """Take in the definitions that a paragraph begins with; where what follows them begins. The first of equal ones counts."""
    while (prefix := _PREFIX.match(text, start, end)) and (found := definition(text, prefix.end(), end)) is not None:
        label, url, start = found
        definitions.setdefault(label, url)
    return start


_CODE, _HTML, _TEXT = "code", "html", "text"
_Block = tuple[int, int, str]


def _blocks(text: str) -> Iterator[_Block]:
    """Blocks of code and of HTML; an empty one where a paragraph ends without one."""
    state = _State()
    for match in _LINE.finditer(text):
        if match.start() == match.end():
            break
        if state.html:
            yield from state.in_html(match)
        else:
            yield from state.fenced(match) if state.fence else state.open(match)
    if state.fence or state.html:
        yield state.opened, len(text), _CODE if state.fence else _HTML


@dataclass(slots=True)
class _State:
    """What the lines so far have opened. ``opened`` is where the block of code or HTML starts; ``html`` is what ends it.

    ``offset`` is the column in which the text of the last list item begins.
    """

    fence: str = ""
    opened: int = 0
    in_list: bool = False
    in_quote: bool = False
    after_blank: bool = True
    html: str = ""
    offset: int = 0

    def fenced(self, match: re.Match[str]) -> Iterator[_Block]:
        closing = _CLOSING.match(match[0])
        if closing is not None and closing[1].startswith(self.fence):
            yield self.opened, match.end(), _CODE
            self.fence, self.after_blank = "", True

    def in_html(self, match: re.Match[str]) -> Iterator[_Block]:
        """CommonMark, 4.6: until a blank line, or the line on which it is ended."""
        ended = not match[0].strip(" \t\r\n>") if self.html == _UNTIL_BLANK else self.html in match[0].lower()
        if ended:
            yield self.opened, match.end(), _HTML
            self.html, self.after_blank = "", True

    def open(self, match: re.Match[str]) -> Iterator[_Block]:
        """Take a line that is in no fenced block."""
        line, (start, end) = match[0], match.span()
        blank = not line.strip()
        opening = None if blank else _FENCE.match(line)
        if opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            self.fence, self.opened = opening[1], start
            yield start, start, _TEXT
        elif blank:
            yield start, start, _TEXT
        elif self.after_blank and _is_indented(line, self.offset if self.in_list else 0):
            yield start, end, _CODE
            return  # what is indented below it is code as well
        elif (
            "<" in line
            and (html := _HTML_BLOCK.match(line) or (_HTML_LINE.match(line) if self.after_blank else None)) is not None
        ):
            self.html, self.opened = _html_end(html), start
            yield start, start, _TEXT
            yield from self.in_html(match) if self.html != _UNTIL_BLANK else ()
        else:
            yield from self._text(line, start, end)
            return
        self.after_blank = blank

    def _text(self, line: str, start: int, end: int) -> Iterator[_Block]:
        item = None if _RULE.match(line) else _LIST_ITEM.match(line)
        is_empty = item is not None and not line[item.end() :].strip()
        if is_empty and not self.after_blank and not self.in_list:
            item, is_empty = None, False  # CommonMark, 5.2: an empty item can't end a paragraph
        is_item, is_quote = item is not None, _QUOTE.match(line) is not None
        is_heading = line.lstrip(" >")[:1] in _MARKS and (
            (_HEADING.match(line) or _RULE.match(line) or (None if self.after_blank else _UNDERLINE.match(line)))
            is not None
        )
        self.offset = item.end() if item is not None else self.offset
        if is_heading or is_item or (is_quote and not self.in_quote) or _ITEM_IN_QUOTE.match(line):
            yield start, start, _TEXT
        if is_heading or is_empty:
            yield end, end, _TEXT
        self.in_list = is_item or (self.in_list and (not self.after_blank or line[0] in " \t"))
        self.in_quote = is_quote or (self.in_quote and not self.after_blank)
        self.after_blank = is_heading or is_empty


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
_COMMENT = pattern(r"<!--(?:[^-]++|-(?!->)|(?!))*+(?:-->|\Z)")
_ESCAPE = pattern(r"\\([!-/:-@\[-`{-~])|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|\\")


def find(source: SourceText, *, document: str, base_url: str | None, merge: bool = True) -> Extraction:
    """Find the image sets of a Markdown text, in document order. Linear in its length; never raises."""
    place = Place(source, Context(document, base_url))
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
    place = Place(source, Context(document, base_url))
    read = _read(source.text)
    seen = {span for row in found.sets for span in _places(row)}
    rows = list(found.sets)
    for more in (list(place.within(as_written(read.masked, 0), in_html_unmerged)), list(_images(place, read))):
        rows += [row for row in more if not seen & _places(row)]
        seen |= {span for row in more for span in _places(row)} - {None}
    extraction = collected(rows, document, merge=merge)
    return Extraction(extraction.sets, (*found.problems, *extraction.problems))


def in_markdown(data: bytes, context: Context) -> Extraction:
    """Read a fragment as Markdown."""
    return find(decode(data, "utf-8"), document=context.document, base_url=context.base)


def _places(row: ImageSet) -> set[Span | None]:
    return {c.reference.span for c in row.candidates if c.reference is not None}


def _images(place: Place, read: _Read) -> Iterator[ImageSet]:
    text, closed = place.source.text, read.masked.rfind("-->") + 3
    # Every comment that opens before it is closed by then.
    comments = [comment.span() for comment in _COMMENT.finditer(read.masked, 0, closed)] if closed > 2 else []
    for image in read.images:
        if not _within(comments, image.alt[0]):
            value = Spelling.of(_pieces(text[slice(*image.url)], image.url[0], backslash="%5C"), image.url[0])
            yield place.single(value, CARRIER, None, alt=_unescaped(text[slice(*image.alt)]).strip() or None)
    for start, end in read.odd:
        line = text[start : min(end, start + MAX_DESTINATION)].partition("\n")[0]
        url = line.partition(")")[0].strip()
        if has_image_extension(url) and " " in url and not _within(comments, start):
            message = f"{shown(url)} has a blank in it, so that this is no image: write it between < and >."
            problem = Problem("markdown-blank", message, place.source.line(start), document=place.context.document)
            yield place.trouble(problem)


def _within(spans: list[Span], position: int) -> bool:
    at = bisect_right(spans, (position, position)) - 1
    return at >= 0 and position < spans[at][1]


def _added(place: Place, text: str) -> Iterator[ImageSet]:
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

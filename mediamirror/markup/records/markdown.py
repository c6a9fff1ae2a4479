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
from mediamirror.markup.records.fragment import in_html_unmerged, in_text
from mediamirror.markup.records.placing import Place, collected
from mediamirror.model import Extraction, ImageSet, Span

_LINE = pattern(r"[^\r\n]*(?:\r\n?|\n)?")
_FENCE = pattern(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t]|(?!))*+(`{3,}|~{3,})([^\r\n]*)")
_CLOSING = pattern(r"[ \t>]*(`{3,}|~{3,})[ \t]*\r?\n?\Z")
_LIST_ITEM = pattern(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]|\r?\n?\Z)")
_ITEM_IN_QUOTE = pattern(r" {0,3}>[ >]{0,12}(?:[-+*]|1[.)])[ \t]+\S")
_INDENTED = pattern(r"(?: {4}| {0,3}\t)[ \t]*\S")
_QUOTE = pattern(r" {0,3}>")
_HEADING = pattern(r"[ >]{0,12}#{1,6}(?:[ \t]|\r?\n?\Z)")
_TICKS = pattern(r"`+")


def without_code(text: str) -> str:
    """Return a text with everything that is code replaced by spaces: positions stay."""
    pieces: list[str] = []
    done = 0
    for start, end in _spans(text):
        pieces += text[done:start], re.sub(r"[^\r\n]", " ", text[start:end])
        done = end
    return "".join(pieces) + text[done:] if pieces else text


def _spans(text: str) -> Iterator[Span]:
    """Code in order: blocks by line, and between them the code spans of each paragraph."""
    paragraph = 0
    for start, end in _blocks(text):
        yield from _code_spans(text, paragraph, start)
        if end > start:
            yield start, end
        paragraph = end
    yield from _code_spans(text, paragraph, len(text))


def _blocks(text: str) -> Iterator[Span]:
    """Code blocks; an empty span where a paragraph ends without one."""
    state = _State()
    for match in _LINE.finditer(text):
        if match.start() == match.end():
            break
        yield from state.fenced(match) if state.fence else state.open(match)
    if state.fence:
        yield state.opened, len(text)


@dataclass(slots=True)
class _State:
    """What the lines so far have opened. ``opened`` is where the fenced block starts."""

    fence: str = ""
    opened: int = 0
    in_list: bool = False
    in_quote: bool = False
    after_blank: bool = True

    def fenced(self, match: re.Match[str]) -> Iterator[Span]:
        closing = _CLOSING.match(match[0])
        if closing is not None and closing[1].startswith(self.fence):
            yield self.opened, match.end()
            self.fence = ""

    def open(self, match: re.Match[str]) -> Iterator[Span]:
        """Take a line that is in no fenced block."""
        line, (start, end) = match[0], match.span()
        blank = not line.strip()
        opening = None if blank else _FENCE.match(line)
        if opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            self.fence, self.opened = opening[1], start
            yield start, start
        elif blank:
            yield start, start
        elif self.after_blank and not self.in_list and _INDENTED.match(line):
            yield start, end
            return  # what is indented below it is code as well
        else:
            yield from self._text(line, start, end)
        self.after_blank = blank

    def _text(self, line: str, start: int, end: int) -> Iterator[Span]:
        is_item, is_quote = _LIST_ITEM.match(line) is not None, _QUOTE.match(line) is not None
        is_heading = _HEADING.match(line) is not None
        if is_heading or is_item or (is_quote and not self.in_quote) or _ITEM_IN_QUOTE.match(line):
            yield start, start
        if is_heading:
            yield end, end
        self.in_list = is_item or (self.in_list and (not self.after_blank or line[0] in " \t"))
        self.in_quote = is_quote or (self.in_quote and not self.after_blank)


def _code_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Code spans: a run of backticks, closed by the next run of the same length. Linear: runs are looked up by length."""
    runs: dict[int, list[int]] = {}
    ordered = [match.span() for match in _TICKS.finditer(text, start, end)]
    for first, last in ordered:
        runs.setdefault(last - first, []).append(first)
    done = start
    for first, last in ordered:
        if first < done or (first > start and text[first - 1] == "\\"):
            continue
        same = runs[last - first]
        at = bisect_right(same, first)
        if at < len(same):
            done = same[at] + last - first
            yield first, done


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
_ALT = r"(?<!\\)!\[((?:[^\[\]\\]|\\[\s\S]|\[[^\[\]]{0,300}\]|(?!)){0,1000}+)\]"
_TARGET = r"(?:<([^<>\n]{1,8192})>|([^\s<>()]{1,8192}+(?:\([^\s()]{0,200}\)[^\s<>()]{0,8192}+){0,5}))"
_INLINE = pattern(_ALT + r"\([ \t]*+(?:\n[ \t]*+|(?!))?+" + _TARGET)
_BY_LABEL = pattern(_ALT + r"(?:\[((?:[^\[\]\\]|\\.|(?!)){0,999}+)\])?(?!\()")
_DEFINITION = pattern(
    r"^[ >]{0,12}\[((?:[^\[\]\\\n]|\\.|(?!)){1,999}+)\]:[ \t]*+(?:\n[ \t]*+|(?!))?+" + _TARGET, re.MULTILINE
)
_COMMENT = pattern(r"<!--(?:[^-]++|-(?!->)|(?!))*+(?:-->|\Z)")
_ESCAPE = pattern(r"\\([!-/:-@\[-`{-~])|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SPACE = pattern(r"\s+")


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
        rows += [row for row in found if not seen & _places(row)]
        seen |= {span for row in found for span in _places(row)} - {None}
    return collected(rows, document, merge=merge)


def in_markdown(data: bytes, context: Context) -> Extraction:
    """Read a fragment as Markdown."""
    return find(decode(data, "utf-8"), document=context.document, base_url=context.base)


def _places(row: ImageSet) -> set[Span | None]:
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

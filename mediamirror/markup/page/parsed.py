"""A parsed page: its elements, and the place of each attribute value in the raw bytes.

turbohtml reports the span of every attribute in code points of the newline-normalised source; this module goes from
there to the value, from the value to its raw spelling, and from that to bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import turbohtml
from turbohtml import DocumentFragment, Element, Namespace, SourceSpan

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.places import charrefs
from mediamirror.markup.places.candidates import Context, placed, resolved, split_problems
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.spelling import Spelled
from mediamirror.markup.places.urls import Skip, base_of, plain
from mediamirror.markup.places.xml_text import declared_encoding
from mediamirror.markup.standard.srcset import Scanned
from mediamirror.model import Candidate, ImageSet, Problem, Reference, Span

_WS = "\t\n\f\r "
_CRLF = pattern(r"\r\n")
_VALUE = pattern(rf"[{_WS}]*=[{_WS}]*([\"']?)")
_BASES_LOOKED_AT = 64
_NOT_LINE_END = pattern(r"[^\n]")


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value and where it lies. ``start`` is the raw value's place in the normalised text."""

    name: str
    decoded: Spelled
    start: int

    @property
    def text(self) -> str:
        """The value with its character references decoded."""
        return self.decoded.text


@dataclass(frozen=True, slots=True)
class Page:
    """One page, ready for the finders."""

    context: Context
    source: SourceText
    root: turbohtml.Document
    text: str
    """The source with CRLF and CR as LF: what turbohtml's offsets count."""
    lowered: str
    """`text` in lower case, in which finders look for names."""
    _pairs: tuple[int, ...]
    before_base: tuple[int, str | None] = (0, None)
    """Where the base element ends that counts, in `text`, and what URLs before it are resolved on."""

    def elements(self, tags: Iterable[str]) -> Iterator[Element]:
        """Yield the HTML elements with these names in tree order, content of ``template`` and ``noscript`` included."""
        return (e for e in self.root.iter_elements(list(tags)) if e.namespace is Namespace.HTML)

    def value(self, element: Element, name: str) -> Value | None:
        """Return an attribute's value with its place; the first of duplicates, as in a browser."""
        return self.value_at(self.spans(element).get(name), name)

    def spans(self, element: Element) -> Mapping[str, SourceSpan]:
        """Return the places of an element's attributes; who reads several asks once, for the answer is built anew."""
        location = element.source_location
        return location.attrs if location is not None else {}

    def value_at(self, span: SourceSpan | None, name: str) -> Value | None:
        """Return the value of the attribute that `spans` placed."""
        if span is None:
            return None
        text, end = self.text, span.end_offset
        opening = _VALUE.match(text, span.start_offset + len(name), end)
        if opening is None:
            return Value(name, charrefs.decode(""), end)
        start, quote = opening.end(), opening[1]
        return Value(name, charrefs.decode(text[start : end - 1 if quote and text[end - 1] == quote else end]), start)

    def line(self, element: Element) -> int:
        """Return the line an element starts on, counted from 1."""
        return element.source_line or 0

    def line_in(self, value: Value, position: int) -> int:
        """Return the document's line of a position in a value."""
        return self.source.line(self._original(value.start + value.decoded.raw_span(position, position)[0]))

    def place(self, candidate: Candidate, value: Value, carrier: str) -> Candidate | Problem:
        """Resolve a candidate found in a value, and say where in the document it stands."""
        start, end = value.decoded.raw_span(*candidate.span)
        start, end = value.start + start, value.start + end
        if self._pairs:
            start, end = self._original(start), self._original(end)
        shift = self.source.shift
        span = self.source.span(start, end) if shift is None else (start + shift, end + shift)
        reference = Reference(self.context.document, carrier, value.name, self.source.line(start), span)
        context = self._context_of(value)
        return placed(candidate, raw_url=self.source.text[start:end], reference=reference, context=context)

    def told(self, code: str, message: str, line: int = 1) -> ImageSet:
        """An image set that holds only a problem: `collected` takes the problem out of it."""
        return only_a_problem(Problem(code, message, line, document=self.context.document))

    def waiting(self) -> Page:
        """The page for an element whose URLs are asked for when all of it is there: its base counts wherever it stands."""
        return replace(self, before_base=(0, None)) if self.before_base[0] else self

    def _context_of(self, value: Value) -> Context:
        """Browsers ask for the URLs of an element when they meet it: a base that comes later is too late for it."""
        end, base = self.before_base
        return replace(self.context, base=base) if value.start < end and value.name in _AT_ONCE else self.context

    def place_all(
        self, candidates: Iterable[Candidate], value: Value, carrier: str
    ) -> tuple[tuple[Candidate, ...], tuple[Problem, ...]]:
        """`place` for each candidate of a value, the usable ones parted from the problems, both in order."""
        return split_problems(self.place(candidate, value, carrier) for candidate in candidates)

    def place_scanned(
        self, found: Iterable[Scanned], value: Value, carrier: str
    ) -> tuple[tuple[Candidate, ...], tuple[Problem, ...]]:
        """`place_all` for what `scan_srcset` found."""
        # Spelled out, because most of a page's time goes here: most values stand on one line, and have no CRLF before them.
        source, context, raw_span, begin = self.source, self._context_of(value), value.decoded.raw_span, value.start
        document, base, name, pairs, text = context.document, context.base, value.name, self._pairs, source.text
        first = source.line(self._original(begin) if pairs else begin)
        is_one_line = "\n" not in value.text
        shift = source.shift
        usable: list[Candidate] = []
        problems: list[Problem] = []
        for url, place, width, density, height, descriptors in found:
            start, end = raw_span(*place)
            start, end = start + begin, end + begin
            if pairs:
                start, end = self._original(start), self._original(end)
            line = first if is_one_line else source.line(start)
            span = source.span(start, end) if shift is None else (start + shift, end + shift)
            outcome = plain(url, base) or resolved(url, context, name)
            if isinstance(outcome, Skip):
                problems.append(Problem(outcome.code, outcome.message, line, place, document, (url,), attribute=name))
                continue
            reference = Reference(document, carrier, name, line, span)
            raw = text[start:end]
            raw = outcome if raw == outcome else raw  # one string in memory, not two
            usable.append(Candidate(outcome, place, width, density, height, descriptors, raw, reference))
        return tuple(usable), tuple(problems)

    def bytes_of(self, start: int, end: int) -> Span | None:
        """Return the byte span of ``text[start:end]``, or None for an encoding that allows none."""
        return self.source.span(self._original(start), self._original(end))

    def _original(self, position: int) -> int:
        return position + bisect_right(self._pairs, position - 1)


def only_a_problem(problem: Problem) -> ImageSet:
    """Return what `Page.told` does."""
    return ImageSet(problem.document, problem.line, (), problems=(problem,))


def read(data: bytes, *, document: str, base_url: str | None, encoding: str | None, is_xml: bool = False) -> Page:
    """Parse a page as a browser without scripting does, XHTML by the rules of XML. Never raises for bytes."""
    source = decode(data, encoding or (declared_encoding(data) if is_xml else None), markup=True)
    normalised, pairs = source.text, tuple[int, ...]()
    if "\r" in normalised:
        # The n-th CRLF lost n code points before it: its line feed's normalised place is known from that.
        pairs = tuple([match.start() - n for n, match in enumerate(_CRLF.finditer(normalised))])
        normalised = normalised.replace("\r\n", "\n").replace("\r", "\n")
    normalised = _as_html(normalised) if is_xml else normalised
    root = turbohtml.parse(normalised, source_locations=True)
    base, end = _base(root, base_url)
    return Page(
        Context(document, base, source.encoding), source, root, normalised, normalised.lower(), pairs, (end, base_url)
    )


_XML = pattern(
    r"<!--(?:[^-]++|-(?!->)|(?!))*+(?:-->|\Z)|(?P<data><!\[CDATA\[)(?:[^\]]++|\](?!\]>)|(?!))*+(?:\]\]>|\Z)"
    r"|<(?P<slash>/?)(?:(?P<prefix>[\w.\-]{1,40}):)?(?P<name>[\w.\-]{1,40})(?P<rest>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+'|(?!))*+)>"
)
_SPACE = pattern(r"\bxmlns:([\w.\-]{1,40})\s*+=\s*+[\"']http://www\.w3\.org/(?:1999/xhtml|2000/svg)[\"']")
_RAW = frozenset({"script", "style"})
_EMPTY = frozenset({
    "title", "textarea", "script", "style", "iframe", "noscript", "noembed", "noframes", "xmp", "plaintext", "select",
    "template", "frameset",
})  # fmt: skip
"""Elements without an end tag that would swallow the rest of the page by HTML's rules."""
_TEXTS = frozenset({"title", "textarea", "iframe", "noembed", "noframes", "xmp", "plaintext"})
"""Elements that hold nothing but text by HTML's rules, and elements by those of XML."""
_TAG = pattern(r"[^<]*+<[A-Za-z_]")


def _as_html(text: str) -> str:
    """Write XHTML so that an HTML parser reads what an XML parser would, every attribute where it was.

    HTML, 14.2: empty elements are empty, prefixes are only names for a namespace, and a CDATA section is text.
    """
    prefixes = set(_SPACE.findall(text))
    pieces: list[str] = []
    done, inside = 0, ""
    renamed: Counter[str] = Counter()
    for found in _XML.finditer(text):
        name, rest, written = found["name"], found["rest"], found[0]
        if found["data"] is not None:
            meant = written if inside in _RAW else _NOT_LINE_END.sub(" ", written)
        elif name is None:
            continue
        else:
            is_empty = rest.endswith("/")
            inside = "" if found["slash"] or is_empty else name
            meant = written
            if found["prefix"] in prefixes:
                meant = f"<{found['slash']}{name}{' ' * (len(found['prefix']) + 1)}{rest}>"
            if is_empty and name in _EMPTY:
                meant = _NOT_LINE_END.sub(" ", written)
            elif name in _TEXTS and (renamed[name] if found["slash"] else _TAG.match(text, found.end())):
                renamed[name] += -1 if found["slash"] else 1
                meant = f"<{found['slash']}z{meant[2 + len(found['slash']) :]}"  # an element of no meaning
        if meant is not written:
            pieces += text[done : found.start()], meant
            done = found.end()
    return "".join(pieces) + text[done:]


def _base(root: turbohtml.Document, document_url: str | None) -> tuple[str | None, int]:
    """HTML, 4.2.3: the first base element with an href, in tree order; templates are not in the tree. And where it stands."""
    for element in islice(root.iter_elements(["base"]), _BASES_LOOKED_AT):
        href = element.attrs.get("href")
        if href is not None and element.namespace is Namespace.HTML and _in_tree(element):
            location = element.source_location
            return base_of(str(href), document_url), location.start_tag.start_offset if location else 0
    return document_url, 0


def _in_tree(element: Element) -> bool:
    return not any(isinstance(ancestor, DocumentFragment) for ancestor in element.ancestors)


_AT_ONCE = frozenset({"src", "srcset", "imagesrcset", "href", "poster", "style"})
"""Attributes whose URLs are asked for at once."""
_NO_ATTRIBUTE = ""
_BETWEEN = "</script"
"""What stands between the two halves of a URL that is split over two scripts."""


def content(page: Page, element: Element) -> Value | None:
    """Return the raw text of an element as a value without attribute name, or None where it has none.

    In foreign content (``svg style``) it is ordinary text, in which character references count.
    """
    location = element.source_location
    if location is None or not element.text.strip():
        return None
    start = location.start_tag.end_offset
    if element.namespace is not Namespace.HTML:
        end = location.end_tag.start_offset if location.end_tag else start
        return Value(_NO_ATTRIBUTE, charrefs.decode(page.text[start:end]), start)
    end = location.end_tag.start_offset if location.end_tag else start + len(element.text)
    return Value(_NO_ATTRIBUTE, charrefs.Decoded(page.text[start:end], (), ()), start)


def shrinkage(element: Element, name: str) -> int:
    """How many code points decoding its character references takes off an attribute: a measure of what decoding costs."""
    location = element.source_location
    span = location.attrs.get(name) if location is not None else None
    return span.end_offset - span.start_offset - len(element.attr(name) or "") if span is not None else 0


def place(page: Page, candidate: Candidate, value: Value, carrier: str) -> Candidate | Problem:
    """Resolve a candidate found in an attribute's value or an element's raw text, and say where it stands.

    What stands in two scripts has a line and no span.
    """
    outcome = page.place(candidate, value, carrier)
    if value.name != _NO_ATTRIBUTE or isinstance(outcome, Problem) or outcome.reference is None:
        return outcome
    if _BETWEEN in outcome.raw_url:
        reference = replace(outcome.reference, attribute=None, span=None)
        return replace(outcome, raw_url=candidate.url, reference=reference)
    return replace(outcome, reference=replace(outcome.reference, attribute=None))

"""XML as feeds and sitemaps carry it: read piece by piece, with the place of everything, and forgiving.

A parser that must stop at the first error loses the rest of a feed for one bare ``&`` or ``&nbsp;``, which feeds are full
of, and knows no places. Here only character references are decoded. Entities that a document declares are never expanded
and nothing is loaded from elsewhere, so there is nothing to bound: an "XML bomb" is a few odd names. Linear in the text.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import field
from itertools import islice
from typing import Literal

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.charrefs import Decoded, decode
from mediamirror.markup.places.spelling import MAX_ESCAPES, Piece, is_over, with_references
from mediamirror.model import Problem, Severity

MAX_DEPTH = 1_000
"""How deep elements are followed; what is nested deeper is stepped over."""
MAX_ELEMENTS = 2_000_000
"""Most elements read from one document; a sitemap as large as the protocol allows has fewer."""
MAX_ATTRIBUTES = 500
MAX_PREFIXES = 200

_NAME = r"[^\s/>=<\"'!?][^\s/>=<\"']*+"
# XML, production 10: no < in a value, so a quote that is never closed costs one tag and not the rest.
_TAG = pattern(rf"<(?P<name>{_NAME})(?P<attributes>(?:[^<>\"'=]++|=\s*+(?:\"[^\"<]*+\"|'[^'<]*+')|[=\"']|(?!))*+)>")
# A name begins after something else than a name: one without a value would be tried again from each of its characters.
_ATTRIBUTE = pattern(rf"(?<![^\s/>=<\"'])({_NAME})\s*+=\s*+(?:\"([^\"<]*+)\"|'([^'<]*+)'|([^\s\"'<>]++))")
_CLOSE = pattern(rf"</\s*+({_NAME})[^<>]*+>")
_SUBSET_LOOKED_AT = 16_384
_SUBSET = pattern(r"(?:[^\]\"'<]++|\"[^\"]*+\"|'[^']*+'|<!--(?:[^-]++|-(?!->)|(?!))*+(?:-->|\Z)|[<\"']|(?!))*+\]\s*+>")
_ENTITY = pattern(r"<!ENTITY\s+(%\s+)?([^\s\"'<>]{1,100})")
_DECLARATION = pattern(rb"\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._:\-]{1,40})[\"']")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: its name as written, and its raw value's place in code points."""

    name: str
    raw: str
    start: int

    @property
    def value(self) -> Decoded:
        """The value with its character references decoded."""
        return decode(self.raw)


@dataclass(frozen=True, slots=True)
class Element:
    """A start tag. ``space`` is its namespace's URI, or the bare prefix where nothing declares it; ``name`` is the local name."""

    name: str
    space: str
    attributes: tuple[Attribute, ...]
    start: int
    end: int
    spaces: dict[str, str] = field(repr=False)

    def get(self, name: str) -> Attribute | None:
        """Return an attribute by its name as written."""
        return next((each for each in self.attributes if each.name == name), None)

    def text(self, name: str) -> str | None:
        """Return an attribute's value, without the whitespace around it."""
        found = self.get(name)
        return found.value.text.strip() if found is not None else None


@dataclass(frozen=True, slots=True)
class End:
    """The end of the element that was opened last and is not ended yet. ``start`` is where its end tag starts."""

    start: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is wrong with the document, and where. ``code`` is that of the `Problem` to make of it.

    ``is_cut`` says that the document ends too early: the rest of it is missing, as where a download broke off.
    """

    code: Literal["malformed-xml", "entities-not-expanded", "xml-too-deep", "xml-too-large", "too-many-references"]
    message: str
    at: int
    is_cut: bool = False

    def problem(self, line: int, document: str) -> Problem:
        """The problem to make of it: an error where a part of the document is missing."""
        severity = Severity.ERROR if self.is_cut else Severity.NOTE
        return Problem(self.code, self.message, line, document=document, severity=severity)


Event = Element | End | Piece | Flaw
"""What `read_xml` tells, in document order: tags, runs of text, and what was wrong. Every element ends, once."""
_Steps = Generator[Event, None, int]


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that an XML declaration names."""
    found = _DECLARATION.match(data.removeprefix(b"\xef\xbb\xbf")[:300])
    return found[1].decode() if found else None


@dataclass(slots=True)
class _Open:
    """The elements that are open, as written, and the namespaces in force. ``deeper`` counts those past `MAX_DEPTH`."""

    names: list[str] = field(default_factory=list)
    spaces: list[dict[str, str]] = field(default_factory=lambda: [{}])
    deeper: int = 0
    flawed: bool = False
    is_cut: bool = False
    typed: bool = False
    count: int = 0


def read_xml(text: str) -> Iterator[Event]:
    """Yield what stands in a text. Never raises for a string; ends with every element ended."""
    state, at = _Open(), 0
    while (opening := text.find("<", at)) >= 0:
        if opening > at:
            yield from _text(text[at:opening], at)
        if text[opening + 1 : opening + 2] in {"!", "?"}:
            at = yield from _declaration(text, opening, state)
        elif text[opening + 1 : opening + 2] == "/":
            at = yield from _end_tag(text, opening, state)
        else:
            at = yield from _start_tag(text, opening, state)
            if state.count > MAX_ELEMENTS:
                message = f"The document has more than {MAX_ELEMENTS:,} elements: the rest is left out."
                yield Flaw("xml-too-large", message, opening)
                state.flawed = True
                at = len(text)
                break
    if at < len(text):
        yield from _text(_whole_words(text[at:]) if state.names else text[at:], at)
    if state.names and state.count <= MAX_ELEMENTS and not state.is_cut:
        yield Flaw("malformed-xml", f"The document ends within <{_shown(state.names[-1])}>.", len(text), is_cut=True)
    yield from (End(len(text)) for _ in state.names)


def _whole_words(text: str) -> str:
    """A text that was cut off, without its last word: half a URL is worse than none."""
    return text[: len(text) - len(text.rsplit(maxsplit=1)[-1])] if text[-1:].strip() else text


def _text(raw: str, at: int) -> Iterator[Event]:
    if is_over(raw):
        message = f"A text here has more than {MAX_ESCAPES:,} character references: it is not read."
        yield Flaw("too-many-references", message, at)
    else:
        yield with_references(raw, at)


def _flaw(state: _Open, message: str, at: int) -> Iterator[Event]:
    # One sentence for each document: what follows a first error is often only its echo.
    if not state.flawed:
        state.flawed = True
        yield Flaw("malformed-xml", message, at)


def _declaration(text: str, at: int, state: _Open) -> _Steps:
    """Step over a comment, a processing instruction or a document type; a CDATA section is text."""
    for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")):
        if text.startswith(opening, at):
            start = at + len(opening)
            end = text.find(closing, start)
            stop = end if end >= 0 else len(text)
            if closing == "]]>":
                held = text[start:stop] if end >= 0 else _whole_words(text[start:stop])
                yield Piece(held, start, start + len(held))
            if end < 0:
                state.is_cut = True
                yield Flaw("malformed-xml", f"The document ends within {opening}.", at, is_cut=True)
            return stop + len(closing) if end >= 0 else stop
    return (yield from _document_type(text, at, state))


def _document_type(text: str, at: int, state: _Open) -> _Steps:
    end = text.find(">", at)
    bracket = text.find("[", at, end) if end >= 0 and not state.typed else -1
    if bracket < 0:
        return end + 1 if end >= 0 else len(text)
    state.typed = True
    subset = _SUBSET.match(text, bracket + 1, bracket + _SUBSET_LOOKED_AT)
    end = subset.end() if subset else max(end, text.find("]>", bracket) + 1) + 1
    entity = _ENTITY.search(text, bracket, end)
    if entity is not None:
        message = f"The document declares entities of its own ({_shown(entity[2])}): they are left as they are written."
        yield Flaw("entities-not-expanded", message, entity.start())
    return end


def _start_tag(text: str, at: int, state: _Open) -> _Steps:
    tag = _TAG.match(text, at)
    if tag is None:
        yield Piece("<", at, at + 1)
        yield from _flaw(state, "This < opens no tag.", at)
        return at + 1
    state.count += 1
    is_empty = tag["attributes"].endswith("/")
    if len(state.names) >= MAX_DEPTH:
        if not is_empty:
            yield from _deeper(state, at)
        return tag.end()
    attributes = tuple(_attributes(text, tag.start("attributes"), tag.end("attributes") - is_empty))
    spaces = _spaces(state.spaces[-1], attributes)
    prefix, _, local = tag["name"].rpartition(":")
    yield Element(local, spaces.get(prefix, prefix), attributes, at, tag.end(), spaces)
    if is_empty:
        yield End(tag.end())
    else:
        state.names.append(tag["name"])
        state.spaces.append(spaces)
    return tag.end()


def _deeper(state: _Open, at: int) -> Iterator[Event]:
    state.deeper += 1
    if state.deeper == 1 and not state.flawed:
        state.flawed = True
        message = f"Elements are nested deeper than {MAX_DEPTH:,} here: what is deeper is left out."
        yield Flaw("xml-too-deep", message, at)


def _attributes(text: str, start: int, end: int) -> Iterator[Attribute]:
    for found in islice(_ATTRIBUTE.finditer(text, start, end), MAX_ATTRIBUTES):
        group = next(index for index in (2, 3, 4) if found[index] is not None)
        yield Attribute(found[1], found[group], found.start(group))


def _spaces(outer: dict[str, str], attributes: tuple[Attribute, ...]) -> dict[str, str]:
    """Namespaces in XML, 6: declarations count for the element that has them and all within it."""
    own = {
        each.name[6:]: each.value.text.strip()
        for each in attributes
        if each.name == "xmlns" or each.name.startswith("xmlns:")
    }
    if not own or len(outer) > MAX_PREFIXES:
        return outer
    return {**outer, **own}


def _end_tag(text: str, at: int, state: _Open) -> _Steps:
    tag = _CLOSE.match(text, at)
    if tag is None:
        yield from _flaw(state, "This end tag closes no open element.", at)
        return at + 2
    if state.deeper:
        state.deeper -= 1
        return tag.end()
    name = tag[1]
    if not state.names or state.names[-1] != name:
        yield from _flaw(state, f"</{_shown(name)}> ends nothing that was opened last.", at)
        # An element left open ends with the one around it; an end without a beginning is nothing.
        if name not in state.names:
            return tag.end()
    while state.names:
        state.spaces.pop()
        yield End(at)
        if state.names.pop() == name:
            break
    return tag.end()


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "…"

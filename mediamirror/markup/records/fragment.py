"""HTML or text within another format: found by the ordinary finders, placed in the document around it."""

from __future__ import annotations

from collections.abc import Callable

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.source import SourceText
from mediamirror.markup.places.spelling import Spelled, without_mark
from mediamirror.markup.text import prose
from mediamirror.model import Candidate, Extraction, ImageSet, Reference, Source, Span

_LINE_END = pattern(r"\r\n?|\n")
_STRIDE = 4096
_CONTINUATION = bytes(range(0x80, 0xC0))


Find = Callable[[Spelled, SourceText, Context], Extraction]
"""Find the image sets of a fragment, with their lines and byte spans in the document that holds it.

``context`` holds the fragment's base URL. A URL spelled with escapes keeps that spelling as its ``raw_url``.
"""


def in_bytes(find: Callable[[bytes, Context], Extraction]) -> Find:
    """Find with what reads UTF-8, and whose spans count its bytes."""

    def find_within(spelled: Spelled, source: SourceText, context: Context) -> Extraction:
        body = without_mark(spelled.text)
        data = body.encode("utf-8", "replace")
        outside = _Outside(spelled, source, _Positions.of(data), tuple(m.end() for m in _LINE_END.finditer(body)))
        found = find(data, context)
        problems = tuple(replace(problem, line=outside.line(problem.line)) for problem in found.problems)
        return Extraction(tuple(outside.moved(row) for row in found.sets), problems)

    return find_within


@in_bytes
def in_html(data: bytes, context: Context) -> Extraction:
    """Read a fragment as HTML; a lazy image and its copy in ``noscript`` are one set."""
    from mediamirror.markup.page import html  # noqa: PLC0415 - records without HTML load no HTML parser

    return html.find(data, document=context.document, base_url=context.base, encoding="utf-8")


@in_bytes
def in_html_unmerged(data: bytes, context: Context) -> Extraction:
    """Read a fragment as HTML, every place a set of its own."""
    from mediamirror.markup.page import html  # noqa: PLC0415 - see `in_html`

    return html.find(data, document=context.document, base_url=context.base, encoding="utf-8", merge=False)


def in_text(spelled: Spelled, source: SourceText, context: Context) -> Extraction:
    """Read a fragment as text."""
    body = without_mark(spelled.text)
    # No bytes stand for half of a pair of surrogates.
    text = body if body.isascii() else body.encode("utf-8", "replace").decode("utf-8")
    return prose.find(
        _Within(text, spelled, source), document=context.document, base_url=context.base, merge=False, bare=False
    )


@dataclass(frozen=True, slots=True)
class _Within:
    """A text in a document, as `source.Text` wants it."""

    text: str
    _spelled: Spelled
    _source: SourceText

    @property
    def shift(self) -> int | None:
        return None

    def line(self, position: int) -> int:
        return self._source.line(self._spelled.raw_span(position, position)[0])

    def place(self, start: int, end: int) -> tuple[int, Span | None, str]:
        return self._source.place(*self._spelled.raw_span(start, end))


@dataclass(frozen=True, slots=True)
class _Positions:
    """From bytes of UTF-8 to code points. ``marks`` are the code points before every ``_STRIDE``-th byte."""

    data: bytes
    marks: tuple[int, ...]

    @classmethod
    def of(cls, data: bytes) -> _Positions:
        if data.isascii():
            return cls(data, ())
        marks, count = [0], 0
        for start in range(0, len(data), _STRIDE):
            count += _leads(data[start : start + _STRIDE])
            marks.append(count)
        return cls(data, tuple(marks))

    def at(self, byte: int) -> int:
        """Return how many code points start before a byte."""
        if not self.marks:
            return byte
        index = byte // _STRIDE
        return self.marks[index] + _leads(self.data[index * _STRIDE : byte])


def _leads(data: bytes) -> int:
    return len(data.translate(None, _CONTINUATION))


@dataclass(frozen=True, slots=True)
class _Outside:
    """The way from the places in a fragment to those of the document. ``lines`` are where the fragment's lines start."""

    spelled: Spelled
    source: SourceText
    positions: _Positions
    lines: tuple[int, ...]

    def moved(self, row: ImageSet) -> ImageSet:
        """Return a set of the fragment, placed in the document."""
        problems = tuple(replace(problem, line=self.line(problem.line)) for problem in row.problems)
        sources = tuple(self._source(source) for source in row.sources)
        places = tuple(self._reference(place) for place in row.places)
        return replace(row, sources=sources, problems=problems, line=self.line(row.line), places=places)

    def line(self, line: int) -> int:
        """Return the document's line on which a line of the fragment starts."""
        start = self.lines[line - 2] if 2 <= line <= len(self.lines) + 1 else 0
        return self.source.line(self.spelled.raw_span(start, start)[0])

    def _source(self, source: Source) -> Source:
        default = self._candidate(source.default) if source.default is not None else None
        return replace(source, candidates=tuple(map(self._candidate, source.candidates)), default=default)

    def _candidate(self, candidate: Candidate) -> Candidate:
        reference = candidate.reference
        if reference is None:
            return candidate
        place = self._place(reference)
        raw_url = candidate.raw_url if place is None else self.source.text[slice(*place)]
        return replace(candidate, raw_url=raw_url, reference=self._placed(reference, place))

    def _reference(self, reference: Reference) -> Reference:
        return self._placed(reference, self._place(reference))

    def _placed(self, reference: Reference, place: Span | None) -> Reference:
        if place is None:
            return replace(reference, line=self.line(reference.line))
        return replace(reference, line=self.source.line(place[0]), span=self.source.span(*place))

    def _place(self, reference: Reference) -> Span | None:
        if reference.span is None:
            return None
        return self.spelled.raw_span(*(self.positions.at(byte) for byte in reference.span))

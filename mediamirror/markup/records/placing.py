"""URLs in values that are spelled with escapes: placed in the document, and put into image sets and in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mediamirror.first_use import dataclass, replace
from mediamirror.markup.naming import parts_of
from mediamirror.markup.places.candidates import STATED, Context, merged, placed, split_problems
from mediamirror.markup.places.source import SourceText
from mediamirror.markup.places.spelling import Piece, Spelled, Spelling
from mediamirror.markup.records.fragment import Find
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

MAX_PER_DOCUMENT = 200_000
"""Most candidates and problems read from one document, so that a hostile one costs bounded memory."""
_WS = "\t\n\f\r "
_ESCAPED_AGAIN = "&amp;"


@dataclass(frozen=True, slots=True)
class Stated:
    """What is said about a file beside its URL: width and height in pixels, its MIME type."""

    width: int | None = None
    height: int | None = None
    mime: str | None = None


NOTHING = Stated()


@dataclass(frozen=True, slots=True)
class Placing:
    """Where values of one document stand. ``context`` holds the base URL that is in force there."""

    source: SourceText
    context: Context

    def based_on(self, base: str | None) -> Placing:
        """The same document with another base URL."""
        return replace(self, context=replace(self.context, base=base))

    def line(self, value: Spelled) -> int:
        """Return the line on which a value starts."""
        return self.source.line(value.raw_span(0, 0)[0])

    def url(self, value: Spelled, carrier: str, attribute: str | None, stated: Stated = NOTHING) -> Candidate | Problem:
        """The one URL of a value."""
        text = value.text.strip(_WS)
        url = text.replace(_ESCAPED_AGAIN, "&")
        start = len(value.text) - len(value.text.lstrip(_WS))
        flags = (STATED,) if stated.width or stated.height else ()
        flags = (*flags, "unescaped") if url != text else flags
        span = (start, start + len(text))
        candidate = Candidate(url, span, width=stated.width, height=stated.height, flags=flags)
        return self.candidate(candidate, value, carrier, attribute)

    def candidate(
        self, candidate: Candidate, value: Spelled, carrier: str, attribute: str | None
    ) -> Candidate | Problem:
        """Resolve a candidate that was found in a value."""
        start, end = value.raw_span(*candidate.span)
        line, span = self.source.line(start), self.source.span(start, end)
        reference = Reference(self.context.document, carrier, attribute, line, span)
        return placed(candidate, raw_url=self.source.text[start:end], reference=reference, context=self.context)

    def srcset(
        self, value: Spelled, carrier: str, attribute: str | None
    ) -> tuple[tuple[Candidate, ...], tuple[Problem, ...]]:
        """The candidates of a value that is a srcset attribute's, and the problems."""
        parsed = parse_srcset(value.text)
        candidates, problems = split_problems(self.candidate(c, value, carrier, attribute) for c in parsed.candidates)
        located = tuple(
            replace(p, line=self.source.line(value.raw_span(*(p.span or (0, 0)))[0]), document=self.context.document)
            for p in parsed.problems
        )
        return candidates, located + problems

    def image_set(
        self, line: int, sources: Sequence[tuple[Source, Sequence[Problem]]], alt: str | None = None
    ) -> ImageSet:
        """Put sources with their problems into one image set."""
        problems = tuple(problem for _, rows in sources for problem in rows)
        return ImageSet(self.context.document, line, tuple(s for s, _ in sources), alt=alt, problems=problems)

    def single(
        self, value: Spelled, carrier: str, attribute: str | None, stated: Stated = NOTHING, alt: str | None = None
    ) -> ImageSet:
        """An image set of the one URL of a value."""
        candidates, problems = split_problems([self.url(value, carrier, attribute, stated)])
        return self.image_set(self.line(value), [(Source(carrier, candidates, mime=stated.mime), problems)], alt)

    def each(
        self, value: Spelled, carrier: str, attribute: str | None, urls: Sequence[Span] | None = None
    ) -> Iterator[ImageSet]:
        """An image set for each URL of a value that may join several, or for those at these places in it."""
        for span in urls or parts_of(value.text):
            url = value.text[slice(*span)]
            part = value if url == value.text.strip(_WS) else Spelling.of([Piece(url, *value.raw_span(*span))])
            yield self.single(part, carrier, attribute)

    def within(self, value: Spelled, find: Find) -> Iterator[ImageSet]:
        """The image sets of a value that holds HTML or text; problems come as sets without candidates."""
        found = find(value, self.source, self.context)
        yield from found.sets
        yield from (self.trouble(problem) for problem in found.problems)

    def trouble(self, problem: Problem) -> ImageSet:
        """An image set that holds only a problem; `collected` takes the problem out of it."""
        return ImageSet(self.context.document, problem.line, (), problems=(problem,))


def collected(rows: Iterable[ImageSet], document: str, *, merge: bool) -> Extraction:
    """Bring image sets in document order, merged unless ``merge`` is False; at most `MAX_PER_DOCUMENT` of their parts."""
    kept: list[ImageSet] = []
    last: list[Problem] = []
    total = 0
    for row in rows:
        total += max(1, sum(len(source.candidates) for source in row.sources) + len(row.problems))
        if total > MAX_PER_DOCUMENT:
            message = f"The document names more than {MAX_PER_DOCUMENT:,} images: the rest is left out."
            last.append(Problem("too-many-candidates", message, row.line, document=document))
            break
        kept.append(row)
    if len(kept) > 1:
        kept.sort(key=_position)
    usable = [row for row in kept if _is_usable(row)]
    problems = [problem for row in kept if not _is_usable(row) for problem in row.problems]
    return Extraction(merged(usable) if merge and len(usable) > 1 else tuple(usable), (*problems, *last))


def _is_usable(row: ImageSet) -> bool:
    return any(source.candidates or source.default is not None for source in row.sources)


def _position(row: ImageSet) -> tuple[int, int]:
    spans = [c.reference.span[0] for c in row.candidates if c.reference is not None and c.reference.span is not None]
    return row.line, min(spans, default=0)

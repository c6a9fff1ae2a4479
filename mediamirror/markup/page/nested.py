"""Pages within a page: the document in ``iframe srcdoc``, and the trees of declarative shadow roots.

A ``srcdoc`` is HTML escaped a second time. Its URLs are placed in the outer document's bytes, as they are spelled there, with
``srcdoc`` as the attribute, since that is where a new URL would have to be escaped for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

import turbohtml
from turbohtml import Element, Node

from mediamirror.markup.page.page import Page, Value, read
from mediamirror.markup.page.raw import place, shrinkage
from mediamirror.markup.places.candidates import split_problems
from mediamirror.model import Candidate, ImageSet, Problem, Source

MAX_DEPTH = 4
"""How deep documents in documents are read; each level escapes the one within again."""
MAX_FRAMES = 1_000
MAX_SHRINKAGE = 4 << 20
"""By how many code points the character references of one srcdoc may shorten it: they are decoded one by one."""
_LINE_END = re.compile(r"\r\n?|\n")
_SHADOW = "shadowrootmode"

Finder = Callable[[Page], Iterator[ImageSet]]


def within(finders: tuple[Finder, ...]) -> Finder:
    """Return a finder that runs ``finders`` over the pages within a page, and over those within them."""

    def find(page: Page) -> Iterator[ImageSet]:
        return _find(page, finders, 0)

    return find


def _find(page: Page, finders: tuple[Finder, ...], depth: int) -> Iterator[ImageSet]:
    trees = list(_shadow_trees(page))
    for tree in trees:
        for finder in finders:
            yield from finder(tree)
    for tree in (page, *trees):
        for frame in islice(tree.elements(["iframe"]), MAX_FRAMES):
            if "srcdoc" in frame.attrs:
                yield from _framed(tree, frame, finders, depth)


def _shadow_trees(page: Page) -> Iterator[Page]:
    """Every shadow tree as a page of its own, whose positions are still the document's; without recursion."""
    if _SHADOW not in page.text.lower():
        return
    pending: list[Node] = [page.root]
    while pending:
        for element in pending.pop().iter_elements():
            if element.shadow_root is not None:
                pending.append(element.shadow_root)
                yield replace(page, root=cast(turbohtml.Document, element.shadow_root))


def _framed(page: Page, frame: Element, finders: tuple[Finder, ...], depth: int) -> Iterator[ImageSet]:
    if depth >= MAX_DEPTH or shrinkage(frame, "srcdoc") > MAX_SHRINKAGE:
        message = "This srcdoc is nested too deep or too large to be read: its images are left out."
        problem = Problem("srcdoc-not-read", message, page.line(frame), document=page.context.document)
        yield ImageSet(page.context.document, problem.line, (), problems=(problem,))
        return
    value = page.value(frame, "srcdoc")
    if value is not None:
        yield from read_inner(page, value, lambda inner: _framed_page(inner, finders, depth + 1))


def _framed_page(page: Page, finders: tuple[Finder, ...], depth: int) -> Iterator[ImageSet]:
    for finder in finders:
        yield from finder(page)
    yield from _find(page, finders, depth)


def read_inner(page: Page, value: Value, find: Finder) -> Iterator[ImageSet]:
    """Read a value of a page as HTML of its own, and place what ``find`` yields of it in the page."""
    inner = _inner_page(value.text, page)
    outside = _Outside(page, value, tuple(match.end() for match in _LINE_END.finditer(value.text)))
    yield from (outside.moved(row) for row in find(inner))


def _inner_page(text: str, outer: Page) -> Page:
    """HTML, 4.8.5 and 7.4.2: a srcdoc inherits the base URL of the document around it, and is in UTF-8."""
    if text.startswith("\ufeff"):
        text = " " + text[1:]  # no byte order mark here: positions would shift
    data = text.encode("utf-8", "replace")
    page = read(data, document=outer.context.document, base_url=outer.context.base, encoding="utf-8")
    # Without marks, spans count code points: those of the attribute's value.
    return replace(page, source=replace(page.source, _marks=()))


@dataclass(frozen=True, slots=True)
class _Outside:
    """The way from the positions in a srcdoc to those of the document around it. ``lines`` are where its lines start."""

    page: Page
    value: Value
    lines: tuple[int, ...]

    def moved(self, row: ImageSet) -> ImageSet:
        """Return a set of the inner document, placed in the outer one."""
        problems = [replace(problem, line=self._line(problem.line)) for problem in row.problems]
        sources = tuple(self._source(source, problems) for source in row.sources)
        return replace(row, sources=sources, problems=tuple(problems), line=self._line(row.line))

    def _source(self, source: Source, problems: list[Problem]) -> Source:
        candidates, lost = split_problems(self._candidate(c, source.carrier) for c in source.candidates)
        problems.extend(lost)
        default = self._candidate(source.default, source.carrier) if source.default is not None else None
        if isinstance(default, Problem):
            problems.append(default)
            default = None
        return replace(source, candidates=candidates, default=default)

    def _candidate(self, candidate: Candidate, carrier: str) -> Candidate | Problem:
        span = candidate.reference.span if candidate.reference is not None else None
        outcome = place(self.page, replace(candidate, span=span or (0, 0)), self.value, carrier)
        if isinstance(outcome, Problem) or outcome.reference is None or span is not None:
            return outcome
        return replace(outcome, reference=replace(outcome.reference, span=None), raw_url=candidate.raw_url)

    def _line(self, line: int) -> int:
        start = self.lines[line - 2] if 2 <= line <= len(self.lines) + 1 else 0
        return self.page.line_in(self.value, start)

"""HTML within a page: ``iframe srcdoc``, declarative shadow roots, conditional comments, and markup in a page's data.

A ``srcdoc`` is HTML escaped a second time. Its URLs are placed in the outer document's bytes, as they are spelled there, with
``srcdoc`` as the attribute, since that is where a new URL would have to be escaped for.

Conditional comments hold what Outlook and old Internet Explorers show of a mail or a page (Microsoft, "About conditional
comments", downlevel-hidden: ``<!--[if mso]>HTML<![endif]-->``). The revealed kind, ``<!--[if !mso]><!-->``, is ordinary markup.

A page's data holds markup as well: the body of an article in ``__NEXT_DATA__``, the caption of a light box in ``data-sub-html``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from typing import cast

import turbohtml
from turbohtml import Element, Node

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.page.elements import MAX_REFERENCES
from mediamirror.markup.page.embedded_json import (
    MAX_SCRIPTS,
    is_json,
    nested_value,
    scripts,
    strings_within,
    too_many_escapes,
)
from mediamirror.markup.page.parsed import Page, Value, content, place, read, shrinkage
from mediamirror.markup.places import charrefs
from mediamirror.markup.places.candidates import split_problems
from mediamirror.markup.places.json_text import read_json
from mediamirror.markup.places.spelling import unescaped_again
from mediamirror.model import Candidate, ImageSet, Problem, Source

MAX_DEPTH = 4
"""How deep documents in documents are read; each level escapes the one within again."""
MAX_FRAMES = 1_000
MAX_SHRINKAGE = 4 << 20
"""Most code points that decoding may take off one srcdoc: each reference is decoded by itself."""
_LINE_END = pattern(r"\r\n?|\n")
_SHADOW = "shadowrootmode"

Finder = Callable[[Page], Iterator[ImageSet]]


def in_frames(page: Page, finders: tuple[Finder, ...], depth: int = 0) -> Iterator[ImageSet]:
    """Run ``finders`` over the pages within a page, and over those within them."""
    trees = list(_shadow_trees(page))
    for tree in trees:
        yield from _all_of(finders, tree)
    for tree in (page, *trees):
        for frame in islice(tree.elements(["iframe"]), MAX_FRAMES):
            if "srcdoc" in frame.attrs:
                yield from _framed(tree, frame, finders, depth)


def _all_of(finders: tuple[Finder, ...], page: Page) -> Iterator[ImageSet]:
    return chain.from_iterable(finder(page) for finder in finders)


def _shadow_trees(page: Page) -> Iterator[Page]:
    """Every shadow tree as a page of its own, whose positions are still the document's; without recursion."""
    if _SHADOW not in page.lowered:
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
        yield page.told("srcdoc-not-read", message, page.line(frame))
    elif (value := page.value(frame, "srcdoc")) is not None:
        yield from read_inner(page, value, lambda inner: _framed_page(inner, finders, depth + 1))


def _framed_page(page: Page, finders: tuple[Finder, ...], depth: int) -> Iterator[ImageSet]:
    yield from _all_of(finders, page)
    yield from in_frames(page, finders, depth)


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


_COMMENT = pattern(r"<!--\[if\b[^\]>]{0,200}+\]>", re.IGNORECASE)
_COMMENT_END = "-->"
# What is worth parsing: a style sheet or a script for an old browser is not.
_NAMES_IMAGES = pattern(
    r"<(?:img|source|image|input|video|v:\w|table|td|body|[^<>]{0,1000}\bstyle\s*+=)", re.IGNORECASE
)
MAX_COMMENTS = 1_000


def in_comments(page: Page, finders: tuple[Finder, ...]) -> Iterator[ImageSet]:
    """Run ``finders`` over the HTML in conditional comments."""
    for value in _hidden(page):
        yield from read_inner(page, value, partial(_all_of, finders))


def _hidden(page: Page) -> Iterator[Value]:
    text, at = page.text, 0
    for _ in range(MAX_COMMENTS):
        opening = _COMMENT.search(text, at)
        if opening is None:
            return
        start = opening.end()
        at = text.find(_COMMENT_END, start)
        if at < 0:
            return
        if _NAMES_IMAGES.search(text, start, at) is not None:
            yield Value("", charrefs.Decoded(text[start:at], (), ()), start)


_TAGS = r"(?:img|source|picture|amp-img|video)(?![\w\-])"
_IN_JSON = pattern(rf"(?:<|\\u003c)\s*{_TAGS}", re.IGNORECASE)
_ATTRIBUTE = pattern(r"data-[A-Za-z0-9_\-]{1,100}+(?=\s{0,8}=\s{0,8}[\"']\s{0,8}(?:\{|\[|<|&))")
_MARKUP = pattern(rf"<{_TAGS}", re.IGNORECASE)

_TEMPLATE_TYPE = pattern(
    r"text/(?:html|template|ng-template|x-[\w\-]{0,40}|mustache|handlebars)|x-tmpl-mustache", re.IGNORECASE
)
_PROGRAM_TYPE = pattern(
    r"|module|importmap|speculationrules|text/plain|[\s\S]*?(?:java|ecma|live|j)script[\s\S]*+|.*json", re.IGNORECASE
)

_LONGEST_TYPE = 100
_MAX_FRAGMENTS = 10_000
_MAX_NAMES = 1_000


def in_data(page: Page, finders: tuple[Finder, ...]) -> Iterator[ImageSet]:
    """Run ``finders`` over every HTML fragment in the page's data."""
    for number, fragment in enumerate(_fragments(page)):
        if number >= _MAX_FRAGMENTS:
            message = f"The page's data holds more than {_MAX_FRAGMENTS:,} pieces of HTML: the rest is left out."
            yield page.told("too-many-fragments", message)
            return
        if isinstance(fragment, ImageSet):
            yield fragment
        else:
            value = replace(fragment, decoded=unescaped_again(fragment.decoded))
            yield from read_inner(page, value, partial(_all_of, finders))


def _fragments(page: Page) -> Iterator[Value | ImageSet]:
    """Every piece of HTML in the page's data; for one that is not read, an image set that holds only the problem."""
    for _, value, start, end in scripts(page):
        if not start and value.text.lstrip().startswith("<"):
            yield value
        yield from _in_strings(page, value, start, end)
    yield from _templates(page)
    names = sorted({name.lower() for name in _ATTRIBUTE.findall(page.text)})
    if len(names) > _MAX_NAMES:
        message = f"More than {_MAX_NAMES:,} data attributes hold HTML or JSON: the rest is left out."
        yield page.told("too-many-names", message)
    for name in names[:_MAX_NAMES]:
        for element in page.root.select(f"[{name}]"):
            text = element.attr(name) or ""
            # What names no tag is not read a second time.
            if _IN_JSON.search(text) is None or text.count("&") > MAX_REFERENCES:
                continue
            value_here = page.value(element, name)
            if value_here is not None and is_json(text):
                yield from _in_strings(page, value_here, 0, len(value_here.text))
            elif value_here is not None and text.lstrip().startswith("<"):
                yield value_here


def _templates(page: Page) -> Iterator[Value]:
    """The HTML that waits in a ``script`` for its turn, as page builders and template engines of old keep it.

    Under a type of nobody's (HTML, 4.12.1: "data block") it is HTML where it begins like it.
    """
    for script in islice(page.elements(["script"]), MAX_SCRIPTS):
        mime, text = (script.attr("type") or "").strip()[:_LONGEST_TYPE], script.text
        known = _TEMPLATE_TYPE.fullmatch(mime) is not None
        if known or (text.lstrip().startswith("<") and _PROGRAM_TYPE.fullmatch(mime) is None):
            value = content(page, script)
            if value is not None and _MARKUP.search(value.text) is not None and not is_json(value.text):
                yield value


def _in_strings(page: Page, value: Value, start: int, end: int) -> Iterator[Value | ImageSet]:
    if _IN_JSON.search(value.text, start, end) is not None:
        for inner in strings_within(
            read_json(value.text, start, end).values, lambda text: _MARKUP.search(text) is not None
        ):
            yield nested_value(value, inner) or too_many_escapes(page, value, inner)

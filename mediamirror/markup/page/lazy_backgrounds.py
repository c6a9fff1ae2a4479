"""Backgrounds that a script sets: ``data-bg`` and its like hold one URL or what CSS writes, ``data-bgset`` see `bgset`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from turbohtml import Element

from mediamirror.markup.css import sheet as css
from mediamirror.markup.css.image_set import read_image_set
from mediamirror.markup.naming import templates
from mediamirror.markup.page.bgset import Part, parts
from mediamirror.markup.page.elements import MAX_CANDIDATES, MAX_REFERENCES, Read
from mediamirror.markup.page.lazy_templates import fill, widths_of
from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.places.candidates import split_problems
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, Problem, Source

_FUNCTION = re.compile(r"(?:url|image-set)\(", re.IGNORECASE)
_SET = re.compile(r"image-set\(", re.IGNORECASE)


def is_css(text: str) -> bool:
    """Say whether a background is written as CSS."""
    return _FUNCTION.search(text) is not None


def read_css(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read what CSS writes as ``background-image``; the arguments of an ``image-set()`` alone where the name says set."""
    value = _value(page, element, name)
    if isinstance(value, Problem):
        yield Read(Source(carrier), (value,))
    elif name.endswith(("set", "set-hidpi")) and _SET.search(value.text) is None:
        for option in read_image_set(value.text, 0).options:
            candidate = Candidate(option.url, option.span, density=option.density)
            candidates, problems = split_problems([page.place(candidate, value, carrier)])
            yield Read(Source(carrier, candidates, mime=option.mime), problems)
    else:
        document = page.context.document
        rows = css.image_sets(
            value.text, document, lambda c: page.place(c, value, carrier), lambda at: page.line_in(value, at)
        )
        for row in rows:
            if isinstance(row, ImageSet):
                yield from (Read(replace(source, carrier=carrier), row.problems) for source in row.sources)
            else:
                yield Read(Source(carrier), (row,))


def read_bgset(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read a bgset: one source for each part between bars."""
    value = _value(page, element, name)
    if isinstance(value, Problem):
        yield Read(Source(carrier), (value,))
        return
    for part in parts(value.text):
        source = Source(carrier, media=part.media, mime=part.mime, sizes=element.attr("data-sizes"))
        if templates.is_template(part.srcset) and widths_of(element):
            yield fill(page, element, value, part.srcset, source)
        else:
            yield _part(page, value, part, source)


def _part(page: Page, value: Value, part: Part, source: Source) -> Read:
    parsed = parse_srcset(part.srcset)
    moved = (replace(c, span=(c.span[0] + part.start, c.span[1] + part.start)) for c in parsed.candidates)
    candidates, problems = page.place_all(moved, value, source.carrier)
    notes = []
    for problem in parsed.problems:
        line = page.line_in(value, part.start + (problem.span[0] if problem.span else 0))
        notes.append(replace(problem, line=line, document=page.context.document))
    return Read(replace(source, candidates=candidates), (*notes, *problems))


def _value(page: Page, element: Element, name: str) -> Value | Problem:
    text = element.attr(name) or ""
    value = None
    if text.count(",") + text.count("|") + text.count("(") <= MAX_CANDIDATES and text.count("&") <= MAX_REFERENCES:
        value = page.value(element, name)
    if value is not None:
        return value
    message = f"The {name} attribute has more than {MAX_CANDIDATES:,} entries: it is left out."
    return Problem("too-many-candidates", message, page.line(element), document=page.context.document)

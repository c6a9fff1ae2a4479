"""Templates on elements: an attribute's URL, filled with every width that the element lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from turbohtml import Element

from mediamirror.markup.naming import templates
from mediamirror.markup.page.elements import Read
from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.places.candidates import split_problems
from mediamirror.model import Candidate, Problem, Source

FLAG = "template"
"""The flag of a candidate whose URL stands in no document: it was filled in from the page's list of widths."""


def widths_of(element: Element) -> tuple[int, ...]:
    """Return the widths that an element lists, or for a source the image of its picture, in pixels."""
    widths = templates.listed_widths(element.attrs)
    parent = element.parent
    if widths or element.tag != "source" or not isinstance(parent, Element):
        return widths
    image = parent.select_one("img")
    return templates.listed_widths(image.attrs) if image is not None else ()


def fill(page: Page, element: Element, value: Value, text: str, source: Source) -> Read:
    """Return ``source`` with a candidate for every width; ``text`` is the template within the value."""
    start = value.text.find(text)
    span = (start, start + len(text))
    rows: list[Candidate | Problem] = []
    for url, width in templates.filled(text.strip(), widths_of(element), element.attrs):
        outcome = page.place(Candidate(url, span, width=width, flags=(FLAG,)), value, source.carrier)
        if isinstance(outcome, Problem):
            rows.append(outcome)
            break  # the same is wrong with every width
        # Without a span: a rewriter must not put one URL where a template for many stands.
        reference = replace(outcome.reference, span=None) if outcome.reference is not None else None
        rows.append(replace(outcome, reference=reference))
    candidates, problems = split_problems(rows)
    return Read(replace(source, candidates=candidates), problems)


def fill_attribute(page: Page, element: Element, name: str, carrier: str, sizes: str | None) -> Iterator[Read]:
    """Fill the template that is the whole of an attribute."""
    value = page.value(element, name)
    if value is not None:
        source = Source(
            carrier, media=element.attr("media"), mime=element.attr("type"), sizes=element.attr(sizes or "sizes")
        )
        yield fill(page, element, value, value.text.strip(), source)

"""The text inside ``script`` and ``style``, with its place: raw, so without character references of its own."""

from __future__ import annotations

from dataclasses import replace

from turbohtml import Element, Namespace

from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.places import charrefs
from mediamirror.model import Candidate, Problem

_NO_ATTRIBUTE = ""
_BETWEEN = "</script"
"""In the spelling of a URL that goes on in the next script."""


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
    """By how many code points an attribute is longer in the source than its value: what its references cost to decode."""
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

"""CSS in a page: ``<style>``, ``style=""`` and the SVG presentation attributes that take a ``url()``.

URLs are resolved on the document's base URL, and the carrier is ``css`` with the attribute's name, or without for ``<style>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from turbohtml import Element, Namespace

from mediamirror.markup.css import sheet as css
from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.page.raw import content, place, shrinkage
from mediamirror.model import ImageSet, Problem

_STYLE_ATTRIBUTES = '[style*="("]'
"""A selector that leaves out what can hold no function: most ``style`` attributes of most pages."""
_PRESENTATION = ("fill", "stroke", "filter", "mask", "clip-path", "cursor", "marker-start", "marker-mid", "marker-end")
"""SVG 2, 6.6: the presentation attributes whose value may be a url()."""
_PRESENTED = ", ".join(f'[{name}*="url(" i]' for name in _PRESENTATION)
MAX_SHRINKAGE = 1 << 20
"""By how many code points the character references of one attribute may shorten it: they are decoded one by one."""


def find_styles(page: Page) -> Iterator[ImageSet]:
    """Yield the sets of all CSS in the page; problems that belong to none come as sets without candidates."""
    page = replace(page, context=css.context_of(page.context))
    for style in page.root.iter_elements(["style"]):
        if (style.attr("type") or "text/css").strip().lower() == "text/css":
            yield from _in_value(page, content(page, style))
    for element in page.root.select(_STYLE_ATTRIBUTES):
        yield from _in_attribute(page, element, "style")
    for element in page.root.select(_PRESENTED):
        if element.namespace is Namespace.SVG:
            for name in _PRESENTATION:
                yield from _in_attribute(page, element, name)


def _in_attribute(page: Page, element: Element, name: str) -> Iterator[ImageSet]:
    text = element.attr(name) or ""
    if "(" not in text:
        return
    if shrinkage(element, name) > MAX_SHRINKAGE:
        message = f"The {name} attribute is made of too many character references: it is left out."
        yield _only_a_problem(Problem("attribute-too-large", message, page.line(element), None, page.context.document))
        return
    yield from _in_value(page, page.value(element, name))


def _in_value(page: Page, value: Value | None) -> Iterator[ImageSet]:
    if value is None:
        return
    rows = css.image_sets(
        value.text,
        page.context.document,
        lambda candidate: place(page, candidate, value, "css"),
        lambda position: page.line_in(value, position),
    )
    for row in rows:
        yield _only_a_problem(row) if isinstance(row, Problem) else row


def _only_a_problem(problem: Problem) -> ImageSet:
    return ImageSet(problem.document, problem.line, (), problems=(problem,))

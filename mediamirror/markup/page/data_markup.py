"""HTML within a page's data: the body of an article in ``__NEXT_DATA__``, the caption of a light box in ``data-sub-html``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from mediamirror.markup.page.elements import MAX_REFERENCES
from mediamirror.markup.page.nested import read_inner
from mediamirror.markup.page.page import Page, Value
from mediamirror.markup.page.page_json import MAX_SCRIPTS, is_json, nested_value, scripts, too_many_escapes, within
from mediamirror.markup.page.raw import content
from mediamirror.markup.places.json_text import read_json
from mediamirror.model import ImageSet, Problem

_TAGS = r"(?:img|source|picture|amp-img|video)(?![\w\-])"
_IN_JSON = re.compile(rf"(?:<|\\u003c)\s*{_TAGS}", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"data-[A-Za-z0-9_\-]{1,100}+(?=\s{0,8}=\s{0,8}[\"']\s{0,8}(?:\{|\[|<|&))")
_MARKUP = re.compile(rf"<{_TAGS}", re.IGNORECASE)

_TEMPLATE_TYPE = re.compile(
    r"text/(?:html|template|ng-template|x-[\w\-]{0,40}|mustache|handlebars)|x-tmpl-mustache", re.IGNORECASE
)

_MAX_FRAGMENTS = 10_000
_MAX_NAMES = 1_000

Finder = Callable[[Page], Iterator[ImageSet]]


def in_data(finders: tuple[Finder, ...]) -> Finder:
    """Return a finder that runs ``finders`` over every HTML fragment in the page's data."""

    def all_of_them(page: Page) -> Iterator[ImageSet]:
        for finder in finders:
            yield from finder(page)

    def find(page: Page) -> Iterator[ImageSet]:
        for number, fragment in enumerate(_fragments(page)):
            if number >= _MAX_FRAGMENTS:
                message = f"The page's data holds more than {_MAX_FRAGMENTS:,} pieces of HTML: the rest is left out."
                yield _trouble(page, "too-many-fragments", message)
                return
            if isinstance(fragment, ImageSet):
                yield fragment
            else:
                yield from read_inner(page, fragment, all_of_them)

    return find


def _trouble(page: Page, code: str, message: str) -> ImageSet:
    return ImageSet(page.context.document, 1, (), problems=(Problem(code, message, 1, document=page.context.document),))


def _fragments(page: Page) -> Iterator[Value | ImageSet]:
    """Every piece of HTML, or a set with the problem why one is not read."""
    for _, value, start in scripts(page):
        if value.text.lstrip().startswith("<"):
            yield value
        yield from _in_strings(page, value, start)
    yield from _templates(page)
    names = sorted({name.lower() for name in _ATTRIBUTE.findall(page.text)})
    if len(names) > _MAX_NAMES:
        yield _trouble(
            page, "too-many-names", f"More than {_MAX_NAMES:,} data attributes hold HTML or JSON: the rest is left out."
        )
    for name in names[:_MAX_NAMES]:
        for element in page.root.select(f"[{name}]"):
            text = element.attr(name) or ""
            # What names no tag is not read a second time.
            if _IN_JSON.search(text) is None or text.count("&") > MAX_REFERENCES:
                continue
            value_here = page.value(element, name)
            if value_here is not None and is_json(text):
                yield from _in_strings(page, value_here, 0)
            elif value_here is not None and text.lstrip().startswith("<"):
                yield value_here


def _templates(page: Page) -> Iterator[Value]:
    """The HTML that waits in a ``script`` for its turn, as page builders and template engines of old keep it."""
    for script in islice(page.elements(["script"]), MAX_SCRIPTS):
        if _TEMPLATE_TYPE.fullmatch((script.attr("type") or "").strip()) is not None:
            value = content(page, script)
            if value is not None and _MARKUP.search(value.text) is not None and not is_json(value.text):
                yield value


def _in_strings(page: Page, value: Value, start: int) -> Iterator[Value | ImageSet]:
    if _IN_JSON.search(value.text, start) is not None:
        text = " " * start + value.text[start:]
        for inner in within(read_json(text).values, lambda text: _MARKUP.search(text) is not None):
            yield nested_value(value, inner) or too_many_escapes(page, value, inner)

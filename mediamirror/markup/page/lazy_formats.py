"""The formats that lazy loaders write into attributes: templates with widths, backgrounds, bgsets, Foundation's interchange.

Templates are URLs with a place for the width (``{width}``, ``{w}``, ``%7Bwidth%7D``, ``{.width}``), filled where the page lists the
widths. The script of lazysizes' rias, of Shopify's themes and of AEM's image component would ask for every listed width; where
the list is in the script, nothing is known, and the URL stays a problem.

lazysizes' ``data-bgset`` holds srcset values parted by ``|``, each with ``[media]`` and ``[type: …]`` behind it:
https://github.com/aFarkas/lazysizes/tree/gh-pages/plugins/bgset

lightGallery's ``data-responsive`` holds files, each with the widest screen that it is for (``a.jpg 375, b.jpg 480``):
https://www.lightgalleryjs.com/demos/responsive/. A descriptor of the standard (``480w``) may stand there too.

Foundation's ``data-interchange``, and other attributes of sites that build on it, hold ``[file, query]`` after ``[file, query]``, of
which the last that holds is shown: https://get.foundation/sites/docs/interchange.html. A query is a name (``small``, ``(default)``)
or a media query; a file may be a piece of HTML as well as an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from turbohtml import Element

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.css import stylesheet
from mediamirror.markup.css.image_set import read_image_set
from mediamirror.markup.naming import has_image_extension, is_image_url
from mediamirror.markup.page.elements import MAX_CANDIDATES, MAX_REFERENCES, Read
from mediamirror.markup.page.parsed import Page, Value
from mediamirror.markup.places.candidates import split_problems
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, Problem, Source

PLACE = pattern(r"(?:\{|%7b)\s*(\.?[a-z_]\w{0,40})\s*(?:\}|%7d)", re.IGNORECASE | re.ASCII)
_WIDTHS = frozenset({"width", "w"})
_LISTS = ("data-widths", "data-cmp-widths", "data-image-widths", "data-srcset-widths", "widths")
_WIDTH = pattern(r"(?<![\w.])[0-9]{1,5}(?![\w.])", re.ASCII)
_WIDTH_LIST = pattern(r"[\s\[\](){}\"',;0-9pxw]*")
MAX_WIDTHS = 100
_LONGEST_LIST = 2000


def is_template(text: str) -> bool:
    """Say whether a URL has a place for a width."""
    return any(match[1].lower().lstrip(".") in _WIDTHS for match in PLACE.finditer(text))


def listed_widths(attributes: Mapping[str, object]) -> tuple[int, ...]:
    """Return the widths in pixels that an element lists in an attribute of its own, in order; empty without a list."""
    for name in _LISTS:
        value = attributes.get(name)
        if isinstance(value, str) and len(value) <= _LONGEST_LIST and _WIDTH_LIST.fullmatch(value):
            numbers = re.sub(r"(?<=[0-9])(?:px|w)\b", "", value)
            found = [int(number) for number in _WIDTH.findall(numbers)]
            return tuple(dict.fromkeys(width for width in found if width))[:MAX_WIDTHS]
    return ()


def filled(text: str, widths: tuple[int, ...], attributes: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Yield a template's URL for every width.

    Other places are filled from the element's ``data-*`` attribute of that name, and ``{height}`` from ``data-ratio`` or
    ``data-aspectratio`` (width / height). What the page does not tell stays as it is.
    """
    for width in widths:
        yield PLACE.sub(lambda match, w=width: _filled_in(match, w, attributes), text), width  # type: ignore[misc]


def _filled_in(match: re.Match[str], width: int, attributes: Mapping[str, object]) -> str:
    name = match[1].lower()
    bare = name.lstrip(".")
    value: str | None = None
    if bare in _WIDTHS:
        value = str(width)
    elif isinstance(said := attributes.get(f"data-{bare}"), str) and PLACE.search(said) is None:
        value = quote(said, safe="/,:")
    elif bare in {"height", "h"} and (ratio := _ratio(attributes)):
        value = str(round(width / ratio))
    if value is None:
        return match[0]
    return f".{value}" if name.startswith(".") else value


def _ratio(attributes: Mapping[str, object]) -> float | None:
    for name in ("data-aspect-ratio", "data-aspectratio", "data-ratio"):
        value = attributes.get(name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,16})?", value):
            return float(value) or None
    return None


_BAR = pattern(r"\s\|\s*|(?<=\S)\|\s+")
"""A bar with white space at a side; one without is part of a URL."""
_TYPE = pattern(r"\(*+\s*+type\s*+:\s*+([^)]*+)\)*+", re.IGNORECASE)
_MAX_BRACKETS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a bgset: its srcset, where that starts in the value, and what is said about it."""

    srcset: str
    start: int
    media: str | None = None
    mime: str | None = None


def bgset_parts(value: str) -> list[Part]:
    """Part a ``data-bgset`` value into its sources, in order."""
    out: list[Part] = []
    start = 0
    for end, following in [*(m.span() for m in _BAR.finditer(value)), (len(value), len(value))]:
        part = _parted(value[start:end], start)
        if part.srcset.strip():
            out.append(part)
        start = following
    return out


def _parted(text: str, start: int) -> Part:
    media = mime = None
    rest = text.rstrip()
    for _ in range(_MAX_BRACKETS):
        opening = rest.rfind("[")
        if not rest.endswith("]") or opening < 0:
            break
        inner = rest[opening + 1 : -1].strip()
        kind = _TYPE.fullmatch(inner)
        if kind is not None:
            mime = kind[1].rstrip() or None
        else:
            media = inner or None
        rest = rest[:opening].rstrip()
    return Part(rest, start, media, mime)


FLAG = "template"
"""The flag of a candidate whose URL stands in no document: it was filled in from the page's list of widths."""


def widths_of(element: Element) -> tuple[int, ...]:
    """Return the widths that an element lists, or for a source the image of its picture, in pixels."""
    widths = listed_widths(element.attrs)
    parent = element.parent
    if widths or element.tag != "source" or not isinstance(parent, Element):
        return widths
    image = parent.select_one("img")
    return listed_widths(image.attrs) if image is not None else ()


def fill(page: Page, element: Element, value: Value, text: str, source: Source) -> Read:
    """Return ``source`` with a candidate for every width; ``text`` is the template within the value."""
    start = value.text.find(text)
    span = (start, start + len(text))
    rows: list[Candidate | Problem] = []
    for url, width in filled(text.strip(), widths_of(element), element.attrs):
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


_FUNCTION = pattern(r"(?:url|image-set)\(", re.IGNORECASE)
_SET = pattern(r"image-set\(", re.IGNORECASE)


def is_css(text: str) -> bool:
    """Say whether a background is written as CSS."""
    return _FUNCTION.search(text) is not None


def read_css(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read what CSS writes as ``background-image``; the arguments of an ``image-set()`` alone where the name says set."""
    value = _bounded_value(page, element, name)
    if isinstance(value, Problem):
        yield Read(Source(carrier), (value,))
    elif name.endswith(("set", "set-hidpi")) and _SET.search(value.text) is None:
        for option in read_image_set(value.text, 0).options:
            candidate = Candidate(option.url, option.span, density=option.density)
            candidates, problems = split_problems([page.place(candidate, value, carrier)])
            yield Read(Source(carrier, candidates, mime=option.mime), problems)
    else:
        document = page.context.document
        rows = stylesheet.image_sets(
            value.text, document, lambda c: page.place(c, value, carrier), lambda at: page.line_in(value, at)
        )
        for row in rows:
            if isinstance(row, ImageSet):
                yield from (Read(replace(source, carrier=carrier), row.problems) for source in row.sources)
            else:
                yield Read(Source(carrier), (row,))


def read_bgset(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read a bgset: one source for each part between bars."""
    value = _bounded_value(page, element, name)
    if isinstance(value, Problem):
        yield Read(Source(carrier), (value,))
        return
    for part in bgset_parts(value.text):
        source = Source(carrier, media=part.media, mime=part.mime, sizes=element.attr("data-sizes"))
        if is_template(part.srcset) and widths_of(element):
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


def _bounded_value(page: Page, element: Element, name: str) -> Value | Problem:
    text = element.attr(name) or ""
    value = None
    if text.count(",") + text.count("|") + text.count("(") <= MAX_CANDIDATES and text.count("&") <= MAX_REFERENCES:
        value = page.value(element, name)
    if value is not None:
        return value
    message = f"The {name} attribute has more than {MAX_CANDIDATES:,} entries: it is left out."
    return Problem("too-many-candidates", message, page.line(element), document=page.context.document)


# The file ends at the last comma: a query has none.
_RULE = pattern(r"\[(?P<file>[^\[\]]*),(?P<query>[^\[\],]*)\]")
_FIRST_RULE = pattern(r"\s*+\[(?!\s*+[\"'{\[])[^\[\]\"]*,[^\[\],\"]++\]")


def is_interchange(text: str) -> bool:
    """Whether a value begins with a rule in brackets, its file without the quotes that JSON would have."""
    return _FIRST_RULE.match(text) is not None


def read_interchange(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read one source for each rule whose file is an image."""
    text = element.attr(name) or ""
    value = (
        page.value(element, name) if text.count("&") <= MAX_REFERENCES and text.count("[") <= MAX_CANDIDATES else None
    )
    for rule in _RULE.finditer(value.text) if value is not None else ():
        url, query = rule["file"].strip(), rule["query"].strip()
        if value is not None and (has_image_extension(url) or is_image_url(url)):
            start = rule.start("file") + len(rule["file"]) - len(rule["file"].lstrip())
            candidates, problems = split_problems(
                [page.place(Candidate(url, (start, start + len(url))), value, carrier)]
            )
            yield Read(Source(carrier, candidates, media=query if ":" in query else None), problems)


_SCREEN = pattern(r"(?<!\S),*+(?P<file>[^\s,]\S*+)[ \t\r\n]++(?P<width>[0-9]{1,5})(?=[ \t\r\n]*+(?:,|\Z))")


def read_responsive(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read one source for each file with the widest screen that it is for; a srcset as such."""
    value = _bounded_value(page, element, name)
    if isinstance(value, Problem):
        yield Read(Source(carrier), (value,))
        return
    screens = list(_SCREEN.finditer(value.text))
    for screen in screens:
        rows = page.place_all([Candidate(screen["file"], screen.span("file"))], value, carrier)
        yield Read(Source(carrier, rows[0], media=f"(max-width: {screen['width']}px)"), rows[1])
    if not screens:
        yield _part(page, value, Part(value.text, 0), Source(carrier))

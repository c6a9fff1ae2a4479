"""JSON in pages: in attributes (``data-attrs``, ``data-props``, galleries) and in scripts (``__NEXT_DATA__`` and its like).

JSON-LD is read by `jsonld`. Bounded: at most `json_text.MAX_NODES` values of one text, and only texts that hold an image's name
or speak of a srcset.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from turbohtml import Element

from mediamirror.first_use import pattern, replace
from mediamirror.markup.json.pictures import IsImage, Part, Picture, pictures
from mediamirror.markup.naming.looks import is_image_url, is_url
from mediamirror.markup.page import flight
from mediamirror.markup.page.elements import MAX_REFERENCES, Read
from mediamirror.markup.page.parsed import Page, Value, content, place
from mediamirror.markup.places.candidates import split_problems
from mediamirror.markup.places.json_text import MAX_NODES, Array, Json, Object, Text, read_json
from mediamirror.markup.places.spelling import MAX_ESCAPES, Nested, json_string
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, Problem, Source

CARRIER = "json"
MAX_SCRIPTS = 1_000
_STARTS = pattern(r"\s*+(?:\{\s*+(?:\\?\"|\})|\[\s*+[\"\[{])")
_ESCAPED_WHOLE = pattern(r"\s*+\{\s*+\\\"")
_HINT = pattern(
    r"\.(?:jpe?g|png|webp|avif|gif|svg)(?![a-z])|/image/|_next\\?/image|(?:fm|format|wx_fmt)=|images?\.|src-?set",
    re.IGNORECASE,
)
_STATE = pattern(
    r"(?<=[\w$\])])\s{0,8}=\s{0,8}(?=\{\s{0,8}\"|\[\s{0,8}[\[{\"])"
    # Nuxt 2 wraps its state in a function; others write JSON into a string.
    r"|__NUXT__\s{0,8}=\s{0,8}(?=\(function)|JSON\.parse\(\s{0,8}(?:(?=\")|'(?=[\[{]))"
)
_JSON_WITHIN = pattern(r"(?:\s*+[0-9a-f]{1,8}:[A-Z]{0,2})?\s*+[\[{]\s*+[\[{\"]")
_MAX_WITHIN = 10_000
_SHORTEST_WITHIN = 10
_JSON_TYPE = pattern(r"(?:application|text)/(?:(?:[\w.+-]{1,40}\+)?json|x-magento-init)", re.IGNORECASE)
_READ_ELSEWHERE = frozenset({"application/ld+json", "application/importmap+json", "application/speculationrules+json"})
_JAVASCRIPT = frozenset({"", "text/javascript", "application/javascript", "module"})


def is_json(text: str | None) -> bool:
    """Say whether an attribute's value is JSON that may name an image."""
    return text is not None and _STARTS.match(text) is not None and _HINT.search(text) is not None


def scripts(page: Page) -> Iterator[tuple[int, Value, int]]:
    """Yield the texts of ``script`` elements that may name an image, and where in them the JSON starts.

    Each comes with its line. The rows of what Next.js streams need not keep to one script, and are texts of their own.
    """
    for row in flight.rows(page):
        if _HINT.search(row.text) is not None:
            yield page.line_in(row, 0), row, 0
    for script in islice(page.elements(["script"]), MAX_SCRIPTS):
        mime = (script.attr("type") or "").partition(";")[0].strip().lower()
        is_data = _JSON_TYPE.fullmatch(mime) is not None and mime not in _READ_ELSEWHERE
        if not is_data and (mime not in _JAVASCRIPT or "src" in script.attrs):
            continue
        text = script.text
        if flight.is_flight(text):
            continue
        start = 0 if is_data else _state(text)
        if start is None or _HINT.search(text, start) is None:
            continue
        value = content(page, script)
        if value is not None:
            yield page.line(script), value, start


def find_scripts(page: Page) -> Iterator[ImageSet]:
    """Yield the pictures in ``script`` elements that hold JSON, or assign it: ``window.__STATE__ = {"…``."""
    for line, value, start in scripts(page):
        # A script's file names are relative to who knows what: only URLs from a root count.
        yield from _sets(page, line, value, start, _is_rooted_image)


def in_attribute(page: Page, element: Element, name: str) -> Iterator[ImageSet]:
    """Yield the pictures in the JSON of one attribute, each as a set of its own."""
    value = _value(page, element, name)
    if isinstance(value, Value):
        yield from _sets(page, page.line(element), value, 0, is_image_url)


def reads(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read the JSON of one attribute of an ``img`` or ``source`` as further sources of its image."""
    value = _value(page, element, name)
    if value is None:
        return
    reading = read_json(value.text)
    for picture in pictures(reading.values, is_image_url):
        yield from (_read(page, value, part, carrier) for part in picture.parts)


def _value(page: Page, element: Element, name: str) -> Value | None:
    text = element.attr(name) or ""
    value = page.value(element, name) if text.count("&") <= MAX_REFERENCES else None
    if value is None or _ESCAPED_WHOLE.match(text) is None:
        return value
    # Magento writes `{\"desktop_image\":`, the inside of a JSON string without its quotes.
    string = next(iter(read_json(f'"{value.text}"').values), None)
    return nested_value(value, Text(string.value, (0, len(value.text)))) if isinstance(string, Text) else value


def _state(text: str) -> int | None:
    match = _STATE.search(text)
    return match.end() if match else None


def _is_rooted_image(text: str) -> bool:
    return is_image_url(text) and is_url(text) and not text.startswith(".")


def _sets(page: Page, line: int, value: Value, start: int, is_image: IsImage) -> Iterator[ImageSet]:
    text = value.text if start == 0 else " " * start + value.text[start:]
    reading = read_json(text)
    for picture in pictures(reading.values, is_image):
        yield _image_set(page, value, picture)
    for inner in islice(strings_within(reading.values, _is_json_within), _MAX_WITHIN):
        nested = nested_value(value, inner)
        if nested is None:
            yield too_many_escapes(page, value, inner)
            continue
        for picture in pictures(read_json(nested.text).values, is_image):
            yield _image_set(page, nested, picture)
    if reading.is_cut:
        message = f"The JSON has more than {MAX_NODES:,} values: the rest is left out."
        problem = Problem("json-too-large", message, line, document=page.context.document)
        yield ImageSet(page.context.document, problem.line, (), problems=(problem,))


def _image_set(page: Page, value: Value, picture: Picture) -> ImageSet:
    rows = [_read(page, value, part, CARRIER) for part in picture.parts]
    first = picture.parts[0].text
    line = page.line_in(value, first.span[0] if isinstance(first, Text) else 0)
    problems = tuple(problem for row in rows for problem in row.problems)
    return ImageSet(page.context.document, line, tuple(r.source for r in rows), alt=picture.alt, problems=problems)


def _read(page: Page, value: Value, part: Part, carrier: str) -> Read:
    if isinstance(part.text, str):
        # A name has no place of its own in what was read: only its line is known.
        outcome = place(page, Candidate(part.text, (0, 0)), value, carrier)
        rows = [outcome if isinstance(outcome, Problem) else _without_place(outcome)]
    elif part.is_srcset:
        spelled = json_string(part.text, value.text)
        parsed = parse_srcset(part.text.value)
        rows = [place(page, replace(c, span=spelled.raw_span(*c.span)), value, carrier) for c in parsed.candidates]
        rows += [
            replace(p, line=page.line_in(value, part.text.span[0]), document=page.context.document)
            for p in parsed.problems
        ]
    else:
        text = part.text.value
        start = part.text.span[0]
        stripped = json_string(part.text, value.text).raw_span(len(text) - len(text.lstrip()), len(text.rstrip()))
        rows = [place(page, Candidate(text.strip(), stripped if text.strip() else (start, start)), value, carrier)]
    candidates, problems = split_problems(rows)
    return Read(Source(carrier, candidates, media=part.media, mime=part.mime, sizes=part.sizes), problems)


def strings_within(values: list[Json], wanted: Callable[[str], bool]) -> Iterator[Text]:
    """Yield the strings of JSON, in order, that hold something to be read for itself; without recursion."""
    pending: list[Json] = list(reversed(values))
    while pending:
        node = pending.pop()
        if isinstance(node, Array):
            pending.extend(reversed(node.items))
        elif isinstance(node, Object):
            pending.extend(value for _, value in reversed(node.members))
        elif isinstance(node, Text) and node.span[1] - node.span[0] > _SHORTEST_WITHIN and wanted(node.value):
            yield node


def nested_value(value: Value, inner: Text) -> Value | None:
    """Return a string of the JSON in a value as a value of its own; None where it has more escapes than are decoded."""
    if value.text.count("\\", *inner.span) > MAX_ESCAPES:
        return None
    spelled = json_string(inner, value.text)
    return Value(value.name, Nested(spelled.text, value.decoded, spelled), value.start)


def too_many_escapes(page: Page, value: Value, inner: Text) -> ImageSet:
    """Return the problem of a string that `nested_value` doesn't take."""
    message = f"A string of this JSON has more than {MAX_ESCAPES:,} escapes: it is not read."
    problem = Problem("too-many-escapes", message, page.line_in(value, inner.span[0]), document=page.context.document)
    return ImageSet(page.context.document, problem.line, (), problems=(problem,))


def _is_json_within(text: str) -> bool:
    return _JSON_WITHIN.match(text) is not None and _HINT.search(text) is not None


def _without_place(candidate: Candidate) -> Candidate:
    reference = candidate.reference
    return candidate if reference is None else replace(candidate, reference=replace(reference, span=None))

"""JSON in pages: in attributes (``data-attrs``, ``data-props``, galleries) and in scripts (``__NEXT_DATA__`` and its like).

JSON-LD is read by `jsonld`. Bounded: at most `json_text.MAX_NODES` values of one text, and only texts that hold an image's name
or speak of a srcset.

Next.js streams to its client with ``self.__next_f.push([1, "…"])`` again and again, one text cut anywhere. That text is rows of
``ID:JSON``, of ``ID:LETTERS JSON`` (hints, imports) and of ``ID:T<length in hex>,text``, where the length counts bytes of UTF-8 and
no line feed follows. A URL may begin in one script and end in the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from turbohtml import Element

from mediamirror.first_use import pattern, replace
from mediamirror.markup.json.pictures import IsImage, Part, Picture, pictures
from mediamirror.markup.json.records import HINT, is_json_within
from mediamirror.markup.naming import is_image_url, is_url
from mediamirror.markup.page.elements import MAX_REFERENCES, Read
from mediamirror.markup.page.parsed import Page, Value, content, place
from mediamirror.markup.places.candidates import split_problems
from mediamirror.markup.places.json_text import MAX_NODES, Array, Json, Object, Text, read_json
from mediamirror.markup.places.spelling import MAX_ESCAPES, Nested, Piece, Spelling, as_written, json_string
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, Problem, Source, Span

MAX_ROWS = 100_000
_MAX_SCRIPTS = 10_000
_PUSH = pattern(r"__next_f\.push\(\s{0,8}\[\s{0,8}1\s{0,8},\s{0,8}(?=\")")
_STRING = pattern(r"\"(?:[^\"\\]++|\\[\s\S]|(?!))*+\"?")
_ROW = pattern(r"\s*+[0-9a-f]{1,8}:(?:T([0-9a-f]{1,8}),|[A-Z]{0,2}(?=[\[{\"]))")


def rows(page: Page) -> Iterator[Value]:
    """Yield the rows of the stream that a page's scripts push, each with its place; text that is none is a row too."""
    if "__next_f" not in page.text:
        return
    scripts = islice(page.elements(["script"]), _MAX_SCRIPTS)
    pieces = [piece for script in scripts for piece in _pushed(page, script)]
    if not pieces:
        return
    stream = Spelling.of(pieces)
    for start, end in islice(_parted(stream.text), MAX_ROWS):
        text = stream.text[start:end]
        yield Value("", Nested(text, stream, as_written(text, start)), 0)


def is_flight(text: str) -> bool:
    """Say whether a script is part of such a stream."""
    return _PUSH.search(text) is not None


def _pushed(page: Page, script: Element) -> Iterator[Piece]:
    """The strings that one script pushes, as pieces placed in the page."""
    value = content(page, script) if is_flight(script.text) else None
    if value is None:
        return
    for push in _PUSH.finditer(value.text):
        raw = _STRING.match(value.text, push.end())
        if raw is None or raw[0].count("\\") > MAX_ESCAPES:
            continue
        string = next(iter(read_json(raw[0]).values), None)
        if isinstance(string, Text):
            yield from json_string(string, raw[0]).shifted(value.start + push.end())


def _parted(text: str) -> Iterator[tuple[int, int]]:
    """Where the JSON or the text of each row begins and ends."""
    at = 0
    while at < len(text):
        row = _ROW.match(text, at)
        start = row.end() if row is not None else at
        if row is not None and row[1] is not None:
            end = _after(text, start, int(row[1], 16))
            at = end
        else:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            at = end + 1
        if end > start:
            yield start, end


def _after(text: str, start: int, size: int) -> int:
    """Where ``size`` bytes of UTF-8 from ``start`` on end."""
    end = min(len(text), start + size)
    piece = text[start:end]
    if piece.isascii():
        return end
    return start + len(piece.encode("utf-8", "replace")[:size].decode("utf-8", "ignore"))


CARRIER = "json"
MAX_SCRIPTS = 1_000
_STARTS = pattern(r"\s*+(?:\{\s*+(?:\\?\"|\})|\[\s*+[\"\[{])")
_ESCAPED_WHOLE = pattern(r"\s*+\{\s*+\\\"")
_STATE = pattern(
    r"(?<=[\w$\])])\s{0,8}=\s{0,8}(?=\{\s{0,8}\"|\[\s{0,8}[\[{\"])"
    # Nuxt 2 wraps its state in a function; others write JSON into a string.
    r"|__NUXT__\s{0,8}=\s{0,8}(?=\(function)|JSON\.parse\(\s{0,8}(?:(?=\")|'(?=[\[{]))"
)
_LITERAL = pattern(
    r"(?:[(,]|(?<![=!<>])=)\s{0,40}(?=(?:\[\s{0,40})?\{\s{0,40}(?:'[^'\n]{1,60}'|\"[^\"\n]{1,60}\"|[A-Za-z_$][\w$]{0,60})\s{0,8}:)"
    r"|=\s{0,40}(?=\[\s{0,40}')|\(\s{0,40}(?=[\"']\s{0,8}[\[{])"
)
"""Before what a script hands over as an object, a list, or JSON in a string: ``kit.start(app, {data: …``, ``push({"…``."""
_OUTLINE = pattern(r"\"(?:[^\"\\]++|\\[\s\S]?|(?!))*+\"?|'(?:[^'\\\n]++|\\[\s\S]?|(?!))*+'?|[{}\[\]()]")
_OPENING, _CLOSING = frozenset("{[("), frozenset("}])")
_MAX_LITERALS = 1_000
_MAX_UNENDED = 8
"""Each costs a look at the rest of the script: a quote in a comment or in a regular expression may hide the end."""
_ANGULAR = {"a": "&", "q": '"', "s": "'", "l": "<", "g": ">"}
_ANGULAR_ESCAPE = pattern(r"&([aqslg]);")
_MAX_WITHIN = 10_000
_SHORTEST_WITHIN = 10
_JSON_TYPE = pattern(r"(?:application|text)/(?:(?:[\w.+-]{1,40}\+)?json|x-magento-init)", re.IGNORECASE)
_READ_ELSEWHERE = frozenset({"application/ld+json", "application/importmap+json", "application/speculationrules+json"})
_JAVASCRIPT = frozenset({"", "text/javascript", "application/javascript", "module"})


def is_json(text: str | None) -> bool:
    """Say whether an attribute's value is JSON that may name an image."""
    return text is not None and _STARTS.match(text) is not None and HINT.search(text) is not None


def scripts(page: Page) -> Iterator[tuple[int, Value, int, int]]:
    """Yield the texts of ``script`` elements that may name an image, and where in them JSON starts and ends.

    Each comes with its line. The rows of what Next.js streams need not keep to one script, and are texts of their own.
    """
    for row in rows(page):
        if HINT.search(row.text) is not None:
            yield page.line_in(row, 0), row, 0, len(row.text)
    for script in islice(page.elements(["script"]), MAX_SCRIPTS):
        mime = (script.attr("type") or "").partition(";")[0].strip().lower()
        is_data = _JSON_TYPE.fullmatch(mime) is not None and mime not in _READ_ELSEWHERE
        if is_data or (mime in _JAVASCRIPT and "src" not in script.attrs):
            yield from _in_script(page, script, is_data=is_data)


def _in_script(page: Page, script: Element, *, is_data: bool) -> Iterator[tuple[int, Value, int, int]]:
    text = script.text
    value = content(page, script) if HINT.search(text) is not None and not is_flight(text) else None
    if value is None:
        return
    if is_data and "&q;" in value.text[:100]:
        value = replace(value, decoded=_without_escapes(value.text))
    for start, end in [(0, len(value.text))] if is_data else _states(value.text):
        if HINT.search(value.text, start, end) is not None:
            yield page.line(script), value, start, end


def _without_escapes(text: str) -> Spelling:
    """What Angular wrote as ``&q;`` and its like, so that nothing in it ends the script."""
    escapes = [(0, 0, ""), *((*m.span(), _ANGULAR[m[1]]) for m in islice(_ANGULAR_ESCAPE.finditer(text), MAX_ESCAPES))]
    ends = [*(start for start, _, _ in escapes[1:]), len(text)]
    pieces = [
        piece
        for (start, end, meant), following in zip(escapes, ends, strict=True)
        for piece in (Piece(meant, start, end), Piece(text[end:following], end, following))
    ]
    return Spelling.of(pieces)


def _states(text: str) -> Iterator[Span]:
    """Where a script holds its state: all from the first that is assigned on, and before that each literal handed over."""
    match = _STATE.search(text)
    rest = match.end() if match else len(text)
    at, unended = 0, 0
    for _ in range(_MAX_LITERALS):
        literal = _LITERAL.search(text, at, rest)
        if literal is None or unended > _MAX_UNENDED:
            break
        start, at = literal.end(), _end_of(text, literal.end(), rest)
        if at:
            yield start, at
        else:
            unended, at = unended + 1, start
    if match is not None:
        yield rest, len(text)


def _end_of(text: str, start: int, stop: int) -> int:
    """Where the value ends that begins at a place; 0 where it does not."""
    depth = 0
    for token in _OUTLINE.finditer(text, start, stop):
        mark = text[token.start()]
        depth += (mark in _OPENING) - (mark in _CLOSING)
        if depth <= 0:
            return token.end()
    return 0


def find_scripts(page: Page) -> Iterator[ImageSet]:
    """Yield the pictures in ``script`` elements that hold JSON, or assign it: ``window.__STATE__ = {"…``."""
    for line, value, start, end in scripts(page):
        # A script's file names are relative to who knows what: only URLs from a root count.
        yield from _sets(page, line, value, (start, end), _is_rooted_image)


def in_attribute(page: Page, element: Element, name: str) -> Iterator[ImageSet]:
    """Yield the pictures in the JSON of one attribute, each as a set of its own."""
    value = _value(page, element, name)
    if isinstance(value, Value):
        yield from _sets(page, page.line(element), value, (0, len(value.text)), is_image_url)


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


def _is_rooted_image(text: str) -> bool:
    return is_image_url(text) and is_url(text) and not text.startswith(".")


def _sets(page: Page, line: int, value: Value, where: Span, is_image: IsImage) -> Iterator[ImageSet]:
    reading = read_json(value.text, *where)
    for picture in pictures(reading.values, is_image):
        yield _image_set(page, value, picture)
    for inner in islice(strings_within(reading.values, is_json_within), _MAX_WITHIN):
        nested = nested_value(value, inner)
        if nested is None:
            yield too_many_escapes(page, value, inner)
            continue
        for picture in pictures(read_json(nested.text).values, is_image):
            yield _image_set(page, nested, picture)
    if reading.is_cut:
        yield page.told("json-too-large", f"The JSON has more than {MAX_NODES:,} values: the rest is left out.", line)


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
        first, last = part.within or (len(text) - len(text.lstrip()), len(text.rstrip()))
        stripped = json_string(part.text, value.text).raw_span(first, last) if first < last else part.text.span[:1] * 2
        rows = [place(page, Candidate(text[first:last], stripped), value, carrier)]
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
    return page.told("too-many-escapes", message, page.line_in(value, inner.span[0]))


def _without_place(candidate: Candidate) -> Candidate:
    reference = candidate.reference
    return candidate if reference is None else replace(candidate, reference=replace(reference, span=None))

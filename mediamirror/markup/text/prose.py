"""Image sets inside plain text: srcset strings that a text extractor left between words.

This is not the attribute algorithm, which takes the words before a set as its first URL and the article after it as
descriptors. Here a set is a chain of URL and descriptor pairs with only commas and whitespace between them; its candidates are
placed and cleaned up, with a flag or a problem for every repair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.naming import grouped, is_image_url, same_host, same_stem
from mediamirror.markup.places.candidates import Context, merged, placed, split_problems
from mediamirror.markup.places.source import Text, from_text
from mediamirror.markup.places.urls import plain, shown
from mediamirror.markup.text.tokens import (
    Orphan,
    Pair,
    Visible,
    is_absolute,
    is_image_name,
    is_url_like,
    joined,
    next_word,
    scan,
    trim,
    unescape,
    unescaped,
    visible,
    without_backslashes,
)
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

_URL = pattern(r"https?:(?:\\?/){2}[^\s\"'<>`{}|^\u00ab\u00bb\u201c\u201d]+", re.IGNORECASE)
_NEXT = pattern(r",(?=https?:)", re.IGNORECASE)
_ESCAPED_END = pattern(r"&(?:quot|gt|lt|apos|#0?3[49]|#x2[27]);", re.IGNORECASE)
_PUNCTUATION = ".,;:!?*_\\"
_MAX_URL = 2048


def _families(rows: list[ImageSet], taken: frozenset[str]) -> list[ImageSet]:
    """The sets that naming alone makes of a text's URLs, in order. ``taken`` are URLs that belong to sets already."""
    free = [row for row in rows if row.candidates[0].url not in taken]
    return [row for row in grouped(merged(free)) if row.inferred]


def _bare(clean: Visible, source: Text, context: Context, sets: list[ImageSet], *, merge: bool) -> list[ImageSet]:
    """The families among the URLs of a text that are in none of its sets; unmerged, every other place of a URL in a set too."""
    taken = frozenset(candidate.url for image_set in sets for candidate in image_set.candidates)
    places = _places(clean.text, taken if merge else frozenset())
    rows = [row for place in places if (row := _row(place, clean, source, context)) is not None]
    families = _families(rows, taken)
    if merge:
        return families
    found = [candidate for row in (*sets, *families) for candidate in row.candidates]
    urls, spans = {candidate.url for candidate in found}, {candidate.span for candidate in found}
    return [*families, *(row for row in rows if row.candidates[0].url in urls and row.candidates[0].span not in spans)]


def _places(text: str, taken: frozenset[str]) -> Iterator[Span]:
    for match in _URL.finditer(text):
        url = match[0]
        # What holds none of these needs no undoing, and joins no other.
        if url in taken and url[-1].isalnum() and "," not in url and "&" not in url and "\\" not in url:
            continue
        start = match.start()
        # A comma may join the next URL to this one without a space.
        commas = _NEXT.finditer(text, *match.span()) if "," in url else ()
        for end, following in [*(comma.span() for comma in commas), (match.end(), 0)]:
            if end - start <= _MAX_URL:
                yield start, _trimmed(text, start, end)
            start = following


def _trimmed(text: str, start: int, end: int) -> int:
    """Where a URL ends before the punctuation of the sentence, and a bracket that was opened in front of it."""
    escaped = _ESCAPED_END.search(text, start, end)
    url = text[start : escaped.start() if escaped else end]
    while url and (
        url[-1] in _PUNCTUATION or (url[-1] in ")]" and url.count(url[-1]) > url.count("(["[url[-1] == "]"]))
    ):
        url = url[:-1]
    return start + len(url)


def _row(place: Span, clean: Visible, source: Text, context: Context) -> ImageSet | None:
    spelled = clean.text[slice(*place)]
    url = unescape(without_backslashes(spelled))
    if not is_image_url(url):
        return None
    start, end = clean.original(*place)
    line, span, raw = source.place(start, end)
    flags = ("unescaped",) if url != spelled else ()
    reference = Reference(context.document, CARRIER, None, line, span)
    candidate = Candidate(url, (start, end), descriptor_span=(end, end), flags=flags)
    outcome = placed(candidate, raw_url=raw, reference=reference, context=context)
    if not isinstance(outcome, Candidate):
        return None
    return ImageSet(context.document, line, (Source(CARRIER, (outcome,)),))


_ODD_SEPARATOR = pattern(r"[\s.,;|/\\\"'`)\]}>(\[{<]{1,32}|\s+", re.ASCII)


def find(text: str | Text, *, document: str, base_url: str | None, merge: bool = True, bare: bool = True) -> Extraction:
    """Find the image sets of a text, in order; linear in its length.

    Give a `Text` where the text comes from bytes: spans then count those of its document, otherwise those of its UTF-8 form.
    Sets with the same variants become one with several ``places`` unless ``merge`` is False. URLs without descriptors that naming
    shows to be one picture become an ``inferred`` set unless ``bare`` is False. Never raises for a string.
    """
    source = from_text(text) if isinstance(text, str) else text
    context = Context(document, base_url, "utf-8")
    clean = visible(source.text)
    sets: list[ImageSet] = []
    problems: list[Problem] = []
    lost: list[Orphan] = []
    for chain in _chains(clean.text, lost):
        image_set = build(chain, clean, source, context)
        if image_set.candidates:
            sets.append(image_set)
        else:
            problems.extend(image_set.problems)
    reported = {problem.span for image_set in sets for problem in image_set.problems}
    problems += [
        row for row in (unusable(orphan, clean, source, context) for orphan in lost) if row.span not in reported
    ]
    if bare:
        sets = [*(merged(sets) if merge else sets), *_bare(clean, source, context, sets, merge=merge)]
        sets.sort(key=lambda image_set: image_set.candidates[0].span)
    return Extraction(tuple(sets), tuple(problems))


@dataclass(slots=True)
class _Open:
    """The chain being collected, and what ended before it."""

    pairs: list[Pair] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)
    orphan: Orphan | None = None
    after: int = 0

    def add(self, pair: Pair, *, odd: bool = False) -> None:
        if odd:
            self.odd.append(len(self.pairs))
        self.pairs.append(pair)


def _chains(text: str, lost: list[Orphan]) -> Iterator[Chain]:
    """Group pairs into chains, and drop those without enough evidence; URLs whose descriptor is none go to ``lost``."""
    chain = _Open()
    for item in scan(text):
        if isinstance(item, Pair) and item.follows and chain.pairs:
            chain.pairs.append(item)
            continue
        if isinstance(item, Orphan) and item.lost is not None:
            lost.append(item)
        link = _link(text, chain, item)
        if isinstance(item, Orphan) or link == "none":
            yield from _closed(chain, lost)
            if isinstance(item, Pair) and "spaces" in item.flags:
                lost.append(Orphan(item.descriptor, item.place))
            chain = _Open(after=_end(chain), orphan=Orphan(item.descriptor))
        elif link == "new":
            yield from _closed(chain, lost)
            orphan = chain.orphan if not chain.pairs and _touches(text, chain.orphan, item) else None
            chain = _Open(orphan=orphan, after=_end(chain))
            chain.add(item)
        else:
            chain.add(item, odd=link == "odd")
    yield from _closed(chain, lost)


def _link(text: str, chain: _Open, item: Pair | Orphan) -> str:
    """How an item goes on: ``chain``, ``odd`` (not by a comma, but the same picture), ``new``, or ``none`` (no pair)."""
    if isinstance(item, Orphan):
        return "none"
    end = chain.pairs[-1].descriptor[1] if chain.pairs else None
    first = item.bare[0][0] if item.bare else item.place[0]
    if "spaces" in item.flags and not (chain.pairs and same_host(chain.pairs[-1].url, item.url)):
        return "none"
    if end is not None and joined(text, end, first):
        return "chain"
    # "1920wtoday" is a descriptor only where a chain has led up to it.
    if item.tail == "letters":
        return "none"
    if end is not None and not item.bare and _is_same_picture(text, chain, item, end):
        return "odd"
    return "new"


def _is_same_picture(text: str, chain: _Open, item: Pair, end: int) -> bool:
    if item.place[0] - end > 64 or not _ODD_SEPARATOR.fullmatch(text, end, item.place[0]):
        return False
    last = without_backslashes(chain.pairs[-1].url)
    if any((item.width, item.density) == (pair.width, pair.density) for pair in chain.pairs):
        return False
    return same_stem(last, without_backslashes(item.url))


def _touches(text: str, orphan: Orphan | None, pair: Pair) -> bool:
    if orphan is None or not joined(text, orphan.descriptor[1], pair.place[0]):
        return False
    return text[orphan.descriptor[1] - 1] == text[pair.descriptor[1] - 1]


def _end(chain: _Open) -> int:
    return chain.pairs[-1].descriptor[1] if chain.pairs else chain.after


def _closed(chain: _Open, lost: list[Orphan]) -> Iterator[Chain]:
    """The chain, if there is enough evidence: two pairs, or one with a whole URL."""
    pairs = chain.pairs
    if any(pair.height for pair in pairs) and not all(pair.height for pair in pairs):
        pairs = [pair._replace(height=None) for pair in pairs]  # "1920w 48h later" is no height
    if len(pairs) > 1 or (pairs and is_absolute(pairs[0].url)):
        yield Chain(tuple(pairs), tuple(chain.odd), chain.orphan, chain.after)
    elif chain.pairs and is_image_name(chain.pairs[0].url) and (chain.pairs[0].width or 0) >= SURE_WIDTH:
        lost.append(Orphan(chain.pairs[0].descriptor, chain.pairs[0].place))


CARRIER = "text"
_MAX_CONTEXT = 300
_LEFT_OVER = pattern(
    r"(?:(?:<\w+\s+)?[\w\-]{1,40}=)?(?:\\?[\"'(\[<!\]]|&(?:quot|#0?34|#x22|lt);){0,60}$", re.IGNORECASE
)
_LEFT_OVER_ENDS = frozenset("=\"'([<!];\n")
"""What such a rest, if there is one, ends with."""
_EXTENSION_WITHIN = pattern(r"\.(?:jpe?g|png|webp|avif|gif)(?![a-z0-9])", re.IGNORECASE)
SURE_WIDTH = 100
"""Smallest width, in pixels, that is surely a width descriptor and not a word of an article (``5w``, ``10w``)."""
_URL_WITHIN = pattern(r"\S{0,40}(?:https?:)?//\S")
_MAX_WRAPPED = 100
_LINE_ENDS = "\r\n\u2028"
_SENTENCE_ENDS = ".!?…;\"'»”)]}>"
_AFTER_SET = " \t.,;:|\"'`)]}>\\/"


@dataclass(frozen=True, slots=True)
class Chain:
    """Pairs of one set. ``odd`` are the indices of pairs that no comma joins to the one before.

    ``orphan`` is a descriptor before the first pair, joined to it by a comma, whose URL was cut off; ``after`` is where
    the set before this one ends.
    """

    pairs: tuple[Pair, ...]
    odd: tuple[int, ...]
    orphan: Orphan | None
    after: int

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to mend in it and nothing to say of it, but for what may follow it."""
        return not self.odd and self.orphan is None and all(pair.plain and pair.width != 0 for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class _Item:
    """One URL of a chain, with or without a descriptor."""

    url: str
    place: Span
    descriptor: Span
    width: int | None = None
    density: float | None = None
    height: int | None = None
    flags: tuple[str, ...] = ()


def build(chain: Chain, clean: Visible, source: Text, context: Context) -> ImageSet:
    """Make the image set of a chain; its ``candidates`` may be empty when every URL has a problem."""
    if _is_doubtful(chain):
        return _doubtful(chain.pairs[0], clean, source, context)
    if chain.is_plain and clean.text is source.text:
        return _plain_set(chain, source, context)
    items = list(_items(chain, clean.text))
    escaped = unescaped(item.url for item in items)
    absolute = any(pair.absolute for pair in chain.pairs)
    outcomes = [_outcome(item, clean, source, context, escaped=escaped, absolute=absolute) for item in items]
    candidates, problems = split_problems(outcomes)
    start = items[0].place[0]
    line = source.line(clean.original(start, start)[0])
    notes = tuple(
        Problem(code, message, source.line(clean.original(*place)[0]), clean.original(*place), context.document)
        for code, message, place in (*_notes(chain, clean.text), *_hidden(items, clean))
    )
    return ImageSet(
        context.document,
        line,
        (Source(CARRIER, candidates),),
        context=_context(clean.text, chain.after, start),
        problems=problems + notes,
    )


def _plain_set(chain: Chain, source: Text, context: Context) -> ImageSet:
    """The same for a chain in which there is nothing to mend: most of a dense text, in a third of the time."""
    text, shift, document = source.text, source.shift, context.document
    candidates: list[Candidate] = []
    problems: list[Problem] = []
    for pair in chain.pairs:
        place = start, end = pair.place
        if shift is None:
            line, span, raw = source.place(start, end)
        else:
            line, span, raw = source.line(start), (start + shift, end + shift), pair.url
        reference = Reference(document, CARRIER, None, line, span)
        url = plain(pair.url, context.base)
        raw = url if raw == url else raw  # one string in memory, not two
        found = Candidate(url or pair.url, place, pair.width, pair.density, None, pair.descriptor, raw, reference)
        if url is not None:
            candidates.append(found)
            continue
        outcome = placed(found, raw_url=raw, reference=reference, context=context)
        if isinstance(outcome, Candidate):
            candidates.append(outcome)
        else:
            problems.append(outcome)
    start = chain.pairs[0].place[0]
    problems += [
        Problem(code, message, source.line(place[0]), place, document) for code, message, place in _notes(chain, text)
    ]
    sources = (Source(CARRIER, tuple(candidates)),)
    context_of = _context(text, chain.after, start)
    return ImageSet(document, source.line(start), sources, context=context_of, problems=tuple(problems))


def unusable(orphan: Orphan, clean: Visible, source: Text, context: Context) -> Problem:
    """Report an image's URL that is cut, has spaces in it, or is followed by what is no descriptor."""
    place = clean.original(*(orphan.lost or orphan.descriptor))
    spelled, meant = shown(source.text[slice(*place)]), clean.text[slice(*orphan.descriptor)]
    message = f"{spelled} before {meant!r} can't be read as a URL and its descriptor: it is left out."
    return Problem("unusable-candidate", message, source.line(place[0]), place, context.document)


def _is_doubtful(chain: Chain) -> bool:
    """A single link before ``5x`` or ``10w`` is likely part of an article, unless its spelling says otherwise."""
    first = chain.pairs[0]
    if len(chain.pairs) > 1 or (first.width or 0) >= SURE_WIDTH or is_image_name(first.url):
        return False
    number = first.width if first.width is not None else first.density
    return f"{number:g}" not in first.url and _EXTENSION_WITHIN.search(first.url) is None


def _doubtful(pair: Pair, clean: Visible, source: Text, context: Context) -> ImageSet:
    place = clean.original(*pair.place)
    line = source.line(place[0])
    message = f"{shown(pair.url)} does not look like an image, and no other size of it is named: it is left out."
    problem = Problem("doubtful-candidate", message, line, place, context.document)
    return ImageSet(context.document, line, (Source(CARRIER),), problems=(problem,))


def _items(chain: Chain, text: str) -> Iterator[_Item]:
    for number, pair in enumerate(chain.pairs):
        # Before the first pair, only the URL that touches it belongs to the set.
        for place in pair.bare if number else pair.bare[-1:]:
            url = text[slice(*place)]
            if is_absolute(url) == pair.absolute and (is_image_name(url) or same_host(url, pair.url)):
                yield _Item(url, place, (place[1], place[1]))
        flags = pair.flags + (("glued",) if pair.tail in {"word", "letters"} else ())
        flags += ("trailing",) if pair.tail == "closer" else ()
        yield _Item(pair.url, pair.place, pair.descriptor, pair.width, pair.density, pair.height, flags)


def _outcome(
    item: _Item, clean: Visible, source: Text, context: Context, *, escaped: bool, absolute: bool
) -> Candidate | Problem:
    start, end = clean.original(*item.place)
    line, span, spelled = source.place(start, end)
    raw = source.text[start:end]
    if absolute and not is_absolute(item.url) and not is_relative(item.url):
        message = f"{shown(raw)} looks like the end of a URL whose start is cut off: it is left out."
        return Problem("incomplete-candidate", message, line, (start, end), context.document)
    if item.width == 0:
        message = f"{shown(raw)} has the width 0w: it is left out."
        return Problem("zero-width", message, line, (start, end), context.document)
    hidden = raw != clean.text[slice(*item.place)]
    url, flags = _repaired(item, escaped=escaped)
    flags += ("invisible-characters",) if hidden else ()
    candidate = Candidate(
        url, (start, end), item.width, item.density, item.height, clean.original(*item.descriptor), flags=flags
    )
    reference = Reference(context.document, CARRIER, None, line, span)
    return placed(candidate, raw_url=spelled, reference=reference, context=context)


def is_relative(url: str) -> bool:
    """Say whether a URL is relative on purpose, not the rest of one that was cut."""
    return url.startswith(("/", "./", "../")) or url[:5].lower() == "data:"


def _repaired(item: _Item, *, escaped: bool) -> tuple[str, tuple[str, ...]]:
    url, flags = without_backslashes(item.url), item.flags
    if url != item.url:
        flags += ("json-unescaped" if "\\/" in item.url or "\\u0026" in item.url else "unescaped",)
    if escaped and "&" in url:
        url, flags = unescape(url), (*flags, "unescaped")
    return url, tuple(dict.fromkeys(flags))


def _notes(chain: Chain, text: str) -> Iterator[tuple[str, str, Span]]:
    """What else is to be said about a chain: code, message, place."""
    if chain.orphan is not None:
        message = "The first candidate of this set is cut off: only its descriptor is left."
        yield "incomplete-candidate", message, chain.orphan.descriptor
    for index in chain.odd:
        pair = chain.pairs[index]
        message = f"No comma before {shown(pair.url)}: taken into the set because it differs only in its size."
        yield "missing-comma", message, pair.place
    for pair in chain.pairs:
        if "wrapped" in pair.flags or "spaces" in pair.flags:
            what = "was broken over lines" if "wrapped" in pair.flags else "has spaces in it"
            yield "mended-url", f"{shown(pair.url)} {what} and is put together again.", pair.place
        elif "percent-encoded" in pair.flags:
            yield (
                "mended-url",
                f"{shown(pair.url)} was percent-encoded as a whole, scheme and slashes too: it is decoded.",
                pair.place,
            )
    for pair in chain.pairs:
        if pair.tail in {"word", "letters"}:
            message = f"A word is glued to the descriptor of {shown(pair.url)}: the descriptor was taken alone."
            yield "glued-word", message, pair.descriptor
    rest = _unfinished(chain.pairs[-1], text)
    if rest is not None:
        message = f"{shown(text[slice(*rest)])} has no descriptor and may be cut off: it is left out."
        yield "incomplete-candidate", message, rest


def _hidden(items: list[_Item], clean: Visible) -> Iterator[tuple[str, str, Span]]:
    for item in items:
        start, end = clean.original(*item.place)
        if end - start != item.place[1] - item.place[0]:
            yield "mended-url", f"{shown(item.url)} had invisible characters in it: they are taken out.", item.place


def _unfinished(last: Pair, text: str) -> Span | None:
    """The place of a URL after the last comma that has no descriptor."""
    comma = next_word(text, last.descriptor[1])
    if text[comma[0] : comma[0] + 1] != ",":
        return None
    at = comma[0]
    while text[at : at + 1] in {","}:
        at += 1
    start, end = next_word(text, at)
    cut, upto = trim(text[start:end])
    word = text[start + cut : start + upto]
    at_end = not text[end : end + 64].strip() if end - start < 64 else False
    if _may_be_cut(word, last, at_end=at_end or _only_digits_left(text, end)):
        return start + cut, start + upto
    return None


def _only_digits_left(text: str, position: int) -> bool:
    rest = text[position : position + 16].strip()
    return rest.isdigit() and position + 16 >= len(text)


def _may_be_cut(word: str, last: Pair, *, at_end: bool) -> bool:
    if is_absolute(word) or (is_url_like(word) and is_image_name(word) and is_relative(word)):
        return True
    # The very end of a document that was cut: "htt", or the first letters of the next relative URL.
    return at_end and len(word) > 0 and (last.url.startswith(word) or "https://".startswith(word.lower()))


def _wrapped(text: str, after: int, line: int) -> int:
    """Where the context of a set starts that stands at the beginning of its line: with the line before, if that is one.

    A dump wrapped at a fixed width breaks between the date and the first URL. A line that ends like a sentence, an empty one,
    and one with another set on it tell nothing of this one.
    """
    end = line - 2 if text[line - 2 : line] == "\r\n" else line - 1
    begin = max(after, *(text.rfind(mark, after, end) + 1 for mark in _LINE_ENDS))
    before = text[begin:end].strip()
    is_context = 0 < len(before) <= _MAX_WRAPPED and before[-1] not in _SENTENCE_ENDS
    is_context = is_context and (begin > after or not after) and "://" not in before
    return begin if is_context else line


def _context(text: str, after: int, start: int) -> str | None:
    line = max(after, *(text.rfind(mark, after, start) + 1 for mark in _LINE_ENDS))
    if line > after and not text[max(line, start - _MAX_CONTEXT) : start].strip(_AFTER_SET + "(["):
        line = _wrapped(text, after, line)
    before = text[max(line, start - _MAX_CONTEXT) : start]
    # What was lost of this set itself (a URL before a descriptor that is none) is no context.
    url = _URL_WITHIN.search(before) if "//" in before else None
    before = before[: url.start()] if url else before
    if before[-1:] in _LEFT_OVER_ENDS:
        before = _LEFT_OVER.sub("", before)
    words = " ".join(before.split())
    return (words.lstrip(_AFTER_SET) if line == after and after else words) or None

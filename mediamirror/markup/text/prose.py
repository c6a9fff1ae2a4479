"""Image sets inside plain text: srcset strings that a text extractor left between words.

This is not the attribute algorithm, which takes the words before a set as its first URL and the article after it as
descriptors. Here a set is a chain of URL and descriptor pairs with only commas and whitespace between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.naming import grouped, is_image_url, same_host, same_stem
from mediamirror.markup.places.candidates import Context, merged, placed
from mediamirror.markup.places.source import SourceText, from_text
from mediamirror.markup.text.clean import Visible, is_absolute, is_image_name, unescape, visible, without_backslashes
from mediamirror.markup.text.sets import CARRIER, SURE_WIDTH, Chain, build, unusable
from mediamirror.markup.text.tokens import Orphan, Pair, joined, scan
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


def _bare(clean: Visible, source: SourceText, context: Context, sets: list[ImageSet], *, merge: bool) -> list[ImageSet]:
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


def _row(place: Span, clean: Visible, source: SourceText, context: Context) -> ImageSet | None:
    spelled = clean.text[slice(*place)]
    url = unescape(without_backslashes(spelled))
    if not is_image_url(url):
        return None
    start, end = clean.original(*place)
    line = source.line(start)
    flags = ("unescaped",) if url != spelled else ()
    reference = Reference(context.document, CARRIER, None, line, source.span(start, end))
    candidate = Candidate(url, (start, end), descriptor_span=(end, end), flags=flags)
    outcome = placed(candidate, raw_url=source.text[start:end], reference=reference, context=context)
    if not isinstance(outcome, Candidate):
        return None
    return ImageSet(context.document, line, (Source(CARRIER, (outcome,)),))


_ODD_SEPARATOR = pattern(r"[\s.,;|/\\\"'`)\]}>(\[{<]{1,32}|\s+", re.ASCII)


def find(
    text: str | SourceText, *, document: str, base_url: str | None, merge: bool = True, bare: bool = True
) -> Extraction:
    """Find the image sets of a text, in order; linear in its length.

    Give a `SourceText` where the text comes from bytes: spans then count its bytes, otherwise those of its UTF-8 form.
    Sets with the same variants become one with several ``places`` unless ``merge`` is False. URLs without descriptors that naming
    shows to be one picture become an ``inferred`` set unless ``bare`` is False. Never raises for a string.
    """
    source = text if isinstance(text, SourceText) else from_text(text)
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

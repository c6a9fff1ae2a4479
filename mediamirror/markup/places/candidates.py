"""From a URL as written to a candidate that can be fetched, or a problem that says why not: shared by all finders."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from urllib.parse import unquote

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.places.urls import Skip, plain, resolve
from mediamirror.model import Candidate, ImageSet, Problem, Reference

STATED = "stated-size"
"""The flag of a candidate whose width and height are a statement about the file (``og:image:width``), no descriptor."""
_SHOWN = frozenset({"img", "source", "picture", "amp-img", "lazy"})
"""Carriers of what a page shows. Such an image set says more than its URL, so it is never merged into one that only states a size."""
_ELEMENTS = frozenset({"img", "source"})
_MOST_OTHERS = 100
_ENCODED = pattern(r"\s*+https?(?::|%(?:25|(?!))*+3a)%(?:25|(?!))*+2f", re.IGNORECASE)
_MOST_ENCODED = 3
_LENGTH = pattern(r"\s*+([0-9]{1,9}+)(?:\s*+px|(?!))?+\s*+", re.IGNORECASE | re.ASCII)
MAX_URL = 8192
"""Longest URL taken from a document, in code points; what is longer is reported. (``data:`` URLs are never fetched.)"""


@dataclass(frozen=True, slots=True)
class Context:
    """What every URL of one document is resolved with. ``encoding`` is a Python codec."""

    document: str
    base: str | None
    encoding: str = "utf-8"


def length(text: str) -> int | None:
    """Return the pixels in ``1200`` or ``1200px``; None for anything else, and for 0."""
    match = _LENGTH.fullmatch(text)
    return int(match[1]) or None if match else None


def placed(candidate: Candidate, *, raw_url: str, reference: Reference, context: Context) -> Candidate | Problem:
    """Resolve a candidate's URL, and keep its spelling and its place."""
    c = candidate
    outcome = plain(c.url, context.base) or resolved(c.url, context, reference.attribute)
    if isinstance(outcome, Skip):
        place = (reference.line, c.span, context.document)
        return Problem(outcome.code, outcome.message, *place, words=(c.url,), attribute=reference.attribute)
    raw_url = outcome if raw_url == outcome else raw_url  # one string in memory, not two
    # Not dataclasses.replace, which takes four times as long: every URL of every document comes through here.
    return Candidate(outcome, c.span, c.width, c.density, c.height, c.descriptor_span, raw_url, reference, c.flags)


def resolved(url: str, context: Context, attribute: str | None = None) -> str | Skip:
    """Return the URL to request, or the reason why there is none; see `urls.resolve`.

    In a ``data-`` attribute, which a script reads, an absolute URL may be percent-encoded as a whole (``https%3A%2F%2F…``). A
    browser takes the same text in a ``src`` for a relative URL, and so does this.
    """
    if attribute is not None and attribute.startswith("data-"):
        for _ in range(_MOST_ENCODED):
            url = unquote(url) if _ENCODED.match(url) else url
    if len(url) > MAX_URL and not url[:64].lstrip().lower().startswith("data:"):
        return Skip(
            "url-too-long", f"A URL of {len(url):,} characters is over the limit of {MAX_URL:,}: it is left out."
        )
    return resolve(url, context.base, encoding=context.encoding)


def split_problems(outcomes: Iterable[Candidate | Problem]) -> tuple[tuple[Candidate, ...], tuple[Problem, ...]]:
    """Part the usable candidates from the problems, both in order."""
    rows = list(outcomes)
    return (
        tuple(row for row in rows if isinstance(row, Candidate)),
        tuple(row for row in rows if isinstance(row, Problem)),
    )


def merged(sets: Iterable[ImageSet]) -> tuple[ImageSet, ...]:
    """Make one set of those with the same variants: the first stays, the others become its ``places``, in order.

    A lone URL also belongs to a set before it that names it alone and states its size. An element that is written in another
    way than those before it is kept whole among the ``others`` too: what is wrong with it is not wrong with them.
    """
    first: dict[Hashable, ImageSet] = {}
    places: dict[Hashable, list[Reference]] = {}
    stating: dict[str, Hashable] = {}
    for image_set in sets:
        variants = {(c.url, c.width, c.density, c.height) for c in _unordered(image_set)}
        # A sitemap may name 200,000 files, each for itself: a frozenset takes three times as much as what is in it.
        key: Hashable = frozenset(variants) if len(variants) != 1 else next(iter(variants))
        if len(variants) == 1:
            key = _as_stated(image_set, key, stating)
        known = first.setdefault(key, image_set)
        if known is not image_set:
            places.setdefault(key, []).append(_place(image_set))
            first[key] = _completed(_with_other(known, image_set), image_set)
    return tuple(_with_places(row, places.get(key)) for key, row in first.items())


def _as_stated(image_set: ImageSet, key: Hashable, stating: dict[str, Hashable]) -> Hashable:
    """The key of the set before that states the size of the one file that this set names bare, as for ``twitter:image``."""
    candidate = next(_unordered(image_set))
    if STATED in candidate.flags:
        stating.setdefault(candidate.url, key)
        return key
    is_bare = not (candidate.width or candidate.density or candidate.height)
    return stating.get(candidate.url, key) if is_bare and image_set.sources[0].carrier not in _SHOWN else key


def _unordered(image_set: ImageSet) -> Iterator[Candidate]:
    for source in image_set.sources:
        yield from source.candidates
        if source.default is not None:
            yield source.default


def _place(image_set: ImageSet) -> Reference:
    candidate = image_set.candidates[0]
    if candidate.reference is None:
        return Reference(image_set.document, image_set.sources[0].carrier, None, image_set.line)
    return candidate.reference


def _completed(known: ImageSet, other: ImageSet) -> ImageSet:
    alt, context = known.alt or other.alt, known.context or other.context
    if (alt, context) == (known.alt, known.context):
        return known
    return replace(known, alt=alt, context=context)


def _with_other(known: ImageSet, other: ImageSet) -> ImageSet:
    if other.sources[0].carrier not in _ELEMENTS or len(known.others) >= _MOST_OTHERS:
        return known
    if any(_writing(row) == _writing(other) for row in (known, *known.others)):
        return known
    return replace(known, others=(*known.others, other))


def _writing(image_set: ImageSet) -> tuple[object, ...]:
    """What tells two elements with the same candidates apart: their other attributes, their problems."""
    sources = [
        (s.carrier, s.media, s.mime, s.sizes, s.lazy, s.ignored, s.width, s.height, s.switched_off, s.default is None,
         tuple((c.url, c.width, c.density) for c in s.candidates))
        for s in image_set.sources
    ]  # fmt: skip
    return (*sources, *((problem.code, problem.message) for problem in image_set.problems))


def _with_places(image_set: ImageSet, places: list[Reference] | None) -> ImageSet:
    return image_set if not places else replace(image_set, places=(*image_set.places, *places))

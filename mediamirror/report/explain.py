"""Which rule found each source of an image set, in words."""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.markup.page.loaders import BACKGROUNDS, BGSETS, KNOWN
from mediamirror.model import Candidate, ImageSet, Source

_LOADERS = (
    (("data-lazy-bg", "data-lazy-src", "data-lazy-srcset"), "WP Rocket, Jetpack"),
    (("data-srcset-", "data-src-webp", "data-src-img"), "EWWW"),
    (("nitro-",), "NitroPack"),
    (("data-pagespeed-",), "PageSpeed"),
    (("ix-",), "imgix.js"),
    (("data-pswp-",), "PhotoSwipe"),
    (("data-flickity-",), "Flickity"),
    (("data-opt-",), "Optimole"),
    (("data-cmp-",), "AEM"),
    (("data-o_",), "WooCommerce"),
    (("data-envira-",), "Envira"),
    (("data-cfsrc",), "Cloudflare Mirage"),
    (("data-actualsrc",), "Zhihu"),
    (("data-orig-file", "data-large-file", "data-medium-file"), "WordPress attachment"),
    (("data-original",), "jquery.lazyload"),
)
"""Beginnings of attribute names, and whose they are."""
_LAZYSIZES = frozenset({"data-src", "data-srcset"}) | BGSETS
_IMAGES = frozenset({"img", "source", "picture", "lazy"})
_STANDARD = frozenset({"src", "srcset"})
_FLAGS = {
    "repaired": "mended",
    "template": "a template filled with the widths that the page lists",
    "stated-size": "its size is a statement about the file",
    "glued": "freed from the words around it",
    "unescaped": "its escapes undone",
}


def rules_of(found: ImageSet) -> list[str]:
    """Return the rules that found a set's sources, in order, each once: ``img srcset``, ``text``."""
    rules = [rule for source in found.sources for rule in _rules(source)]
    if found.inferred:
        rules.append("naming: the URLs differ only in what names a size")
    rules += [
        f"{_of(place.carrier, place.attribute)} (the same set again, line {place.line})" for place in found.places
    ]
    return list(dict.fromkeys(rules))


def _rules(source: Source) -> Iterator[str]:
    default = () if source.default is None else (source.default,)
    for candidate in (*source.candidates, *default):
        reference = candidate.reference
        carrier = reference.carrier if reference is not None else source.carrier
        rule = _of(carrier, reference.attribute if reference is not None else None)
        notes = [*_notes(source, candidate)]
        yield f"{rule} ({'; '.join(notes)})" if notes else rule


def _notes(source: Source, candidate: Candidate) -> Iterator[str]:
    yield from (_FLAGS.get(flag, flag) for flag in candidate.flags)
    if source.ignored is not None:
        yield f"a browser never selects it: {source.ignored}"


def _of(carrier: str, attribute: str | None) -> str:
    if attribute is None:
        return carrier
    if carrier not in _IMAGES or attribute in _STANDARD:
        return f"{carrier} {attribute}"
    return f"{carrier} {attribute}: {_loader(attribute)}"


def _loader(attribute: str) -> str:
    if attribute in _LAZYSIZES:
        return "lazysizes, and most other lazy loaders"
    if attribute not in KNOWN and attribute not in BACKGROUNDS:
        return "the generic rule, its value looks like an image"
    return next((whose for beginnings, whose in _LOADERS if attribute.startswith(beginnings)), "a known lazy loader")

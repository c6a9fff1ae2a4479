"""Images that a script loads later: what lazy loaders keep in attributes of their own (`loaders`), and what looks like it.

For an ``img`` or ``source`` everything becomes one image set with the standard's own attributes; the placeholder in ``src``
is left out. On other elements (backgrounds, posters, galleries) the carrier is ``lazy``.

The generic rule, after Readability's, takes any other attribute whose value looks like an image's URL or a srcset. Its risks:
what is written for people (``alt``, titles, captions) is never looked at, a bare file name counts only under a name that says
what it is, and nothing is preferred: every URL found is kept beside those that are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from turbohtml import Element

from mediamirror.first_use import pattern, replace
from mediamirror.markup.page.carriers import ROWS
from mediamirror.markup.page.elements import Read, image_set
from mediamirror.markup.page.lazy_values import CARRIER, galleries, read_known, read_other, read_srcset
from mediamirror.markup.page.loaders import BACKGROUNDS, KNOWN, Family
from mediamirror.markup.page.parsed import Page
from mediamirror.markup.places.urls import shown
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import ImageSet, Problem, Source

PLACEHOLDER = "placeholder"
_PLACEHOLDER = pattern(
    # The whole name of the file,
    r"(?:^|/)(?:blank|spacer|spaceball|clear|cleardot|empty|pixel|transparent|transp|trans|none|dot|loading|loader|preloader|lazy"
    r"|placehold|grey|gray|white|1px|1\.1)(?:[_-]?(?:1x1|1px|image|img|pixel|gif|bg))?\.(?:gif|png|svg|webp)\Z"
    # or the end of it, where nothing else has such a name.
    r"|(?:^|[/_-])(?:spacer|placeholder|lazy-?load(?:er|ing)?|ajax-loader|lazy[_-]placeholder|1x1)\.(?:gif|png|svg|webp|jpe?g)\Z"
    r"|(?:^|/)[a-z0-9_]\.gif\Z|[_-](?:blank|transparent|loading)\.(?:gif|svg)\Z",
    re.IGNORECASE,
)
_LONGEST_NAME = 80
_LONGEST_SRCSET = 4096


def is_placeholder(url: str) -> bool:
    """Say whether a URL is what lazy loaders put where the real one will be: ``data:``, ``blank.gif`` and their like.

    Only to be asked of an image that has a real URL besides: alone, a ``blank.gif`` is an image like any other.
    """
    text = url.strip()
    if text[:5].lower() in {"data:", "about"} or text in {"", "#", "//:0", "about:blank"}:
        return True
    path = re.split(r"[?#]", text[:2048], maxsplit=1)[0]
    return _PLACEHOLDER.search(path[-_LONGEST_NAME:]) is not None


def is_placeholder_srcset(value: str) -> bool:
    """Say whether a srcset names placeholders only."""
    if len(value) > _LONGEST_SRCSET:
        return False
    candidates = parse_srcset(value).candidates
    return all(is_placeholder(candidate.url) for candidate in candidates)


MAX_ELEMENTS = 100_000
"""Most elements of one page, other than images, that are looked at."""
_MAX_NAMES = 64
_MOST_ATTRIBUTES = 256
"""Most attributes of an element that is read: a look-up goes through all, so reading each costs the square of their number."""
_PLAIN = frozenset({
    "src", "srcset", "sizes", "alt", "title", "class", "id", "style", "width", "height", "loading", "decoding",
    "fetchpriority", "crossorigin", "referrerpolicy", "usemap", "ismap", "name", "border", "align", "hspace", "vspace",
    "media", "type", "role", "tabindex", "lang", "dir", "hidden", "itemprop", "itemscope", "slot", "part", "is",
    "nonce", "draggable", "translate", "datetime", "data-sizes", "data-id", "data-widths", "data-aspectratio",
    "data-alt",
})  # fmt: skip
"""Attributes that are read elsewhere, or never hold a URL."""
_DATA = "data-"
_NAME = pattern(r"data-(?<![a-z0-9_.-]data-)[a-z0-9_.-]{1,100}+(?=\s{0,8}=)")
_OTHER_PREFIXES = ("lazy-", "nitro-")
_OTHER_NAMES = tuple(name for name in (*KNOWN, *BACKGROUNDS) if name.startswith(_OTHER_PREFIXES))
"""Names without ``data-`` in front that are looked for on every element."""


def element_reads(
    page: Page,
    element: Element,
    standard: Family,
    loaders: Mapping[str, Family],
    *,
    carrier: str,
    why_not: str | None = None,
) -> list[Read]:
    """Read an ``img`` or ``source``: the standard's own attributes, unless they only hold the place, then the loaders'.

    ``why_not`` is the reason why a browser never selects from the element.
    """
    lazy = list(lazy_reads(page, element, loaders, carrier=carrier, why_not=why_not))
    left_out: tuple[Problem, ...] = ()
    if any(read.source.candidates or read.source.default for read in lazy):
        standard, left_out = _without_placeholders(page, element, standard)
    attributes = element.attrs
    if standard.srcset in attributes or standard.src in attributes:
        ignored = why_not or ("no-srcset" if carrier == "source" and standard.srcset not in attributes else None)
        empty = _empty_srcset(page, element, standard) if not lazy else ()
        lazy[:0] = read_srcset(page, element, standard, carrier, ignored)
        if empty:
            lazy[0] = replace(lazy[0], problems=lazy[0].problems + empty)
    elif carrier == "source" and not lazy and _is_in_picture(element):
        # Nothing to load, and something to tell.
        lazy = [Read(Source(carrier, ignored=why_not or "no-srcset"), ())]
    if left_out:
        lazy[0] = replace(lazy[0], problems=left_out + lazy[0].problems)
    return lazy


def _empty_srcset(page: Page, element: Element, standard: Family) -> tuple[Problem, ...]:
    """A problem for a srcset with nothing in it that waits for no script."""
    name = standard.srcset
    if name is None or name not in element.attrs or (element.attr(name) or "").strip():
        return ()
    message = f"The {name} is empty: the standard requires a candidate, and browsers ignore the attribute."
    return (Problem("empty-srcset", message, page.line(element), document=page.context.document, attribute=name),)


def _is_in_picture(element: Element) -> bool:
    return isinstance(element.parent, Element) and element.parent.tag == "picture"


def lazy_reads(
    page: Page, element: Element, loaders: Mapping[str, Family], *, carrier: str, why_not: str | None = None
) -> Iterator[Read]:
    """Read what lazy loaders keep on one element, in the order of its attributes."""
    names = [name for name in _names(element) if name not in _PLAIN]
    if not names:
        return
    done: set[str | None] = set()
    for name in names:
        if name in done:
            continue
        family = loaders.get(name)
        if family is not None:
            done |= {family.srcset, family.src}
        for read in read_known(page, element, family, carrier) if family else read_other(page, element, name, carrier):
            yield _judged(read, carrier, why_not)


def find_lazy(page: Page) -> Iterator[ImageSet]:
    """Yield the images that other elements keep for scripts: backgrounds, posters, galleries, JSON in attributes."""
    for element in islice(_elements(page), MAX_ELEMENTS):
        if element.tag in {"img", "source"} or _is_read_with_its_images(element):
            continue
        reads = list(lazy_reads(page, element, KNOWN, carrier=CARRIER))
        if reads:
            yield image_set(page, element, reads, element.attr("data-alt") or element.attr("aria-label"))
        for name in _names(element):
            if name.startswith("data-"):
                yield from galleries(page, element, name)


def _names(element: Element) -> list[str]:
    names = list(element.attrs)
    return names if len(names) <= _MOST_ATTRIBUTES else []


def _is_read_with_its_images(element: Element) -> bool:
    return element.tag == "picture" and element.select_one("img, source") is not None


def _elements(page: Page) -> Iterable[Element]:
    """The elements with an attribute that may hold something: found by the names that occur in the page's text."""
    lowered = page.lowered
    names = _data_names(lowered) - _PLAIN
    if any(prefix in lowered for prefix in _OTHER_PREFIXES):
        names |= {name for name in _OTHER_NAMES if name in lowered}
    if not names:
        return ()
    if len(names) > _MAX_NAMES or any("." in name for name in names):
        return page.root.iter_elements()
    return page.root.select(", ".join(f"[{name}]" for name in sorted(names)))


def _data_names(lowered: str) -> set[str]:
    """The names after which an equals sign stands. A page without any costs one look: `str.find` runs at memory speed."""
    names: set[str] = set()
    found = lowered.find(_DATA)
    while found != -1:
        match = _NAME.match(lowered, found)
        if match is not None:
            names.add(match[0])
        found = lowered.find(_DATA, found + len(_DATA) if match is None else match.end())
    return names


def _judged(read: Read, carrier: str, why_not: str | None) -> Read:
    """A source without candidates is one that a browser never selects from, as with the standard's own attributes."""
    no_srcset = "no-srcset" if carrier == "source" and not read.source.candidates else None
    return replace(read, source=replace(read.source, ignored=read.source.ignored or why_not or no_srcset))


def _without_placeholders(page: Page, element: Element, standard: Family) -> tuple[Family, tuple[Problem, ...]]:
    """The attributes that hold more than the place, and a problem for a file that only does. ``data:`` needs no word."""
    srcset, src, problems = standard.srcset, standard.src, []
    if srcset is not None and is_placeholder_srcset(element.attr(srcset) or ""):
        srcset = None
    url = element.attr(src) if src is not None else None
    if url is not None and is_placeholder(url):
        src = None
        if url.strip()[:5].lower() not in {"data:", ""}:
            message = f"{shown(url.strip())} is a placeholder for an image that a script loads: it is left out."
            problems.append(Problem(PLACEHOLDER, message, page.line(element), document=page.context.document))
    return Family(srcset, src, standard.sizes), tuple(problems)


MAX_CUSTOM = 10_000
_MAX_TAGS = 200
_NOT_SHOWN = frozenset({"href", "style", "sizes"})
"""``href`` leads elsewhere; ``style`` and ``sizes`` are read elsewhere."""
_MAIN = frozenset({"src", "srcset"})
# HTML, 4.13.3 "valid custom element name": a letter first, and a hyphen within.
_TAG = pattern(r"<([a-z][a-z0-9._]{0,40}-[a-z0-9._\-]{0,60})[\s>/]", re.IGNORECASE)


def find_custom(page: Page) -> Iterator[ImageSet]:
    """Yield what custom elements name: ``src`` with ``srcset``, and each other attribute and each picture in JSON by itself."""
    names = sorted({match[1].lower() for match in _TAG.finditer(page.text)})[:_MAX_TAGS]
    for element in islice(page.elements(names), MAX_CUSTOM) if names else ():
        own = [name for name in element.attrs if not name.startswith("data-") and name not in _NOT_SHOWN]
        if len(own) <= _MOST_ATTRIBUTES:
            yield from _shown(page, element, own)


def _shown(page: Page, element: Element, names: list[str]) -> Iterator[ImageSet]:
    main: list[Read] = []
    for name in names:
        found = list(galleries(page, element, name))
        yield from found
        if not found and element.tag not in ROWS:
            reads = list(read_other(page, element, name, CARRIER))
            if name in _MAIN:
                main += reads
            elif reads:
                yield image_set(page, element, reads)
    if main:
        yield image_set(page, element, main, element.attr("alt") or element.attr("aria-label"))

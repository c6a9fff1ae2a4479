"""One element to one source of an image set: its srcset-like and its src-like attribute, with every URL placed."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from turbohtml import Element, SourceSpan

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.page.loaders import Family
from mediamirror.markup.page.parsed import Page, Value
from mediamirror.markup.places.candidates import MAX_URL, placed, resolved
from mediamirror.markup.places.urls import Skip
from mediamirror.markup.standard.srcset import scan_srcset, trailing_comma
from mediamirror.model import Candidate, ImageSet, Problem, Reference, Source

_WS = "\t\n\f\r "
MAX_CANDIDATES = 50_000
"""Most image candidates read from one attribute: each needs a comma, so commas are counted first."""
MAX_REFERENCES = 200_000
"""Most character references decoded in one attribute."""

_INLINE_KEPT = 64
"""Code points kept of a ``data:`` URL: enough to say which one it is."""
_DIMENSION = pattern(r"[ \t\n\f\r]*([0-9]{1,6})(?:\.[0-9]*)?(?![0-9.%])")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one element: its source, and the problems found on the way."""

    source: Source
    problems: tuple[Problem, ...]


def read_source(page: Page, element: Element, family: Family, *, carrier: str, ignored: str | None = None) -> Read:
    """Read one family of attributes of one element."""
    attributes, spans = element.attrs, page.spans(element)
    lazy = (_text(attributes, "loading") or "").lower() == "lazy"
    page = page.waiting() if lazy else page
    srcset, src = _text(attributes, family.srcset), _text(attributes, family.src)
    candidates, inline, problems = _srcset(page, element, family.srcset, srcset, carrier, spans)
    default, skipped = _src(page, element, family.src, src, carrier, spans)
    told, first = problems + skipped, tuple[Candidate, ...]()
    if told:
        told = tuple(p for p in told if not (p.code == "scheme-not-fetched" and is_spacer(*p.words[:1])))
        told = _placed_in(element, told)
        first = _inline([Candidate(src or "", (0, 0))]) if skipped else ()
    source = Source(
        carrier,
        candidates,
        default,
        media=_text(attributes, "media"),
        mime=_text(attributes, "type"),
        sizes=_text(attributes, family.sizes),
        lazy=lazy,
        ignored=ignored,
        width=_dimension(attributes.get("width")),
        height=_dimension(attributes.get("height")),
        inline=inline,
        inline_default=next(iter(first), None),
        switched_off=_text(attributes, "data-mediamirror-ignore"),
    )
    return Read(source, told)


_SPACER = pattern(
    r"\s*+<svg\b[^<>]*+(?:(?<=/)>|>\s*+(?:<rect\b(?=[^<>]*?fill(?:-opacity=[\"']0|=[\"'](?:none|transparent))[\"'])[^<>]*+(?<=/)>\s*+|(?!))?+</svg>)\s*+",
    re.IGNORECASE,
)
_LONGEST_SPACER = 2048


def is_spacer(url: str = "") -> bool:
    """Say whether a ``data:`` URL only holds a place: an SVG without a drawing."""
    head, _, body = url[:_LONGEST_SPACER].strip(_WS).partition(",")
    head = head.lower()
    if not head.startswith("data:image/svg+xml") or len(url) >= _LONGEST_SPACER:
        return False
    try:
        text = b64decode(unquote(body) + "==").decode("utf-8", "replace") if head.endswith(";base64") else unquote(body)
    except ValueError:
        return False
    return _SPACER.fullmatch(text) is not None


def _placed_in(element: Element, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Say of problems in the content of a template that it waits there for its script."""
    if any(isinstance(each, Element) and _is_inert(each) for each in element.ancestors):
        return tuple(replace(problem, attribute="template") for problem in problems)
    return problems


def _is_inert(element: Element) -> bool:
    """A template that is no shadow tree, which a browser shows without any script."""
    return element.tag == "template" and "shadowrootmode" not in element.attrs


def _inline(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The ``data:`` URLs among candidates, cut."""
    rows = [(c, c.url[:_INLINE_KEPT].strip(_WS)) for c in candidates if "data:" in c.url[:_INLINE_KEPT].lower()]
    return tuple(replace(c, url=url) for c, url in rows if url[:5].lower() == "data:")


def _dimension(value: object) -> int | None:
    """A width or height attribute in CSS pixels, None for a percentage or for none (HTML, "dimension attributes")."""
    found = _DIMENSION.match(value) if isinstance(value, str) else None
    return int(found[1]) if found and int(found[1]) else None


def image_set(page: Page, element: Element, reads: Iterable[Read], alt: str | None = None) -> ImageSet:
    """Put what was read into one image set that starts at ``element``."""
    rows = list(reads)
    problems = tuple([problem for row in rows for problem in row.problems])
    sources = tuple([row.source for row in rows])
    return ImageSet(page.context.document, page.line(element), sources, alt=alt, problems=problems)


def _srcset(
    page: Page, element: Element, name: str | None, text: str | None, carrier: str, spans: Mapping[str, SourceSpan]
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...], tuple[Problem, ...]]:
    """The candidates to fetch, the inline ones, the problems."""
    if name is None or not text:
        return (), (), ()
    if text.count(",") > MAX_CANDIDATES or text.count("&") > MAX_REFERENCES:
        message = f"The {name} attribute has more than {MAX_CANDIDATES:,} entries: it is left out."
        return (), (), (Problem("too-many-candidates", message, page.line(element), document=page.context.document),)
    value = page.value_at(spans.get(name), name)
    if value is None:
        return (), (), ()
    found, dropped = scan_srcset(value.text)
    if not dropped and (comma := trailing_comma(value.text)) is not None:
        dropped = [comma]
    candidates, problems = page.place_scanned(found, value, carrier)
    inline = _inline([Candidate(*each) for each in found]) if problems else ()
    return candidates, inline, (*_located(page, value, dropped), *problems) if dropped else problems


def _located(page: Page, value: Value, problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        line = page.line_in(value, problem.span[0] if problem.span else 0)
        yield replace(problem, line=line, document=page.context.document, attribute=value.name)


def _src(
    page: Page, element: Element, name: str | None, text: str | None, carrier: str, spans: Mapping[str, SourceSpan]
) -> tuple[Candidate | None, tuple[Problem, ...]]:
    if name is None or text is None:
        return None, ()
    if len(text) > MAX_URL and isinstance(skip := resolved(text, page.context), Skip):
        # A placeholder of megabytes is not worth decoding again only to say where it stands.
        return None, (Problem(skip.code, skip.message, page.line(element), document=page.context.document),)
    value = page.value_at(spans.get(name), name)
    if value is None:  # of a second body element, whose attributes the first takes: nobody knows its place
        return _unplaced(page, element, name, text, carrier)
    start = len(value.text) - len(value.text.lstrip(_WS))
    url = value.text.strip(_WS)
    usable, problems = page.place_scanned([(url, (start, start + len(url)), None, None, None, (0, 0))], value, carrier)
    return (usable[0] if usable else None), problems


def _unplaced(
    page: Page, element: Element, name: str, text: str, carrier: str
) -> tuple[Candidate | None, tuple[Problem, ...]]:
    reference = Reference(page.context.document, carrier, name, page.line(element), None)
    outcome = placed(Candidate(text.strip(_WS), (0, 0)), raw_url=text, reference=reference, context=page.context)
    return (None, (outcome,)) if isinstance(outcome, Problem) else (outcome, ())


def _text(attributes: Mapping[str, str | list[str] | None], name: str | None) -> str | None:
    value = None if name is None else attributes.get(name)
    return value if value is None or isinstance(value, str) else " ".join(value)

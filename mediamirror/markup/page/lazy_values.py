"""One attribute of a lazy loader to what it names: a srcset, a URL, a template with its widths, a background, JSON.

A broken srcset is read as its author probably meant it. That is only ever added, with a flag and a problem: `parse_srcset` stays
strict.

| written                                             | browsers see                  | repaired to                          |
|-----------------------------------------------------|-------------------------------|--------------------------------------|
| ``Review List.png 711w``                            | nothing                       | ``Review List.png`` 711w             |
| ``a.png 320w. b.png 640w`` (also ``;``, or nothing)  | nothing                       | ``a.png`` 320w, ``b.png`` 640w       |
| ``a.png 2x'``, ``a.png 768W``, ``a.png 768px``      | nothing                       | 2x, 768w, 768w                       |
| ``…/c_scale, w_320, q_auto/a.jpg 320w``             | three pieces, none of them it | ``…/c_scale,w_320,q_auto/a.jpg`` 320w |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from turbohtml import Element

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.naming import (
    has_image_extension,
    is_image_url,
    is_one_word,
    is_srcset_like,
    joined,
    joined_images,
    names_page,
)
from mediamirror.markup.page import embedded_json
from mediamirror.markup.page.elements import MAX_CANDIDATES, Read, image_set, read_source
from mediamirror.markup.page.lazy_formats import (
    fill_attribute,
    is_css,
    is_interchange,
    is_template,
    read_bgset,
    read_css,
    read_interchange,
    read_responsive,
    widths_of,
)
from mediamirror.markup.page.loaders import BACKGROUNDS, BGSETS, RESPONSIVE, Family
from mediamirror.markup.page.parsed import Page, Value
from mediamirror.markup.places.urls import shown
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, ParsedSrcset, Problem, Source, Span

FLAG = "repaired"
CODE = "repaired-srcset"
IGNORED = "repaired"
"""Why a browser never selects from such a source."""
_BROKEN = frozenset({"unknown-descriptor", "duplicate-descriptor", "mixed-descriptors"})
_FIXES = (
    (pattern(r"(\s[0-9.]*+(?<=[0-9]))W(?=[\s,.;'\"]|\Z)"), r"\1w"),
    (pattern(r"(\s[0-9.]*+(?<=[0-9]))X(?=[\s,.;'\"]|\Z)"), r"\1x"),
    (pattern(r"(\s[0-9.]*+(?<=[0-9]))px(?=[\s,.;'\"]|\Z)"), r"\1w "),
    (pattern(r"(?<=\s[0-9][wx])['\"]|(?<=[0-9]{2}[wx])['\"]"), " "),
    (pattern(r"(?<=[0-9][wx])[.;](?=\s|\Z)"), ","),
    (pattern(r"(?<=[0-9][wx])\s(?=\s*[^\s,]*[/.])"), ","),
)
"""What is exchanged in a candidate that was dropped. Its URL begins the text and stays; every exchange keeps the length, so
that positions stay true."""
_SPACED = pattern(r"(\S.*\S)[ \t]+([0-9]{1,9}w|[0-9]{1,9}(?:\.[0-9]{1,9})?x)[ \t]*")
_STEP = pattern(r"[a-z]{1,4}_[A-Za-z0-9.:!\-]{1,60}(?:/\S*)?")
_STEPS_BEGIN = pattern(r"\S*/[a-z]{1,4}_[A-Za-z0-9.:!\-]{1,60}")
_SUSPICIOUS = pattern(r",\s+[a-z]{1,4}_[A-Za-z0-9]")
_MAX_STEPS = 16


@dataclass(frozen=True, slots=True)
class Repair:
    """Candidates beyond those of the strict parse, each flagged, and a problem for each repair. Spans as in `parse_srcset`."""

    candidates: tuple[Candidate, ...]
    problems: tuple[Problem, ...]


def may_need_repair(value: str, problems: Sequence[Problem]) -> bool:
    """Say whether `repaired` is worth asking about a value whose strict parse left these problems."""
    if problems and any(problem.code in _BROKEN for problem in problems):
        return True
    return "_" in value and _SUSPICIOUS.search(value) is not None


def repaired(value: str) -> Repair:
    """Find what strict parsing lost in a srcset value. Linear in its length."""
    parsed = parse_srcset(value)
    found = [*_dropped(value, parsed), *_parted(parsed.candidates)]
    candidates = sorted((replace(c, flags=(*c.flags, FLAG)) for c in found), key=lambda c: c.span)
    return Repair(tuple(candidates), tuple(_told(candidate) for candidate in candidates))


def _told(candidate: Candidate) -> Problem:
    message = f"Browsers don't read {shown(candidate.url)} as it is written here; it is taken as what was meant."
    return Problem(CODE, message, span=candidate.span)


def _dropped(value: str, parsed: ParsedSrcset) -> Iterator[Candidate]:
    for problem in parsed.problems:
        if problem.code in _BROKEN and problem.span is not None:
            start, end = problem.span
            text = value[start:end]
            for candidate in _with_spaces(text) or _exchanged(text):
                yield _moved(candidate, start)


def _moved(candidate: Candidate, by: int) -> Candidate:
    (a, b), (c, d) = candidate.span, candidate.descriptor_span
    return replace(candidate, span=(a + by, b + by), descriptor_span=(c + by, d + by))


def _exchanged(text: str) -> list[Candidate]:
    mended = text
    for fault, by in _FIXES:
        mended = fault.sub(by, mended)
    if mended == text:
        return []
    out: list[Candidate] = []
    again = parse_srcset(mended)
    for candidate in again.candidates:
        if candidate.width is not None or candidate.density is not None or has_image_extension(candidate.url):
            out.append(candidate)
    for problem in again.problems:
        if problem.code in _BROKEN and problem.span is not None:
            start, end = problem.span
            out += [_moved(candidate, start) for candidate in _with_spaces(mended[start:end])]
    return out


def _with_spaces(text: str) -> list[Candidate]:
    """A file name with spaces: everything before one descriptor, when it ends like an image and nothing before does."""
    match = _SPACED.fullmatch(text)
    if match is None or not has_image_extension(match[1]):
        return []
    words = match[1].split()
    if any(has_image_extension(word) or "://" in word for word in words[1:-1]) or "://" in words[-1]:
        return []
    if has_image_extension(words[0]) or words[0].endswith(","):
        return []
    descriptor = match[2]
    width = int(descriptor[:-1]) if descriptor.endswith("w") else None
    density = float(descriptor[:-1]) if descriptor.endswith("x") else None
    return [] if width == 0 else [Candidate(match[1], match.span(1), width, density, None, match.span(2))]


def _parted(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """A transformation written with a space after its commas: every step became a candidate of its own."""
    index = 0
    while index < len(candidates):
        end = index + 1
        if _is_bare(candidates[index]) and _STEPS_BEGIN.fullmatch(candidates[index].url):
            while end < min(len(candidates), index + _MAX_STEPS) and _STEP.fullmatch(candidates[end].url):
                end += 1
                if "/" in candidates[end - 1].url or not _is_bare(candidates[end - 1]):
                    break
        last = candidates[end - 1]
        if end > index + 1 and "/" in last.url:
            url = ",".join(candidate.url for candidate in candidates[index:end])
            yield replace(last, url=url, span=(candidates[index].span[0], last.span[1]))
            index = end
        else:
            index += 1


def _is_bare(candidate: Candidate) -> bool:
    return candidate.width is None and candidate.density is None


CARRIER = "lazy"
"""The carrier of what stands on other elements than images."""
_FOR_PEOPLE = pattern(  # and what leads to a page, or names a record
    r"^(?:on|aria-)|title|caption|descr|credit|(?:^|[-_])(?:alt|name|label|text|author|copyright|filename|slug|class|id|type|resource|href|permalink|key)$"
)
_SAYS_IMAGE = pattern(
    r"src|img|image|pic|photo|poster|thumb|lazy|original|small|medium|mobile|desktop|backgr|(?:^|-)bg|large|full|hi-?res|retina|zoom|echo|template"
)
_UNRENDERED = pattern(r"\s*(?:\{\{|<%|\$\{)")
_OTHER_FILES = pattern(
    r"\.(?:mp4|m4v|webm|ogv|mov|m3u8|mpd|mp3|html?|pdf|js|css|json|xml|woff2?)(?:[?#]|\Z)", re.IGNORECASE
)


def read_known(page: Page, element: Element, family: Family, carrier: str) -> Iterator[Read]:
    """Read the attributes of one loader. On other elements than images, what they hold has to look like an image."""
    sizes = family.sizes if family.sizes in element.attrs else "sizes"
    for name in (family.srcset, family.src):
        text = element.attr(name) if name else None
        if name is not None and text is not None:
            is_set = name == family.srcset
            yield from _known(
                page, element, Family(name if is_set else None, None if is_set else name, sizes), text, carrier
            )


def _known(page: Page, element: Element, family: Family, text: str, carrier: str) -> Iterator[Read]:
    name = family.srcset or family.src or ""
    trusted = carrier != CARRIER
    if is_interchange(text):
        yield from read_interchange(page, element, name, carrier)
    elif embedded_json.is_json(text):
        yield from embedded_json.reads(page, element, name, carrier) if trusted else ()
    elif is_template(text) and widths_of(element):
        yield from fill_attribute(page, element, name, carrier, family.sizes)
    elif _is_srcset(text, family, trusted=trusted):
        yield from read_srcset(page, element, Family(name, None, family.sizes), carrier)
    elif family.src and (places := joined(text)):
        yield from _each(page, element, name, carrier, places) if trusted else ()
    elif family.src and (_is_reference(text) if trusted else _looks_right(name, text)):
        yield read_source(page, element, family, carrier=carrier)


def _is_srcset(text: str, family: Family, *, trusted: bool) -> bool:
    if family.srcset and trusted and _is_reference(text, spaced=True):
        return True
    return is_srcset_like(text) or bool(family.srcset and is_image_url(text.strip()))


def read_other(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read an attribute that no loader of images is known for: a background, or what looks like an image."""
    text = element.attr(name)
    if text is None or not text.strip():
        return
    if name in BGSETS:
        yield from read_bgset(page, element, name, carrier)
    elif is_interchange(text):
        yield from read_interchange(page, element, name, carrier)
    elif name == RESPONSIVE and _is_reference(text, spaced=True):
        yield from read_responsive(page, element, name, carrier)
    elif name in BACKGROUNDS:
        yield from _background(page, element, name, text, carrier)
    elif places := joined_images(text):
        yield from _each(page, element, name, carrier, places) if carrier != CARRIER else ()
    elif _FOR_PEOPLE.search(name) is None:
        yield from _guessed(page, element, name, text, carrier)


def _background(page: Page, element: Element, name: str, text: str, carrier: str) -> Iterator[Read]:
    if is_css(text):
        yield from read_css(page, element, name, carrier)
    elif is_srcset_like(text):
        yield from read_srcset(page, element, Family(name, None, None), carrier)
    elif _is_reference(text):
        yield read_source(page, element, Family(None, name, None), carrier=carrier)


def _guessed(page: Page, element: Element, name: str, text: str, carrier: str) -> Iterator[Read]:
    if embedded_json.is_json(text):
        yield from embedded_json.reads(page, element, name, carrier) if carrier != CARRIER else ()
    elif text.lstrip().startswith("<"):
        return  # HTML: `inner_html` reads it
    elif is_srcset_like(text):
        yield from read_srcset(page, element, Family(name, None, "sizes"), carrier)
    elif _looks_right(name, text):
        if is_template(text) and widths_of(element):
            yield from fill_attribute(page, element, name, carrier, "sizes")
        else:
            yield read_source(page, element, Family(None, name, None), carrier=carrier)


def galleries(page: Page, element: Element, name: str) -> Iterator[ImageSet]:
    """Yield the images in the JSON, or among the joined URLs, of an attribute that stands on no image: each a set of its own."""
    text = element.attr(name)
    if embedded_json.is_json(text):
        yield from embedded_json.in_attribute(page, element, name)
    elif text and (places := joined_images(text)):
        yield from (image_set(page, element, [read]) for read in _each(page, element, name, CARRIER, places))


def _each(page: Page, element: Element, name: str, carrier: str, places: list[Span]) -> Iterator[Read]:
    """Each URL of a value that joins several, as a source of its own."""
    value = page.value(element, name) if len(places) <= MAX_CANDIDATES else None
    for span in places if value is not None else ():
        assert value is not None  # noqa: S101 - as the line before says
        candidates, problems = page.place_all([Candidate(value.text[slice(*span)], span)], value, carrier)
        yield Read(Source(carrier, candidates), problems)


def read_srcset(
    page: Page, element: Element, family: Family, carrier: str, ignored: str | None = None
) -> Iterator[Read]:
    """Read a family with a srcset, and what a repair finds in it beyond the strict parse."""
    read = read_source(page, element, family, carrier=carrier, ignored=ignored)
    yield read
    text = (element.attr(family.srcset) if family.srcset else None) or ""
    if not may_need_repair(text, read.problems) or text.count(",") > MAX_CANDIDATES:
        return
    value = page.value(element, family.srcset or "")
    if value is None:
        return
    mended = repaired(value.text)
    candidates, problems = page.place_all(mended.candidates, value, carrier)
    if candidates:
        source = replace(read.source, candidates=candidates, default=None, ignored=IGNORED)
        yield Read(source, (*(_located(page, value, problem) for problem in mended.problems), *problems))


def _located(page: Page, value: Value, problem: Problem) -> Problem:
    line = page.line_in(value, problem.span[0] if problem.span else 0)
    return replace(problem, line=line, document=page.context.document, attribute=value.name)


def _is_reference(text: str, *, spaced: bool = False) -> bool:
    """Say whether a trusted attribute holds a URL at all, and not ``true`` or a color; spaces are a file name's."""
    if _UNRENDERED.match(text) is not None:
        return True  # to be reported
    url = text.strip()
    if not any(mark in url for mark in "/.?") or _OTHER_FILES.search(url) is not None:
        return False
    return spaced or is_one_word(url) or has_image_extension(url)


def _looks_right(name: str, text: str) -> bool:
    url = text.strip()
    if is_image_url(url):
        return True
    named = has_image_extension(url) and not names_page(url)
    return named and is_one_word(url) and _SAYS_IMAGE.search(name) is not None

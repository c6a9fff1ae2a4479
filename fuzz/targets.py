"""What is fuzzed: functions from bytes, the exceptions that they document, and what must hold of every answer.

A target returns the shape of the answer (which problems, how many candidates, which facts), so that a fuzzer without coverage can
tell an input that led somewhere new. Anything but a documented exception that leaves a target is a crash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from mediamirror.errors import ImageTruncated, NotAnImage
from mediamirror.imaging.header import cost, read_header, read_whole
from mediamirror.imaging.strip import LeftAlone, strip
from mediamirror.markup.extract import extract_document
from mediamirror.markup.page import link_header
from mediamirror.markup.standard.media import matches_media
from mediamirror.markup.standard.sizes import evaluate_sizes, parse_sizes
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Extraction, ImageFacts

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
BASE = "https://example.org/a/b.html"


@dataclass(frozen=True, slots=True)
class Target:
    """One function under test. ``binary`` says that its inputs are no text."""

    name: str
    run: Callable[[bytes], Hashable]
    binary: bool = False


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace") if _whole(data) else _latin(data)


def _whole(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


def _srcset(data: bytes) -> Hashable:
    value = _text(data)
    parsed = parse_srcset(value)
    end = 0
    for candidate in parsed.candidates:
        _must(value[slice(*candidate.span)] == candidate.url, "a span is not its URL")
        _must(candidate.span[0] >= end, "candidates overlap")
        _must(candidate.density is None or math.isfinite(candidate.density), "a density is no number")
        _must(candidate.width is None or candidate.width > 0, "a width is not positive")
        end = candidate.span[1]
    kinds = frozenset((c.width is None, c.density is None, c.height is None) for c in parsed.candidates)
    return _few(len(parsed.candidates)), kinds, frozenset(problem.code for problem in parsed.problems)


def _sizes(data: bytes) -> Hashable:
    value = _text(data)
    width = evaluate_sizes(value, viewport=(1280, 720))
    _must(math.isfinite(width) and width >= 0, "a width is no length")
    parsed = parse_sizes(value)
    for entry in parsed.entries:
        _must(entry.size in value[slice(*entry.span)], "a span is not its entry")
    matched = matches_media(value, viewport=(1280, 720), dpr=2.0)
    return matched, _few(len(parsed.entries)), frozenset(problem.code for problem in parsed.problems)


def _document(kind: str) -> Callable[[bytes], Hashable]:
    def run(data: bytes) -> Hashable:
        return _shape(extract_document(data, base_url=BASE, document="d", as_=kind), data)

    return run


def _link_header(data: bytes) -> Hashable:
    return _shape(link_header.find([_text(data)], document="d", base_url=BASE), None)


def _shape(found: Extraction, data: bytes | None) -> Hashable:
    for image_set in found.sets:
        _must(bool(image_set.candidates) or bool(image_set.problems), "a set has nothing in it")
        for candidate in image_set.candidates:
            span = candidate.reference.span if candidate.reference else None
            _must(data is None or span is None or 0 <= span[0] <= span[1] <= len(data), "a span lies outside")
            _must(_SCHEME.match(candidate.url) is not None, "a URL is not absolute")
    codes = {problem.code for problem in found.problems} | {p.code for s in found.sets for p in s.problems}
    carriers = {source.carrier for image_set in found.sets for source in image_set.sources}
    return _few(len(found.sets)), frozenset(codes), frozenset(carriers)


def _header(data: bytes) -> Hashable:
    try:
        head: ImageFacts | str = read_header(data)
    except (NotAnImage, ImageTruncated) as error:
        head = _kind(error)
    try:
        whole = read_whole(data)
    except (NotAnImage, ImageTruncated) as error:
        return _facts(head), _kind(error)
    _must(isinstance(head, ImageFacts), "the whole is an image and its header is none")
    _must(cost(data, whole, 10**8).bytes >= 0, "decoding takes less than nothing")
    _must(whole.width > 0 and whole.height > 0, "a canvas has no size")
    _must(whole.orientation in range(1, 9), "an orientation is none of eight")
    return _facts(head), _facts(whole)


def _strip(data: bytes) -> Hashable:
    try:
        stripped = strip(data)
    except LeftAlone as error:
        return str(error)[:20]
    _must(strip(stripped) == stripped, "stripping twice gives something else")
    before, after = read_whole(data), read_whole(stripped)
    _must(not after.has_gps, "a place is still told")
    same = replace(before, has_gps=False, notes=()) == replace(after, notes=())
    _must(same, f"{before} became {after}")
    return before.format, before.frames, before.orientation, before.icc, before.alpha, _few(len(data) - len(stripped))


def _facts(facts: ImageFacts | str) -> Hashable:
    return facts if isinstance(facts, str) else (facts.format, facts.orientation, facts.icc, facts.alpha, facts.has_gps)


def _kind(error: NotAnImage | ImageTruncated) -> str:
    return f"{type(error).__name__} {error.message[:40]}"


def _few(count: int) -> int:
    return min(abs(count).bit_length(), 8)


def _must(holds: bool, why: str) -> None:
    if not holds:
        raise AssertionError(why)


TARGETS = {
    target.name: target
    for target in (
        Target("srcset", _srcset),
        Target("sizes", _sizes),
        Target("css", _document("css")),
        Target("text", _document("text")),
        Target("html", _document("html")),
        Target("markdown", _document("markdown")),
        Target("feed", _document("feed")),
        Target("json", _document("json")),
        Target("link-header", _link_header),
        Target("header", _header, binary=True),
        Target("strip", _strip, binary=True),
    )
}

"""What the author of a broken srcset probably meant. Only ever added, with a flag and a problem: `parse_srcset` stays strict.

| written                                             | browsers see                  | repaired to                          |
|-----------------------------------------------------|-------------------------------|--------------------------------------|
| ``Review List.png 711w``                            | nothing                       | ``Review List.png`` 711w             |
| ``a.png 320w. b.png 640w`` (also ``;``, or nothing)  | nothing                       | ``a.png`` 320w, ``b.png`` 640w       |
| ``a.png 2x'``, ``a.png 768W``, ``a.png 768px``      | nothing                       | 2x, 768w, 768w                       |
| ``…/c_scale, w_320, q_auto/a.jpg 320w``             | three pieces, none of them it | ``…/c_scale,w_320,q_auto/a.jpg`` 320w |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.naming.looks import has_image_extension
from mediamirror.markup.places.urls import shown
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ParsedSrcset, Problem

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
    return any(problem.code in _BROKEN for problem in problems) or _SUSPICIOUS.search(value) is not None


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

"""MM10x and MM11x: what the srcset attribute itself says, and what a browser makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from mediamirror.errors import FetchError, NotAnImage
from mediamirror.first_use import pattern, replace
from mediamirror.lint.rules import rule
from mediamirror.lint.sources import is_auto
from mediamirror.lint.subject import (
    WRITTEN,
    Member,
    SetSubject,
    Violation,
    first_reference,
    first_url,
    is_element,
    is_empty_fallback,
    is_written,
    split_extensions,
)
from mediamirror.model import Candidate, ImageSet, Problem, Reference, Severity, Source, descriptor

_DROPPED = frozenset(
    {
        "unknown-descriptor", "unclosed-parenthesis", "zero-width", "zero-height", "negative-density", "number-too-large",
        "duplicate-descriptor", "mixed-descriptors", "height-without-width", "incomplete-candidate", "invalid-url",
        "empty-url", "fragment-only", "url-too-long", "too-many-candidates",
    }
)  # fmt: skip
"""Problems of the parser that cost a candidate."""
_ABSENT = ("MM203", "MM208", "MM307")
"""Rules about a file that is not there."""
_COMMAS = frozenset({"stray-comma", "missing-comma"})
_DESCRIPTOR = pattern(r"[0-9]+(?:\.[0-9]+)?[wxh]", re.ASCII)
_LIKE_DESCRIPTOR = pattern(r"[wxhWXH]?[0-9.,-]", re.ASCII)
_TEMPLATE_MARKS = ("{{", "}}", "{%", "%}", "<%", "%>", "<?", "?>", "${", "#{", "[[", "]]", "[object ")
_NOTHING = pattern(
    r"(?:[/=_:,-]|%2C)[hsw]?(?:undefined|null|NaN|None|\[object%20\w{1,40}\])"
    r"(?=(?:x-|[-_x:](?:[0-9]{1,5}w?|undefined|null|NaN)?(?:-c[0-9]{1,3})?)?(?:\.[a-z0-9]{2,5})?(?:[/?&,;:]|%2C|%7C|\Z))",
    re.ASCII,
)
"""What scripts write for a value that is missing, as a whole piece of a URL."""
_NO_VALUE = pattern(r"[?&][\w.-]{1,40}=(?:undefined|NaN|\[object%20\w{1,40}\])(?:&|\Z)", re.ASCII)
"""A parameter that nobody means, whatever the origin answers."""
_TWO_FILES = pattern(r"\.(?:avif|gif|jpe?g|png|webp),[^,]+\.(?:avif|gif|jpe?g|png|webp)\Z", re.IGNORECASE)


def _reference(subject: SetSubject, problem: Problem) -> Reference:
    carrier = subject.image_set.sources[0].carrier if subject.image_set.sources else ""
    return Reference(problem.document or subject.image_set.document, carrier, None, problem.line)


def _from_problem(subject: SetSubject, problem: Problem) -> Violation:
    """``explains`` that a ladder is too short or has a gap: what is dropped was a rung of it."""
    gaps = frozenset((code, member.url) for member in subject.members for code in ("MM402", "MM403"))
    return Violation(problem.message, reference=_reference(subject, problem), explains=gaps | _guessed(subject))


def _guessed(subject: SetSubject) -> frozenset[tuple[str, str]]:
    """That a URL is not there which no browser asks for, and which is only what was probably meant."""
    asked = {member.url for member in subject.members if member.source.ignored != "repaired"}
    cut = {m.url for one, m in pairwise(subject.members) if one.source is m.source and _is_cut(one, m)}
    return frozenset((code, m.url) for m in subject.members if m.url not in asked - cut for code in _ABSENT)


def _is_file(word: str) -> bool:
    return bool(split_extensions(word.rpartition("/")[2])[1])


def _kind(problem: Problem) -> str:
    """``template``, ``space``, ``comma``, ``dropped`` or nothing: which rule a problem of the parser belongs to."""
    if problem.attribute == "template":
        return ""  # browsers read it when the script has filled it in
    if problem.code in _COMMAS:
        return "comma"
    if problem.code == "unknown-descriptor":
        url, descriptor = problem.words if len(problem.words) == 2 else ("", "")
        if any(mark in f"{url} {descriptor}" for mark in _TEMPLATE_MARKS):
            return "template"
        if _is_file(url):
            return "comma" if _is_file(descriptor) else "dropped"
        if descriptor and (_is_file(descriptor) or not _LIKE_DESCRIPTOR.match(descriptor)):
            return "space"
    return "dropped" if problem.code in _DROPPED else ""


def told_by_a_rule(problem: Problem, image_set: ImageSet) -> bool:
    """Whether a problem of an image set is a rule's to tell of, or to pass over: it is told as a finding and in no other way."""
    match problem.code:
        case "repaired-srcset":  # what was probably meant, where a candidate is dropped or cut at its comma
            return problem.attribute in WRITTEN or any(_kind(other) for other in image_set.problems)
        case "trailing-comma" | "empty-srcset":
            return problem.attribute in WRITTEN
        case "unfilled-template" | "scheme-not-loaded":
            return problem.attribute is None or problem.attribute in WRITTEN
        case _:
            return bool(_kind(problem))


@rule("MM101", "dropped-candidate", Severity.WARNING)
def dropped_candidate(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each candidate that the parser drops, unless a rule of its own explains it."""
    cut = any(_DESCRIPTOR.fullmatch(member.candidate.raw_url) for member in subject.members)
    has_srcset = any(m.source.carrier == "img" and m.source.ignored is None for m in subject.members)
    for problem in subject.image_set.problems:
        told = has_srcset and is_empty_fallback(problem)
        if _kind(problem) == "dropped" and not told and not (cut and problem.code == "unknown-descriptor"):
            yield _from_problem(subject, problem)


@rule("MM102", "duplicate-descriptor", Severity.WARNING)
def duplicate_descriptor(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each candidate whose descriptor an earlier one of its source has."""
    for source in subject.sources():
        seen: dict[tuple[int | None, float | None], Candidate] = {}
        for candidate in source.candidates:
            first = seen.setdefault(_density(candidate), candidate)
            if first is not candidate:
                word = describe(candidate)
                same = " (the same URL twice)" if first.url == candidate.url else ""
                message = f"An earlier candidate is {word} too{same}: browsers ignore this one."
                # That its file has another width is why.
                explains = frozenset({("MM301", candidate.url)} if first.url != candidate.url else ())
                yield Violation(message, word, None, candidate.reference, candidate.url, explains)


def _density(candidate: Candidate) -> tuple[int | None, float | None]:
    """What makes two candidates the same: no descriptor is 1x."""
    bare = candidate.width is None and candidate.density is None
    return candidate.width, 1.0 if bare else candidate.density


def describe(candidate: Candidate) -> str:
    """A candidate's descriptor in words: ``480w``, ``2x``, ``without descriptor``."""
    return descriptor(candidate.width, candidate.density) or "without descriptor"


@rule("MM103", "mixed-descriptors", Severity.WARNING)
def mixed_descriptors(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each source that mixes them."""
    suspects = {id(member.candidate) for member in _misread(subject)}
    for source in subject.sources():
        rows = [candidate for candidate in source.candidates if id(candidate) not in suspects]
        odd = [candidate for candidate in rows if candidate.width is None]
        if odd and len(odd) < len(rows):
            message = f"One srcset has width descriptors, and a candidate that is {describe(odd[0])}."
            yield Violation(
                message,
                describe(next(c for c in rows if c.width is not None)),
                describe(odd[0]),
                odd[0].reference,
                odd[0].url,
                frozenset((code, candidate.url) for candidate in rows for code in ("MM402", "MM403")),
            )


@rule("MM108", "unescaped-space", Severity.WARNING)
def unescaped_space(subject: SetSubject) -> Iterator[Violation]:
    """Fire for a dropped candidate whose unknown descriptor is the end of a file name."""
    for problem in subject.image_set.problems:
        if _kind(problem) == "space":
            yield _from_problem(subject, problem)


@rule("MM111", "comma-trouble", Severity.WARNING)
def comma_trouble(subject: SetSubject) -> Iterator[Violation]:
    """Fire for stray and missing commas, for two URLs read as one, and for a URL cut in two at a comma."""
    for problem in subject.image_set.problems:
        if _kind(problem) == "comma":
            yield _from_problem(subject, problem)
        elif problem.code == "trailing-comma" and problem.attribute in WRITTEN:
            yield replace(_from_problem(subject, problem), severity=Severity.NOTE, explains=frozenset())
    for member in _misread(subject):
        candidate = member.candidate
        message = f"A comma makes browsers read `{candidate.raw_url[:80]}` as a URL of its own."
        if _TWO_FILES.search(candidate.raw_url):
            message = f"No space after a comma: browsers read `{candidate.raw_url[:120]}` as one URL."
        gone = frozenset((code, candidate.url) for code in _ABSENT) | _guessed(subject)
        yield Violation(message, None, candidate.raw_url, candidate.reference, candidate.url, gone)


def _misread(subject: SetSubject) -> list[Member]:
    """Candidates that are no URL that anybody meant."""
    members = [m for m in subject.members if m.candidate is not m.source.default and is_written(m.source)]
    odd = [m for m in members if _DESCRIPTOR.fullmatch(m.candidate.raw_url) or _TWO_FILES.search(m.candidate.raw_url)]
    cut = [one for one, other in pairwise(members) if one.source is other.source and _is_cut(one, other)]
    return [member for member in members if member in odd or member in cut]


def _is_cut(one: Member, other: Member) -> bool:
    """Whether a candidate without descriptor and file name is followed by one that goes on where it stops."""
    first, second = one.candidate, other.candidate
    bare = first.width is None and first.density is None and not _is_file(first.raw_url)
    goes_on = not second.raw_url.startswith(("/", ".")) and ":" not in second.raw_url.partition("/")[0]
    return bare and goes_on and "/" in first.raw_url and second.width is not None


@rule("MM113", "unfilled-template", Severity.ERROR)
def unfilled_template(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each URL that was left out for its placeholder, unless it waits in a data attribute for its script.

    Words such as ``undefined`` and ``null`` may be names: where they are a piece of a URL, that no picture is there decides.
    """
    for problem in subject.image_set.problems:
        if problem.code == "unfilled-template" and (problem.attribute is None or problem.attribute in WRITTEN):
            yield _from_problem(subject, problem)
        elif _kind(problem) == "template":
            message = f"`{' '.join(problem.words)[:120]}` contains an unfilled template placeholder: browsers drop the candidate."
            yield replace(_from_problem(subject, problem), message=message)
    for member in {m.url: m for m in subject.members if m.source.ignored is None and is_written(m.source)}.values():
        found = _NO_VALUE.search(member.url) or (_NOTHING.search(member.url) if _absent(member) else None)
        if found is not None:
            word = found[0].strip("/?&").rpartition("=")[2]
            message = f"`{word}` in the URL is what a script writes where it has no value."
            explains = frozenset((code, member.url) for code in (*_ABSENT, "MM110", "MM301", "MM309"))
            # What loads all the same is not broken: a server may take the word for nothing said.
            lighter = None if _absent(member) or member.known is None else Severity.WARNING
            yield Violation(message, "a value", word, member.candidate.reference, member.url, explains, lighter)


def _absent(member: Member) -> bool:
    return member.known is not None and isinstance(member.known.result, FetchError | NotAnImage)


@rule("MM121", "against-the-grammar", Severity.NOTE)
def against_the_grammar(subject: SetSubject) -> Iterator[Violation]:
    """Fire for what the standard forbids an author to write in srcset or sizes, and browsers make something of."""
    for problem in subject.image_set.problems:
        if problem.code == "empty-srcset" and problem.attribute in WRITTEN:
            yield _from_problem(subject, problem)
    for source in (each for each in subject.sources() if is_element(each) and first_reference(each) is not None):
        for candidate in source.candidates:
            message = _odd_descriptor(candidate)
            if message is not None:
                yield Violation(message, None, describe(candidate), candidate.reference, candidate.url)
        if _says_nothing(subject, source):
            message = f"The {source.carrier} has sizes but no width descriptor: browsers ignore sizes."
            yield Violation(message, None, (source.sizes or "")[:200], first_reference(source), first_url(source))


def _odd_descriptor(candidate: Candidate) -> str | None:
    if candidate.density == 0:
        return "The density is 0, where the standard wants more: browsers take it as the least dense of all."
    if candidate.height is not None:
        return f"The height descriptor {candidate.height}h is kept for the future: browsers pass over it."
    return None


def _says_nothing(subject: SetSubject, source: Source) -> bool:
    """Whether a sizes attribute stands beside no width descriptor; ``auto`` is for the sources before the img, or MM107's."""
    widths = any(c.width is not None for c in (*source.candidates, *source.inline))
    dropped = any(_kind(problem) for problem in subject.image_set.problems)
    return source.sizes is not None and not widths and not dropped and not is_auto(source.sizes)


@rule("MM120", "scheme-not-loaded", Severity.ERROR)
def scheme_not_loaded(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each such URL, unless it waits in a data attribute for its script."""
    for problem in subject.image_set.problems:
        if problem.code == "scheme-not-loaded" and (problem.attribute is None or problem.attribute in WRITTEN):
            yield _from_problem(subject, problem)

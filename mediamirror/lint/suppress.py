"""Findings that somebody switched off for a reason: in the page itself, or for paths in ``mediamirror.toml``. Pure.

In a page, an attribute of any element of the image set (``img``, ``source`` or ``picture``):

    <img data-mediamirror-ignore="MM404 MM109: the slot is 300 px wide, whatever the screen" ...>

Codes, names or beginnings of codes, then a colon and the reason. One without a reason switches nothing off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.lint.rules import matching, rule
from mediamirror.lint.subject import SetSubject, Violation, first_reference, first_url
from mediamirror.model import Finding, ImageSet, Severity, Source, Suppressed

ATTRIBUTE = "data-mediamirror-ignore"
_WORDS = pattern(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Suppression:
    """Codes that are switched off, why, and where that is written."""

    codes: frozenset[str]
    reason: str
    where: str
    in_source: bool


@dataclass(frozen=True, slots=True)
class PathSuppression:
    """A `Suppression` for documents that match ``path`` and files that match ``image``; None matches all."""

    suppression: Suppression
    path: str | None = None
    image: str | None = None


def codes_of(words: Iterable[str]) -> frozenset[str]:
    """The codes that words mean. Raises `UsageError` that names the nearest rule."""
    return frozenset(code for word in words for code in matching(word)[0])


def apply(
    image_set: ImageSet, findings: Sequence[Finding], paths: Sequence[PathSuppression], names: Sequence[str]
) -> tuple[list[Finding], list[Suppressed]]:
    """Part findings into those that stand and those that are switched off.

    ``names`` are what the document is called: its path as given, below the site's root, its URL.
    """
    return part(findings, list(_inline(image_set)), paths, names)


def part(
    findings: Sequence[Finding], inline: Sequence[Suppression], paths: Sequence[PathSuppression], names: Sequence[str]
) -> tuple[list[Finding], list[Suppressed]]:
    """Like `apply`, for findings that concern no image set in a page."""
    near = [each for each in paths if each.path is None or any(matches(name, each.path) for name in names)]
    kept: list[Finding] = []
    off: list[Suppressed] = []
    for finding in findings:
        here = [each for each in near if each.image is None or _matches_url(finding.url, each.image)]
        known = [s for s in (*inline, *(each.suppression for each in here)) if finding.rule in s.codes]
        if known:
            off.append(Suppressed(finding, known[0].reason, known[0].where, known[0].in_source))
        else:
            kept.append(finding)
    return kept, off


def matches(path: str, glob: str) -> bool:
    """Whether a path fits a glob: whole (``*`` passes slashes), as a folder that it lies in, or by its last segment.

    | glob | fits |
    |---|---|
    | ``blog/**``, ``blog/``, ``blog`` | ``blog/a.html``, ``blog/2024/b.html`` |
    | ``*.md``, ``404.html`` | ``a.md``, ``docs/a.md``, ``docs/404.html`` |
    """
    folder = glob.removesuffix("**").removesuffix("*").rstrip("/") if glob.endswith(("/", "/*", "/**")) else glob
    whole = fnmatchcase(path, glob) or (bool(folder) and fnmatchcase(path, f"{folder}/*"))
    return whole or ("/" not in glob and fnmatchcase(path.rpartition("/")[2], glob))


def url_names(url: str) -> tuple[str, ...]:
    """What a URL is called: itself without its query, and its path without the first slash."""
    bare = url.partition("#")[0].partition("?")[0]
    path = bare.partition("://")[2].partition("/")[2] if "://" in bare else bare
    return bare, path


def _file_names(url: str) -> tuple[str, ...]:
    """What a file is called: as a URL, and as a key of a mirror, which begins with a host."""
    return (*url_names(url), *(() if "://" in url else (url.partition("/")[2],)))


def _matches_url(url: str, glob: str) -> bool:
    return any(matches(name, glob) for name in _file_names(url))


def _inline(image_set: ImageSet) -> Iterator[Suppression]:
    for source, text in _written(image_set):
        words, reason = _parts(text)
        codes = frozenset(code for word in words for code in _known(word))
        if codes and reason:
            place = first_reference(source)
            line = place.line if place is not None else image_set.line
            yield Suppression(codes, reason, f"{image_set.document}:{line}", in_source=True)


def _written(image_set: ImageSet) -> Iterator[tuple[Source, str]]:
    seen: set[str] = set()
    for source in image_set.sources:
        if source.switched_off is not None and source.switched_off not in seen:
            seen.add(source.switched_off)
            yield source, source.switched_off


def _parts(text: str) -> tuple[list[str], str]:
    codes, _, reason = text.partition(":")
    return [word for word in _WORDS.split(codes.strip()) if word], " ".join(reason.split())


@rule("MM118", "ignore-not-understood", Severity.WARNING)
def ignore_not_understood(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each word that means no rule, and for each attribute without codes or without a reason."""
    for source, text in _written(subject.image_set):
        place, url = first_reference(source), first_url(source)
        words, reason = _parts(text)
        if not words or not reason:
            lacks = "no reason: write it after a colon" if words else "no rule: write its code before a colon"
            yield Violation(f'{ATTRIBUTE}="{text[:80]}" gives {lacks}.', None, text[:200], place, url)
        for word in words:
            try:
                matching(word)
            except UsageError as error:
                yield Violation(f"{ATTRIBUTE}: {error.message} It switches nothing off.", None, word[:80], place, url)


@rule("MM119", "ignore-unused", Severity.NOTE, about="findings")
def ignore_unused(subject: SetSubject, findings: Sequence[Finding]) -> Iterator[Violation]:
    """Fire for each word that met no finding, of rules that had all that they need to find something."""
    able, found = _able(subject), {finding.rule for finding in findings}
    for source, text in _written(subject.image_set):
        words, reason = _parts(text)
        for word in words if reason else ():
            codes = _known(word)
            if codes and codes <= able and not codes & found:
                message = f"{ATTRIBUTE} switches {word[:80]} off, but that rule finds nothing here."
                yield Violation(message, word[:80], "no finding", first_reference(source), first_url(source))


def _known(word: str) -> frozenset[str]:
    try:
        return matching(word)[0]
    except UsageError:
        return frozenset()  # MM118 tells of it


def _able(subject: SetSubject) -> frozenset[str]:
    """Rules that could have found something: chosen, with every file decoded, and with the options that they want."""
    if any(member.look is None for member in subject.members):
        return frozenset()
    lacks = {"MM119"} | (set() if subject.options.ladder else {"MM401"})
    lacks |= {"MM406"} if any(m.look is None or not m.look.estimates for m in subject.members) else set()
    served = all(member.known is not None and member.known.download is not None for member in subject.members)
    return frozenset(
        c for c in subject.options.codes - lacks if not c.startswith("MM5") and (served or not c.startswith("MM2"))
    )

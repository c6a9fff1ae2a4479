"""MM104 to MM107, the sizes attribute; MM109, MM110 and MM114 to MM117, the fallback, and sources that are never used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mediamirror.lint.likeness import alike
from mediamirror.lint.rules import rule
from mediamirror.lint.screens import Browser, always_taken, ever_matches
from mediamirror.lint.subject import (
    Member,
    SetSubject,
    Violation,
    file_name,
    first_reference,
    first_url,
    is_element,
    is_empty_fallback,
    is_written,
    some_browser_shows,
    split_extensions,
    width_tag,
)
from mediamirror.model import ImageSet, Severity, Source

_INVALID = frozenset({
    "empty-source-size", "invalid-source-size", "invalid-media-condition", "unknown-media-condition",
    "unreachable-source-size", "sizes-too-long",
})  # fmt: skip


def is_auto(sizes: str | None) -> bool:
    """Whether a sizes value is ``auto``, or starts with it (HTML, "allows auto-sizes")."""
    return (sizes or "").strip().lower().partition(",")[0].strip() == "auto"


def _with_sizes(subject: SetSubject) -> list[tuple[Source, str]]:
    return [(source, source.sizes) for source in subject.sources() if source.sizes is not None and is_element(source)]


def _too_wide(source: Source) -> frozenset[tuple[str, str]]:
    """That the files are too small for a layout that nobody meant needs no finding of its own."""
    return frozenset(("MM403", candidate.url) for candidate in source.candidates)


@rule("MM104", "width-without-sizes", Severity.WARNING)
def width_without_sizes(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such element."""
    for source in subject.sources():
        widths = [candidate for candidate in source.candidates if candidate.width is not None]
        if widths and subject.browser.sizes_of(subject.image_set, source) is None and is_element(source):
            message = f"The {source.carrier} has width descriptors and no sizes: browsers assume 100vw."
            yield Violation(message, None, "100vw", first_reference(source), widths[0].url)


@rule("MM105", "invalid-sizes", Severity.WARNING)
def invalid_sizes(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each entry that browsers skip, and for each condition that no screen meets."""
    for source, sizes in _with_sizes(subject):
        place, url = first_reference(source), first_url(source)
        problems = [problem for problem in subject.browser.sizes_problems(sizes) if problem.code in _INVALID]
        for problem in problems:
            entry = sizes[slice(*problem.span)].strip() if problem.span else sizes
            yield Violation(problem.message, entry[:200], None, place, url, _too_wide(source))
        unknown = [sizes[slice(*p.span)] for p in problems if p.span and p.code == "unknown-media-condition"]
        for condition in subject.browser.sizes_conditions(sizes):
            if not any(condition in entry for entry in unknown) and not ever_matches(condition, subject.browser):
                message = f"No screen meets the condition `{condition[:120]}` of sizes."
                yield Violation(message, condition[:200], "never true", place, url, _too_wide(source))


@rule("MM106", "sizes-without-default", Severity.NOTE)
def sizes_without_default(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such attribute."""
    for source, sizes in _with_sizes(subject):
        if any(problem.code == "no-default-size" for problem in subject.browser.sizes_problems(sizes)):
            message = "Every entry of sizes has a condition: where none is true, 100vw applies."
            place = first_reference(source)
            yield Violation(message, sizes[:200], "100vw", place, first_url(source), _too_wide(source))


@rule("MM107", "auto-sizes-without-lazy", Severity.WARNING)
def auto_sizes_without_lazy(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each auto that cannot count: that of a ``source`` is governed by its img."""
    img = next((source for source in subject.sources() if source.carrier == "img"), None)
    for source, sizes in _with_sizes(subject):
        owner = img if source.carrier == "source" and img is not None else source
        if is_auto(sizes) and not owner.lazy:
            message = f'sizes="{sizes[:80]}" on a {source.carrier} that is not loaded lazily: auto is ignored.'
            yield Violation(message, "auto", "not lazy", first_reference(source), first_url(source))


_NOTHING_THERE = frozenset(
    {"scheme-not-fetched", "scheme-not-loaded", "unfilled-template", "invalid-url", "empty-url", "url-too-long"}
)
"""Problems that say why an src is there and yields no candidate."""
_COMMON_START = 4
_NEVER_USED = {
    "no-srcset": "it has no srcset (browsers ignore the src of a source in a picture)",
    "not-a-child": "it is no child of the picture itself",
    "img-not-a-child": "the img is no child of the picture itself",
    "no-img": "the picture has no img, without which nothing is shown",
}


def _img(image_set: ImageSet) -> Source | None:
    return next((s for s in image_set.sources if s.carrier == "img" and s.ignored is None and is_written(s)), None)


@rule("MM109", "fallback-missing", Severity.WARNING)
def fallback_missing(subject: SetSubject) -> Iterator[Violation]:
    """Fire for an img that has candidates and neither an src nor a problem that tells of one."""
    img = _img(subject.image_set)
    if img is None or img.default is not None or img.inline_default is not None or not img.candidates:
        return
    problems = subject.image_set.problems
    if any(is_empty_fallback(problem) for problem in problems):
        yield Violation(
            "The src of the img is empty, or only a #.", "src", "", first_reference(img), img.candidates[0].url
        )
    elif not any(problem.code in _NOTHING_THERE for problem in problems):
        yield Violation("The img has a srcset and no src.", "src", None, first_reference(img), img.candidates[0].url)


@rule("MM110", "fallback-not-in-family", Severity.WARNING)
def fallback_not_in_family(subject: SetSubject) -> Iterator[Violation]:
    """Fire for an src with a name of its own, unless its pixels are those of a candidate."""
    img = _img(subject.image_set)
    default = next((m for m in subject.members if img is not None and m.candidate is img.default), None)
    others = [m for m in subject.members if m.source.ignored is None and m is not default and is_written(m.source)]
    others = [m for m in others if m.source is img or not (m.source.media or "").strip()]
    if default is None or not others or any(_same_family(default.url, other.url) for other in others):
        return
    seen = [other for other in others if other.look is not None] if default.look is not None else []
    if any(_same_picture(default, other) for other in seen) or not (seen or _named_alike(others)):
        return
    known = " and shows another picture" if seen else ""
    message = (
        f"The src is {file_name(default.url) or default.url}, which has no name in common with the candidates{known}."
    )
    explains = frozenset(("MM311", url) for url in (default.url, *(other.url for other in others)))
    explains |= {("MM310", default.url)}
    yield Violation(message, others[0].url, default.url, default.candidate.reference, default.url, explains)


def _named_alike(members: Sequence[Member]) -> bool:
    """Whether names mean anything here: where each file is called by a hash of its own, they tell of no family."""
    urls = list(dict.fromkeys(member.url for member in members))
    return len(urls) > 1 and all(_same_family(urls[0], url) for url in urls)


def _same_picture(one: Member, other: Member) -> bool:
    return one.look is not None and other.look is not None and alike(one.look, other.look)


def _same_family(one: str, other: str) -> bool:
    """Whether two URLs are named after one picture: equal, or with a beginning in common that is most of a name."""
    names = [_stem(url) for url in (one, other)]
    pairs = enumerate(zip(*names, strict=False))
    common = next((at for at, (a, b) in pairs if a != b), min(map(len, names)))
    return names[0] == names[1] or common >= max(_COMMON_START, min(map(len, names)) * 2 // 3)


def _stem(url: str) -> str:
    """A file name without extensions and width tag; where that leaves a bare number, the folder before it too."""
    stem = split_extensions(file_name(url))[0]
    tag = width_tag(url)
    stem = stem.removesuffix(tag.text) if tag else stem
    stem = stem.rstrip("0123456789-_.@xw")
    return stem.lower() or url.rpartition("/")[0].lower()


@rule("MM114", "type-never-matches", Severity.WARNING)
def type_never_matches(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such source."""
    for source in subject.sources():
        known = source.mime is None or subject.browser.supports(source.mime) or some_browser_shows(source.mime)
        if source.carrier == "source" and source.mime is not None and not known:
            message = f'No browser uses a source with type="{source.mime[:80]}".'
            explains = frozenset(("MM304", candidate.url) for candidate in source.candidates)
            yield Violation(message, source.mime[:200], None, first_reference(source), first_url(source), explains)


@rule("MM115", "media-never-matches", Severity.WARNING)
def media_never_matches(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each source whose media no screen that we try matches."""
    for source in subject.sources():
        media = source.media if source.carrier == "source" else None
        if media is not None and not ever_matches(media, subject.browser) and "print" not in media.lower():
            message = f'No screen matches media="{media[:120]}".'
            yield Violation(message, media[:200], "never true", first_reference(source), first_url(source))


@rule("MM116", "source-after-img", Severity.WARNING)
def source_after_img(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each such source."""
    for source in subject.image_set.sources:
        if source.ignored == "after-img" and is_written(source):
            message = "This source comes after the img, where browsers ignore it."
            yield Violation(message, None, None, first_reference(source), first_url(source))


@rule("MM117", "source-never-used", Severity.WARNING)
def source_never_used(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for each source with a reason that is not a rule of its own, and for one behind another that always wins."""
    for source in subject.image_set.sources:
        reason = _NEVER_USED.get(source.ignored or "")
        if source.carrier == "source" and reason is not None and is_written(source):
            yield Violation(
                f"This source is never used: {reason}.", None, None, first_reference(source), first_url(source)
            )
    winners: list[Source] = []
    for source in subject.sources():
        winner = next((one for one in winners if _always_wins(one, source)), None)
        taken = winner is None and source.carrier == "source" and _is_taken(winners, source, subject.browser)
        if taken:
            message = f'This source is never used: those before it are taken on every screen of media="{(source.media or "")[:120]}".'
            yield Violation(message, None, None, first_reference(source), first_url(source))
        if source.carrier == "source" and winner is not None:
            name = file_name(first_url(winner)) or first_url(winner)
            message = f"This source is never used: the one before it, with {name}, is taken on every screen that would take it."
            yield Violation(message, None, None, first_reference(source), first_url(source))
        if source.carrier == "source" and is_written(source):
            winners.append(source)


def _is_taken(winners: Sequence[Source], later: Source, browser: Browser) -> bool:
    """Whether sources with other media leave a later one no screen: wider bounds that stand before narrower ones."""
    mime = _essence(later)
    earlier = tuple(one.media for one in winners if one.media and _essence(one) in ("", mime))
    return bool(later.media) and always_taken(earlier, later.media or "", browser)


def _essence(source: Source) -> str:
    return (source.mime or "").partition(";")[0].strip().lower()


def _always_wins(one: Source, later: Source) -> bool:
    """Whether a source is taken wherever a later one would be: it asks for nothing, or for the same."""
    media, other_media = (" ".join((source.media or "").lower().split()) for source in (one, later))
    mime, other_mime = _essence(one), _essence(later)
    return media in ("", "all", other_media) and mime in ("", other_mime)

"""Decisions of the mirror job, as pure functions: which variants, what to ask the origin, what to do with the bytes.

The best real picture of a set whose files have fewer pixels than is written may be kept: most servers that resize never
enlarge, and many generators write widths far above the original's. docs/decisions/0052 says who may be stored, who may not,
and by which evidence.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from fnmatch import fnmatchcase
from functools import partial

from mediamirror.catalog.work import KnownFetch, WorkItem
from mediamirror.dialects import read
from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass, replace
from mediamirror.lint import rejects, same_shape
from mediamirror.lint.subject import width_tag
from mediamirror.model import Candidate, Download, Facts, Finding, ImageFacts, ImageSet, SetResult, SetRow, Status
from mediamirror.settings import SelectOptions


def check_rungs(rungs: str) -> None:
    """Raise `UsageError` unless ``rungs`` is ``all``, ``largest`` or a list of widths in pixels."""
    parts = rungs.split(",")
    words = [part.strip() for part in parts]
    if rungs in {"all", "largest"} or all(word.isascii() and word.isdigit() and int(word[:9]) for word in words):
        return
    raise UsageError(f"--rungs takes all, largest, or widths such as 480,1280; not {rungs!r}.")


class Widths(Enum):
    """From where the widths of a set's candidates are known."""

    DECLARED = "width or density descriptors"
    NAMED = "addresses: what an image server is asked for, or a number in the file's name"
    UNKNOWN = "nowhere"


def wanted_urls(image_set: ImageSet, options: SelectOptions) -> frozenset[str]:
    """Say which URLs of a set are wanted.

    | rungs     | a candidate is wanted when                                                                     |
    |-----------|------------------------------------------------------------------------------------------------|
    | all       | always                                                                                         |
    | largest   | its width is the set's greatest; else its density is; in a set without any, always             |
    | 480,1280  | its width is one of them                                                                       |

    A width is a width descriptor, which goes for a ``src`` of the same URL too. In a set without any descriptor it is what the
    address asks an image server for, or what the file's name says (`named_width`); ``largest`` then keeps, too, a candidate whose
    address says none. A width below ``min_width``, a URL that no ``include`` glob matches or that an ``exclude`` glob does, is not
    wanted.
    """
    candidates = image_set.candidates
    if goes_by_widths(options):
        widths, named = widths_of(image_set)
        known = named | {c.url: c.width for c in candidates if c.width is not None}
        told = [replace(c, width=known.get(c.url)) for c in candidates]
        kept = _rungs(told, options.rungs, named=widths is Widths.NAMED)
        candidates = [c for c in kept if not is_too_narrow(c.width, options.min_width)]
    names = options.include or options.exclude
    return frozenset(c.url for c in candidates if not names or is_named(c.url, options))


def wants_all(options: SelectOptions) -> bool:
    """Whether every URL is wanted, whatever set it is in."""
    return not (goes_by_widths(options) or options.include or options.exclude)


def goes_by_widths(options: SelectOptions) -> bool:
    """Whether widths decide about what is wanted."""
    return options.rungs != "all" or options.min_width is not None


def widths_of(image_set: ImageSet) -> tuple[Widths, dict[str, int]]:
    """Say from where the widths of a set are known, and those that its addresses tell where no descriptor does."""
    candidates = image_set.candidates
    if any(c.width or c.density for c in candidates):
        return Widths.DECLARED, {}
    named = {c.url: width for c in candidates if (width := named_width(c.url, ladder=image_set.inferred)) is not None}
    return (Widths.NAMED if named else Widths.UNKNOWN), named


def named_width(url: str, *, ladder: bool) -> int | None:
    """Return the width in pixels that an address asks an image server for, or that its file's name says; else None.

    ``ladder``: naming put it together with others as sizes of one picture, so that a bare number at its end is a width.
    """
    asked = read(url).asked
    if asked is not None and asked.width is not None:
        return asked.width
    tag = width_tag(url, _ANY if ladder else ())
    return tag.width if tag is not None else None


_ANY = range(10, 100_000)


def _rungs(candidates: list[Candidate], rungs: str, *, named: bool) -> list[Candidate]:
    if rungs == "all":
        return candidates
    if rungs != "largest":
        widths = {int(part) for part in rungs.split(",")}
        return [c for c in candidates if c.width in widths]
    widest = max((c.width for c in candidates if c.width is not None), default=None)
    if widest is not None:
        return [c for c in candidates if c.width == widest or (named and c.width is None)]
    # A candidate without descriptor is 1x, but where all are bare none is larger than another.
    densest = max((c.density for c in candidates if c.density is not None), default=None)
    return candidates if densest is None else [c for c in candidates if (c.density or 1.0) == max(densest, 1.0)]


def told_widths(counts: Mapping[Widths, int], options: SelectOptions) -> Iterator[str]:
    """Say of how many image sets the widths come from elsewhere than descriptors, where an option goes by widths."""
    rungs, least = f"--rungs {options.rungs}", f"--min-width {options.min_width}"
    asked = [rungs] if options.rungs != "all" else []
    asked += [least] if options.min_width is not None else []
    if named := counts.get(Widths.NAMED):
        yield f"{_sets(named)} no descriptors: {' and '.join(asked)} used the widths in the URLs."
    if unknown := counts.get(Widths.UNKNOWN):
        told = [f"{rungs} takes every image"] if options.rungs == "largest" else []
        told += [f"{least} uses the real width"] if options.min_width is not None else []
        told = told if options.rungs in {"all", "largest"} else [f"{rungs} leaves its images out"]
        yield f"{_sets(unknown)} no width, in a descriptor or in a URL: {', and '.join(told)}."


def told_nothing(options: SelectOptions, left_out: int) -> str:
    """Say why nothing was stored where the user's own options left out every variant."""
    ways = [f"--include {glob}" for glob in options.include] + [f"--exclude {glob}" for glob in options.exclude]
    ways += [f"--rungs {options.rungs}"] if options.rungs != "all" else []
    ways += [f"--min-width {options.min_width}"] if options.min_width is not None else []
    which = "the only variant is" if left_out == 1 else f"all {left_out:,} variants are"
    return f"Nothing was stored: {which} left out by {' and '.join(ways)}."


def _sets(count: int) -> str:
    return "1 image set has" if count == 1 else f"{count:,} image sets have"


def is_too_narrow(declared: int | None, min_width: int | None) -> bool:
    """Whether a width that is told, in pixels, is below the least one."""
    return min_width is not None and declared is not None and declared < min_width


def is_named(url: str, options: SelectOptions) -> bool:
    """Whether the globs of ``include`` and ``exclude`` leave a URL in."""
    if any(fnmatchcase(url, glob) for glob in options.exclude):
        return False
    return not options.include or any(fnmatchcase(url, glob) for glob in options.include)


@dataclass(frozen=True, slots=True)
class Full:
    """Ask for the whole body."""

    reason: str


@dataclass(frozen=True, slots=True)
class Conditional:
    """Ask whether it changed, with the validators that the origin gave."""

    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class Fresh:
    """Ask nothing: checked recently enough."""


GOES_ON_FOR = 12 * 3600.0
"""Seconds for which a run that goes on does not ask again for what the unfinished one before it had asked for."""

Ask = Full | Conditional | Fresh


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a variant before the origin is asked.

    ``in_store`` says that the store confirmed the recorded object just now; ``not_published`` that the recorded facts would
    not be published today (they break a promise, or are under ``--min-width``); ``decode`` that every pixel is wanted decoded.
    ``goes_on`` says that it was asked for by the run with which this one goes on; ``asked`` is the `question` of this run.
    """

    fetch: KnownFetch | None
    in_store: bool
    not_published: bool
    decode: bool
    goes_on: bool = False
    asked: str | None = None


def question(headers: Iterable[tuple[str, str]], vary: str) -> str | None:
    """A digest of those of the user's request headers on which an answer may depend; None where there are none.

    They are Accept, by which servers negotiate without saying so, and what the answer's ``Vary`` names (RFC 9110, 12.5.5).
    """
    names = {"accept", *(word.strip().lower() for word in vary.split(","))}
    own = sorted({(name.lower(), value) for name, value in headers if name.lower() in names or "*" in names})
    return hashlib.sha256(repr(own).encode()).hexdigest()[:16] if own else None


def decide_ask(situation: Situation, *, now: datetime, fresh_for: float, refetch: bool = False) -> Ask:
    """Decide what to ask the origin. A check in the future, by a clock that was ahead once, is no check.

    | fetched before | sound | decoded if wanted | in store or not published  | checked within fresh_for | validators | ask         |
    |----------------|-------|-------------------|----------------------------|--------------------------|------------|-------------|
    | no             |       |                   |                            |                          |            | full        |
    | yes            | no    |                   |                            |                          |            | full        |
    | yes            | yes   | no                |                            |                          |            | full        |
    | yes            | yes   | yes               | no                         |                          |            | full        |
    | yes            | yes   | yes               | yes                        | yes                      |            | fresh       |
    | yes            | yes   | yes               | yes                        | no                       | yes        | conditional |
    | yes            | yes   | yes               | yes                        | no                       | no         | full        |

    With ``refetch``, and where the recorded answer is to another question (another Accept, say), it is always full.

    What the unfinished run asked for is fresh for `GOES_ON_FOR` at least, whatever ``fresh_for`` is: this run is the rest of that.
    """
    fetch = situation.fetch
    if (reason := _why_full(situation, refetch=refetch)) is not None or fetch is None:
        return Full(reason or "never fetched")
    if situation.goes_on:
        fresh_for = max(fresh_for, GOES_ON_FOR)
    if timedelta(0) <= now - fetch.fetched_at < timedelta(seconds=fresh_for):
        return Fresh()
    if fetch.etag is None and fetch.last_modified is None:
        return Full("the origin gives no validator")
    return Conditional(fetch.etag, fetch.last_modified)


def _why_full(situation: Situation, *, refetch: bool) -> str | None:
    fetch = situation.fetch
    if fetch is None:
        return "never fetched"
    if fetch.facts is None:
        return "was not a valid image"
    if fetch.asked != situation.asked:
        return "asked for with other request headers"
    if refetch and not situation.goes_on:
        return "--refetch"
    if situation.decode and isinstance(fetch.facts, ImageFacts) and not fetch.facts.decoded:
        return "only its header was checked"
    return None if situation.in_store or situation.not_published else "not in the store"


def recorded_download(item: WorkItem, fetch: KnownFetch, answer: Download | None = None) -> Download:
    """Rebuild the exchange that gave the recorded bytes; a 304 ``answer`` renews its headers (RFC 9111, section 4.3.4)."""
    if answer is None:
        return Download(item.variant.url, fetch.final_url, fetch.http_status, fetch.headers, None, fetch.fetched_at)
    renewed = {name for name, _ in answer.headers}
    headers = (*(pair for pair in fetch.headers if pair[0] not in renewed), *answer.headers)
    return Download(
        item.variant.url,
        answer.final_url,
        answer.http_status,
        headers,
        None,
        answer.fetched_at,
        answer.seconds,
        asked=fetch.asked,
    )


class Verdict(Enum):
    """What to do with bytes that were fetched and checked."""

    PUBLISH = "publish"
    REJECT = "reject"
    TOO_SMALL = "too small"


def judge(
    facts: Facts | None, *, rejected: bool, keep_rejected: bool, min_width: int | None, declared: bool
) -> Verdict:
    """Decide whether bytes are published.

    | sound image | rejected by a rule | keep_rejected | width unknown before and below min_width | verdict   |
    |-------------|--------------------|---------------|------------------------------------------|-----------|
    | no          |                    |               |                                          | reject    |
    | yes         | yes                | no            |                                          | reject    |
    | yes         | yes                | yes           | no                                       | publish   |
    | yes         | no                 |               | no                                       | publish   |
    | yes         |                    |               | yes                                      | too small |
    """
    if facts is None or (rejected and not keep_rejected):
        return Verdict.REJECT
    if min_width is not None and not declared and facts.width is not None and facts.width < min_width:
        return Verdict.TOO_SMALL
    return Verdict.PUBLISH


PUBLISHED = frozenset({Status.STORED, Status.UNCHANGED, Status.DUPLICATE})
SHORT = frozenset({"MM301", "MM302"})
"""Rules about widths: what they refuse may be short, which is to have fewer pixels than was promised and no other fault."""
_SPACER = 16
"""Pixels up to which a picture is a spacer or a beacon, and nothing to keep."""


def is_short(findings: Iterable[Finding]) -> bool:
    """Whether all that keeps a file from being stored is that it has fewer pixels than its descriptor or its name says."""
    grave = [finding for finding in findings if rejects(finding)]
    return bool(grave) and all(f.rule in SHORT and _number(f.actual) < _number(f.declared) for f in grave)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def best_rows(found: SetResult, min_width: int | None) -> Iterator[SetRow]:
    """Yield the short files that are kept: of each source at most one, which no other file of it has as many pixels as.

    | another file of the source              | the short one is kept                                     |
    |-----------------------------------------|-----------------------------------------------------------|
    | is sound and has as many pixels         | no: that is the best picture                              |
    | has the same pixels, declared otherwise | yes: nothing was enlarged (MM309)                         |
    | is sound, smaller, of the same shape    | yes: the ladder ends at the original                      |
    | is sound, of other shapes only          | no: it may be another picture                             |
    | none is sound, none claims as much,     | yes: there can be no better one                           |
    | and no other is short                   |                                                           |
    | there is none                           | no: nothing says that the picture is the one that is meant |
    """
    for rows in _sources(found):
        short = [row for row in rows if row.status is Status.REJECTED and row.width and is_short(row.findings)]
        sound = [row for row in rows if row.status in PUBLISHED and row.width]
        least = max([_SPACER, *(row.width or 0 for row in sound), (min_width or 0) - 1])
        kept = [row for row in short if _wide(row) > least and _is_borne_out(row, rows, sound)]
        if kept:
            yield min(kept, key=lambda row: (-_wide(row), _claim(row)))


def _sources(found: SetResult) -> Iterable[list[SetRow]]:
    """The files of each source: of what shows one picture in one format. Each URL once, with its greatest descriptor."""
    sources: dict[tuple[str | None, str | None], dict[str, SetRow]] = defaultdict(dict)
    for row in found.rows:
        known = sources[(row.media, row.mime)].get(row.url)
        if known is None or _claim(row) > _claim(known):
            sources[(row.media, row.mime)][row.url] = row
    return [list(rows.values()) for rows in sources.values()]


def _wide(row: SetRow) -> int:
    return row.width or 0


def _claim(row: SetRow) -> float:
    return row.declared_width or row.density or 0


def _is_borne_out(row: SetRow, rows: list[SetRow], sound: list[SetRow]) -> bool:
    others = [other for other in rows if other.url != row.url]
    if any(_pixels(other) == _pixels(row) for other in others):
        return True
    if sound:
        return any(same_shape(_shape(row), _shape(other)) for other in sound)
    # One that is short although there are pixels enough for it was not made by a server that only does not enlarge.
    return bool(others) and all(
        _claim(other) <= _wide(row) and not (other.status is Status.REJECTED and is_short(other.findings))
        for other in others
    )


def _pixels(row: SetRow) -> tuple[object, ...]:
    """What two files with the same pixels share; no two pictures of one set do by chance."""
    return row.format, row.width, row.height, row.size


def _shape(row: SetRow) -> tuple[int, int]:
    return row.width or 0, row.height or 0


def next_best(found: SetResult, options: SelectOptions) -> Iterator[str]:
    """Yield the URLs to try where every file that ``--rungs`` chose of a source was refused, and none of them is kept.

    The next wider than what was refused, or else the next narrower; after ``largest`` that is the next in turn.
    """
    kept = {row.url for row in best_rows(found, options.min_width)}
    for rows in _sources(found):
        tried = [row for row in rows if not _is_untried(row)]
        refused = [row for row in tried if row.status is Status.REJECTED]
        left = [row for row in rows if _is_untried(row) and _may_be_tried(row, options)]
        if refused and left and len(refused) == len(tried) and not kept & {row.url for row in rows}:
            claim = partial(_told_width, ladder=found.inferred)
            asked = max(map(claim, refused))
            wider = [row for row in left if claim(row) > asked]
            yield (min(wider, key=claim) if wider else max(left, key=claim)).url


def _told_width(row: SetRow, *, ladder: bool) -> float:
    return _claim(row) or named_width(row.url, ladder=ladder) or 0


def _is_untried(row: SetRow) -> bool:
    return row.status is Status.SKIPPED and row.size is None


def _may_be_tried(row: SetRow, options: SelectOptions) -> bool:
    return is_named(row.url, options) and not is_too_narrow(row.declared_width, options.min_width)


def told(found: SetResult, kept: SetRow) -> str:
    """Say in a sentence what a ladder really is."""
    claimed = max(int(row.declared_width or 0) for row in found.rows)
    begin = f"Declared up to {claimed}w, and the" if claimed else "The"
    fewer = "" if claimed else ", fewer than its address asks for"
    named = f", as {kept.declared_width}w" if kept.declared_width else ""
    others = any(row.status is Status.REJECTED and row.url != kept.url for row in found.rows)
    rest = ", and what claims more is left out" if others else ""
    return f"{begin} widest file has {kept.width} pixels{fewer}: nothing was enlarged. It is kept once{named}{rest}."

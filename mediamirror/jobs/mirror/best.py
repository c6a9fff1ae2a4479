"""The best real picture of a set whose files have fewer pixels than is written: which one is kept, and what is tried next.

Most servers that resize never enlarge, and many generators write widths far above the original's: browsers show what there is.
docs/decisions/0052 says who may be stored, who may not, and by which evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

from mediamirror.jobs.mirror.plan import is_named, is_too_narrow, named_width
from mediamirror.lint import rejects, same_shape
from mediamirror.model import Finding, SetResult, SetRow, Status
from mediamirror.settings import SelectOptions

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

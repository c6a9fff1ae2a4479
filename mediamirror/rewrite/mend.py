"""``--fix``: what the real files say, written into the page, and nothing else.

| what is wrong                                                    | what is written                                   |
|------------------------------------------------------------------|---------------------------------------------------|
| candidates of one srcset have the same pixels, though they claim | one stays, with the width of its file; those that |
| more and more: nothing was enlarged (MM309)                      | claim more than they have go                      |
| a width descriptor is not the width of its stored file (MM301)   | the width of the file                             |
| an img with a src alone, or with densities, has no width and height | both, of the file of its src                   |

A srcset that is not written plainly (commas, blanks and digits as such) stays as it is. So does an img whose srcset has width
descriptors: with the attributes it would be as wide as its src wherever no style says otherwise.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.model import Candidate, ImageSet, Source
from mediamirror.rewrite.document import Edit, size_of, text_of

_DESCRIPTOR = pattern(r"[ \t\n\f\r]+([0-9]{1,9})w")
_BETWEEN = pattern(r"[ \t\n\f\r]*,[ \t\n\f\r]*")
_VALUE = r"=(?:\"[^\"]*\"|'[^']*'|[^ \t\n\f\r>\"']+)"
_TAG = pattern(rf"<img((?:[ \t\n\f\r]+[^ \t\n\f\r=>\"'/<]+(?:{_VALUE})?)*)[ \t\n\f\r]*/?>", re.IGNORECASE)
_VALUES = pattern(_VALUE)
_SIZED = pattern(r"[ \t\n\f\r](?:width|height)(?:[ \t\n\f\r=]|\Z)", re.IGNORECASE)
_LONGEST_TAG = 16 * 1024
"""Characters of a tag that are looked through for its attributes."""
_LONGEST_GAP = 64


class Picture(NamedTuple):
    """A file that was looked at: the natural size in pixels, its format, and whether the mirror holds it."""

    width: int
    height: int
    format: str
    is_stored: bool


class Mend(NamedTuple):
    """One thing that is put right, with its edits. ``line`` counts from 1."""

    line: int
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """A candidate as it stands in the bytes: from its URL to the end of its descriptor, and the digits of that."""

    candidate: Candidate
    start: int
    digits: tuple[int, int]
    end: int


def mended(
    sets: Iterable[ImageSet],
    pictures: Mapping[str, Picture],
    data: bytes,
    codec: str,
    allows: Callable[[int, int], bool],
) -> tuple[list[ImageSet], list[Mend]]:
    """Return the sets as they are to be, and what makes them so.

    ``pictures`` are known by URL; ``codec`` is that of `document.codec_for`; ``allows`` says whether a real width is near enough
    to a declared one.
    """
    after: list[ImageSet] = []
    mends: dict[tuple[Edit, ...], Mend] = {}
    for image_set in sets:
        sources = []
        for source in image_set.sources:
            changed, found = _ladder(source, pictures, data, codec, allows)
            sources.append(changed)
            for mend in (*found, *_dimensions(image_set, source, pictures, data, codec)):
                mends.setdefault(mend.edits, mend)
        after.append(replace(image_set, sources=tuple(sources)))
    return after, list(mends.values())


def _ladder(
    source: Source, pictures: Mapping[str, Picture], data: bytes, codec: str, allows: Callable[[int, int], bool]
) -> tuple[Source, list[Mend]]:
    gone = dict(_too_many(source.candidates, pictures, allows))
    real = dict(_corrected([c for c in source.candidates if c not in gone], pictures, allows))
    if not gone and not real:
        return source, []
    written = _written(source.candidates, data, codec)
    if written is None:
        return source, []
    mends = []
    if gone:
        most, line = max(c.width or 0 for c in gone), _line(written[0].candidate)
        message = (
            f"removed {len(gone)} of {len(written)} candidates, of up to {most}w: a remaining file has the same pixels."
        )
        mends.append(Mend(line, message, tuple(_removals(written, gone))))
    for each in written:
        if each.candidate in real:
            width = real[each.candidate]
            message = f"changed {each.candidate.width}w to {width}w, the width of its file."
            edit = Edit(*each.digits, str(width).encode(codec))
            mends.append(Mend(_line(each.candidate), message, (edit,)))
    kept = tuple(replace(c, width=real.get(c, c.width)) for c in source.candidates if c not in gone)
    # A src that names one that went is that of the one that stays, which has the same pixels: only so the set can move.
    stays = {c.url: other.url for c, other in gone.items()}
    default = source.default and replace(source.default, url=stays.get(source.default.url, source.default.url))
    return replace(source, candidates=kept, default=default), mends


def _too_many(
    candidates: Sequence[Candidate], pictures: Mapping[str, Picture], allows: Callable[[int, int], bool]
) -> Iterator[tuple[Candidate, Candidate]]:
    """Candidates that claim more pixels than their file has, each with the stored one that has the same pixels."""
    alike: dict[tuple[int, int, str], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        picture = pictures.get(candidate.url)
        if picture is not None and candidate.width is not None:
            alike[picture[:3]].append(candidate)
    for (width, _, _), twins in alike.items():
        stored = [c for c in twins if pictures[c.url].is_stored]
        if not stored:
            continue
        stays = min(stored, key=lambda c: (not allows(c.width or 0, width), abs((c.width or 0) - width)))
        for candidate in twins:
            claim = candidate.width or 0
            if claim != stays.width and claim > width and not allows(claim, width):
                yield candidate, stays


def _corrected(
    candidates: Sequence[Candidate], pictures: Mapping[str, Picture], allows: Callable[[int, int], bool]
) -> Iterator[tuple[Candidate, int]]:
    """Candidates whose stored file has another width, with that; but for one that another candidate has already."""
    claimed = {candidate.width for candidate in candidates}
    for candidate in candidates:
        picture = pictures.get(candidate.url)
        if picture is None or not picture.is_stored or candidate.width is None or picture.width in claimed:
            continue
        if not allows(candidate.width, picture.width):
            claimed.add(picture.width)
            yield candidate, picture.width


def _written(candidates: Sequence[Candidate], data: bytes, codec: str) -> list[_Written] | None:
    """The candidates of one srcset in the order of the document; None where it is not written plainly."""
    spans = [c.reference.span if c.reference is not None else None for c in candidates]
    rows = sorted(
        ((span, c) for span, c in zip(spans, candidates, strict=True) if span is not None and c.width),
        key=lambda row: row[0],
    )
    unit = size_of(" ", codec)
    if len(rows) != len(candidates):
        return None
    found: list[_Written] = []
    follows: int | None = None
    for (start, end), candidate in rows:
        text = text_of(data, end, end + _LONGEST_GAP, codec)
        match = _DESCRIPTOR.match(text)
        if match is None or int(match[1]) != candidate.width or follows not in (None, start):
            return None
        digits = end + unit * match.start(1), end + unit * match.end(1)
        found.append(_Written(candidate, start, digits, end + unit * match.end()))
        between = _BETWEEN.match(text, match.end())
        follows = -1 if between is None else end + unit * between.end()
    return found


def _removals(written: Sequence[_Written], gone: Container[Candidate]) -> Iterator[Edit]:
    """Edits that take candidates out, each with the comma between it and what stays."""
    at = 0
    while at < len(written):
        if written[at].candidate not in gone:
            at += 1
            continue
        first = at
        while at < len(written) and written[at].candidate in gone:
            at += 1
        if first:
            yield Edit(written[first - 1].end, written[at - 1].end, b"")
        else:
            yield Edit(written[first].start, written[at].start, b"")


def _dimensions(
    image_set: ImageSet, source: Source, pictures: Mapping[str, Picture], data: bytes, codec: str
) -> Iterator[Mend]:
    default = source.default
    reference = default.reference if default is not None else None
    alone = len(image_set.sources) == 1 and source.carrier == "img" and source.sizes is None
    if default is None or reference is None or reference.span is None or reference.attribute != "src" or not alone:
        return
    picture = pictures.get(default.url)
    sized = source.width is not None or source.height is not None
    if picture is None or sized or any(c.width is not None for c in source.candidates):
        return
    at = _tag_end(data, reference.span[0], codec)
    if at is not None:
        text = f' width="{picture.width}" height="{picture.height}"'
        yield Mend(reference.line, f"{text.strip()} was added to the img.", (Edit(at, at, text.encode(codec)),))


def _tag_end(data: bytes, inside: int, codec: str) -> int | None:
    """Where the name of the ``img`` tag ends that this byte stands in; None where it is not plain, or has a size."""
    before = text_of(data, max(0, inside - _LONGEST_TAG), inside, codec)
    start = before.lower().rfind("<img")
    if start < 0:
        return None
    begin = inside - size_of(before[start:], codec)
    match = _TAG.match(text_of(data, begin, begin + _LONGEST_TAG, codec))
    if match is None or begin + size_of(match[0], codec) <= inside or _SIZED.search(_VALUES.sub("=", match[1])):
        return None
    return begin + size_of("<img", codec)


def _line(candidate: Candidate) -> int:
    return candidate.reference.line if candidate.reference is not None else 0

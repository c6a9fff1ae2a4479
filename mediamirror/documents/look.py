"""What is in a document: its image sets within their limits, what it links to, what it lists. Pure: bytes in, facts out.

A long text is read in slices, so that memory depends on the slice and not on how many URLs a document names. A cut falls only where
no image set can go on: after an empty line, after a line that ends a set or holds no URL and is not followed by a descriptor, or in a
list between two URLs that are not of one picture.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from mediamirror.documents.document import Document
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.extract import KINDS, Request, charset_of, sets_in
from mediamirror.model import Extraction, ImageSet, Listed, Problem, Source
from mediamirror.settings import ReadOptions

if TYPE_CHECKING:
    from mediamirror.markup.page.links import Links

_SLICED = frozenset({"text", "urls"})


def look_through(document: Document, data: bytes, *, links: bool = False, merge: bool = True) -> Iterator[Extraction]:
    """Yield the image sets of one document, whose bytes are ``data``: a long text slice by slice, what came with headers first.

    Without ``merge`` every place is a set of its own, for rewriting.
    """
    slices = split(data, by_line=document.kind == "urls") if may_split(document) else (Slice(data, 0, 0),)
    parts = chain(_in_headers(document), _in_slices(document, slices, links=links, merge=merge))
    return parts if document.other is None else _with_other(parts, document, data, links=links, merge=merge)


def _with_other(
    parts: Iterable[Extraction], document: Document, data: bytes, *, links: bool, merge: bool
) -> Iterator[Extraction]:
    """What was found, and if that is nothing, what there is by the document's content or name."""
    nothing, served = True, (document.media_type or "").partition(";")[0] or document.kind
    for part in parts:
        if nothing and part.sets and served.strip().lower() in KINDS[document.other or document.kind].media_types:
            message = (
                f"{document.name} came as {served} and is a {document.kind} by its content: it is read as that; "
                f"--as {document.other} reads it as what it came as."
            )
            yield Extraction((), (Problem("read-as", message, document=document.name),), goes_on=True)
        nothing = nothing and not part.sets
        yield part
    if not nothing:
        return
    other = replace(document, kind=document.other or document.kind)
    for part in _in_slices(other, (Slice(data, 0, 0),), links=links, merge=merge):
        if part.sets:
            message = (
                f"{document.name} came as {served}, and nothing is in it as that: "
                f"it is read as {other.kind}, as with --as {other.kind}."
            )
            yield Extraction((), (Problem("read-as", message, document=document.name),), goes_on=True)
            yield replace(part, sets=tuple(replace(each, read_as=other.kind) for each in part.sets))


def look_through_chunks(
    document: Document, chunks: Iterable[bytes], *, links: bool, merge: bool = True
) -> Iterator[Extraction]:
    """The same for a document that `is_split`, whose bytes come in chunks: one slice is in memory at a time."""
    slices = cut_up(chunks, by_line=document.kind == "urls")
    return chain(_in_headers(document), _in_slices(document, slices, links=links, merge=merge))


def may_split(document: Document) -> bool:
    """Say whether a document is a text that may be read slice by slice, if its bytes allow that."""
    charset = charset_of(document.media_type)
    return (
        document.other is None
        and document.kind in _SLICED
        and (charset is None or charset.lower() in {"utf-8", "utf8"})
    )


def is_split(document: Document) -> bool:
    """Say whether a document is read slice by slice. Reads all of it. Raises `OSError`."""
    return may_split(document) and can_split(document.chunks())


def _in_headers(document: Document) -> Iterator[Extraction]:
    if document.link_headers:
        from mediamirror.markup.page import link_header  # noqa: PLC0415 -- loads the HTML parser, which few documents ask for

        yield link_header.find(document.link_headers, document=document.name, base_url=document.name)


def _in_slices(document: Document, slices: Iterable[Slice], *, links: bool, merge: bool) -> Iterator[Extraction]:
    for part in slices:
        request = Request(
            part.data,
            document.name,
            document.base_url,
            charset_of(document.media_type),
            merge,
            links,
            first_byte=part.offset,
            lines_before=part.lines,
        )
        yield sets_in(document.kind, request)


def links_in(document: Document, data: bytes) -> Links:
    """Return where a page leads on to."""
    from mediamirror.markup.page import links  # noqa: PLC0415 -- loaded for crawls alone

    return links.find(
        data,
        document=document.name,
        base_url=document.base_url,
        encoding=charset_of(document.media_type),
        is_xml=document.kind == "xhtml",
    )


def bounded(parts: Iterable[Extraction], options: ReadOptions, document: str) -> Iterator[Extraction]:
    """Yield the parts of one document, no more than ``max_sets`` sets in all and ``max_candidates`` of each."""
    left = options.max_sets
    for part in parts:
        sets = part.sets[:left]
        left -= len(sets)
        problems = part.problems
        if len(sets) < len(part.sets):
            problems = (*problems, _too_many_sets(part.sets[len(sets)], options.max_sets, document))
        yield Extraction(_all_shortened(sets, options.max_candidates), problems)
        if len(sets) < len(part.sets):
            return


def _all_shortened(sets: Sequence[ImageSet], most: int) -> Sequence[ImageSet]:
    if isinstance(sets, Listed) and most > 0:
        rows = [_shortened(row, most) if isinstance(row, ImageSet) else row for row in sets.rows]
        return Listed(sets.document, sets.carrier, rows)
    return tuple(_shortened(each, most) for each in sets)


def _shortened(image_set: ImageSet, most: int) -> ImageSet:
    if sum(_size(source) for source in image_set.sources) <= most:
        return image_set
    left = most
    sources: list[Source] = []
    for source in image_set.sources:
        default = source.default if left > 0 else None
        left -= default is not None
        kept = source.candidates[: max(left, 0)]
        left -= len(kept)
        sources.append(replace(source, candidates=kept, default=default))
    problem = Problem(
        "too-many-candidates",
        f"This image set has more than {most} candidates; the first {most} are taken. Raise --max-candidates for all.",
        line=image_set.line,
        document=image_set.document,
    )
    return replace(image_set, sources=tuple(sources), problems=(*image_set.problems, problem))


def _size(source: Source) -> int:
    return len(source.candidates) + (source.default is not None)


def _too_many_sets(first: ImageSet, most: int, document: str) -> Problem:
    return Problem(
        "too-many-sets",
        f"{document} has more than {most} image sets; the first {most} are taken. Raise --max-sets for all.",
        line=first.line,
        document=document,
    )


SLICE = 128 * 1024
"""Bytes of a slice; it ends at the next place that splits no image set."""

_AHEAD = 65
"""How many bytes after a newline are looked at, itself included."""
_LONG = 8 * SLICE
"""Bytes from which on a list may be cut between any two URLs: in one of numbered pictures all neighbours look alike."""
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EMPTY_LINE = pattern(rb"\n[ \t\r]*\n")
_ENDS = pattern(rb"(?:[0-9]w|[0-9]x|[.!?])[ \t\r]*\Z")
_BLANKS = pattern(rb"[ \t\r]*+\Z")
_ALONE = pattern(rb"[ \t]*+[A-Za-z][A-Za-z0-9+.-]{0,10}+://[!-~\x80-\xff]*[^\s,][ \t\r]*+")
"""A URL with a line to itself. One before a comma goes on in the next line."""
_DESCRIPTOR = pattern(rb"\s*+(?:,\s*+)?[0-9.]++[wxh]\b")


@dataclass(frozen=True, slots=True)
class Slice:
    """Some whole lines: the bytes, where they begin in the document (bytes), and the lines before them."""

    data: bytes
    offset: int
    lines: int


def split(data: bytes, *, by_line: bool) -> Iterator[Slice]:
    """Yield the slices of a text in UTF-8; another encoding, and a short text, is one slice.

    ``by_line`` says that every line stands for itself, as in a list of URLs.
    """
    if len(data) < 2 * SLICE or not can_split([data]):
        yield Slice(data, 0, 0)
    else:
        yield from cut_up([data], by_line=by_line)


def can_split(chunks: Iterable[bytes]) -> bool:
    """Say whether a text, which comes in chunks, is UTF-8: only then can it be cut anywhere."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = b""
    try:
        for chunk in chunks:
            head = head or chunk[:2]
            for start in range(0, len(chunk), SLICE):
                decoder.decode(chunk[start : start + SLICE])
    except UnicodeDecodeError:
        return False
    return not head.startswith(_WIDE_MARKS)


def cut_up(chunks: Iterable[bytes], *, by_line: bool) -> Iterator[Slice]:
    """Yield the slices of a text that `can_split`, whose bytes come in chunks: no more of them are held than a slice needs."""
    feed = iter(chunks)
    text, start, offset, lines, is_all = b"", 0, 0, 0, False
    while True:
        end = _cut(text, start + SLICE, by_line=by_line, is_all=is_all)
        if end is None:
            # As many again as there are: so each byte is searched twice at most, however long a slice becomes.
            more = _at_least(feed, max(len(text) - start, 2 * SLICE))
            text, start, offset, is_all = text[start:] + more, 0, offset + start, not more
            continue
        if end <= start:
            return
        piece = text[start:end]
        yield Slice(piece, offset + start, lines)
        # Lines end with CRLF, CR or LF; a cut always stands behind an LF.
        lines += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        start = end


def _at_least(feed: Iterator[bytes], size: int) -> bytes:
    """So many bytes of a feed or a few more; fewer at its end."""
    pieces: list[bytes] = []
    while size > 0 and (chunk := next(feed, None)) is not None:
        pieces.append(chunk)
        size -= len(chunk)
    return b"".join(pieces)


def _cut(text: bytes, wanted: int, *, by_line: bool, is_all: bool) -> int | None:
    """Return the first good place from ``wanted`` on; the end where there is none. None: only what follows can tell."""
    newline = text.find(b"\n", wanted)
    while newline != -1:
        if not is_all and not by_line and _is_open(text, newline):
            return None
        if (
            by_line
            or _EMPTY_LINE.match(text, newline)
            or _may_end(text, newline)
            or _parts_urls(text, newline, any_two=newline - wanted > _LONG)
        ):
            return newline + 1
        newline = text.find(b"\n", newline + 1)
    return len(text) if is_all else None


def _is_open(text: bytes, newline: int) -> bool:
    """Say whether what follows a newline, as far as it matters, may not be there yet."""
    return len(text) < newline + _AHEAD or _BLANKS.match(text, newline + 1) is not None


def _line_before(data: bytes, newline: int) -> bytes:
    return data[data.rfind(b"\n", max(0, newline - 65536), newline) + 1 : newline]


def _parts_urls(data: bytes, newline: int, *, any_two: bool) -> bool:
    """Say whether a newline parts two lines that are a URL each, ``any_two`` or such as are alike at most up to their names."""
    line, end = _line_before(data, newline), data.find(b"\n", newline + 1)
    following = data[newline + 1 : end]
    if end == -1 or _ALONE.fullmatch(line) is None or _ALONE.fullmatch(following) is None:
        return False
    name = line.partition(b"?")[0].rfind(b"/") + 1
    return any_two or line[: name + 1].strip() != following[: name + 1].strip()


def _may_end(data: bytes, newline: int) -> bool:
    line = _line_before(data, newline)
    ends = _ENDS.search(line) is not None or b"/" not in line
    return ends and _DESCRIPTOR.match(data, newline + 1, newline + _AHEAD) is None

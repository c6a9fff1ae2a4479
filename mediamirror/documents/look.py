"""What is in a document: its image sets within their limits, what it links to, what it lists. Pure: bytes in, facts out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from mediamirror.documents.document import Document
from mediamirror.first_use import replace
from mediamirror.markup.extract import KINDS, charset_of, extract_document
from mediamirror.markup.places.slices import Slice, can_split, cut_up, split
from mediamirror.model import Extraction, ImageSet, Problem, Source
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
        yield extract_document(
            part.data,
            media_type=document.media_type,
            base_url=document.base_url,
            document=document.name,
            as_=document.kind,
            merge=merge,
            links=links,
            first_byte=part.offset,
            lines_before=part.lines,
        )


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
        cut = [_shortened(each, options.max_candidates) for each in sets]
        problems = part.problems
        if len(sets) < len(part.sets):
            problems = (*problems, _too_many_sets(part.sets[len(sets)], options.max_sets, document))
        yield Extraction(tuple(cut), problems)
        if len(sets) < len(part.sets):
            return


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

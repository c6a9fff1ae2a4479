"""How much of one document is taken: sets, and candidates of each. What is left out is said, and the rest is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mediamirror.model import Extraction, ImageSet, Problem, Source
from mediamirror.settings import ReadOptions


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

"""Replacing bytes of a document, and bringing them back. All other bytes stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """``data[start:end]`` becomes ``text``. Positions are bytes, half open."""

    start: int
    end: int
    text: bytes


def spliced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return ``data`` with every edit made. The edits are in order and do not overlap."""
    pieces: list[bytes] = []
    done = 0
    for start, end, text in edits:
        pieces += data[done:start], text
        done = end
    pieces.append(data[done:])
    return b"".join(pieces)


def reversed_edits(data: bytes, edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that make ``data`` again of what `spliced` made of it."""
    back: list[Edit] = []
    shift = 0
    for start, end, text in edits:
        back.append(Edit(start + shift, start + shift + len(text), data[start:end]))
        shift += len(text) - (end - start)
    return back


def fits(edits: Sequence[Edit], size: int) -> bool:
    """Whether edits that were read from a file can be made in ``size`` bytes: in order, apart, and within them."""
    ends = [0, *(edit.end for edit in edits)]
    apart = all(end <= edit.start <= edit.end for end, edit in zip(ends, edits, strict=False))
    return apart and ends[-1] <= size

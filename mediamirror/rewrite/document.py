"""One document: which of its URLs move, and its bytes with new addresses where those stood, spelled as each place wants it. Pure.

All other bytes stay as they are. URLs move by image sets:

| every URL of the set            | with its place   | then                                              |
|---------------------------------|------------------|---------------------------------------------------|
| has a new address, or is at it  | known            | those that have one move                          |
| some have none                  |                  | all stay, unless single URLs may move             |
| has a new address               | not known        | all stay: a script puts the URL together          |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.source import codec_of
from mediamirror.model import Extraction, ImageSet, Span
from mediamirror.rewrite.addresses import BadAddress, is_plain, levels_seen, probe, spelled


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


NO_PLACE = "it is put together by a script, or its place in the file is not known"


class Target(NamedTuple):
    """Where a URL is to point. Without an address it stays, for a reason; ``settled``: it points there already."""

    address: str | None
    reason: str = ""
    settled: bool = False


UNKNOWN = Target(None, "it is not in the mirror")


Place = tuple[str, str, Span | None, bool]
"""A URL as requested, as it is spelled, where that stands in the document's bytes, and whether it was escaped once too often.

All that a rewrite asks of a candidate. A plain tuple, as every URL of every page comes by here, most from another process.
"""
Placed = tuple[int, tuple[Place, ...]]
"""The line of an image set, and its URLs in document order."""


class Places(NamedTuple):
    """All that a rewrite asks of a document: its image sets, and each problem's code and message."""

    sets: Sequence[Placed]
    problems: Sequence[tuple[str, str]] = ()


def placed(image_set: ImageSet) -> Placed:
    """Return what a rewrite asks of an image set."""
    rows = [
        (c.url, c.raw_url, None if c.reference is None else c.reference.span, "unescaped" in c.flags)
        for c in image_set.candidates
    ]
    return image_set.line, tuple(rows)


def places_of(part: Extraction) -> Places:
    """Return what a rewrite asks of an extraction without merged sets."""
    problems = (*part.problems, *(problem for each in part.sets for problem in each.problems))
    return Places([placed(each) for each in part.sets], [(problem.code, problem.message) for problem in problems])


def joined(parts: Sequence[Places]) -> Places:
    """Put the parts of a document together."""
    if len(parts) == 1:
        return parts[0]
    return Places([each for part in parts for each in part.sets], [each for part in parts for each in part.problems])


class Move(NamedTuple):
    """A URL that moves: its place in bytes, what it was, as requested, and its new address."""

    start: int
    end: int
    url: str
    address: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An image set that keeps its addresses, or some of them: the line, how many URLs it has, and those to blame with the reason."""

    line: int
    urls: int
    blamed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one document. ``moves`` are in order and do not overlap."""

    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]
    sets: int = 0
    """Image sets of which something moves."""


def decide(
    sets: Iterable[Placed],
    targets: Mapping[str, Target],
    *,
    is_there: Callable[[Place], bool],
    single: bool = False,
) -> Decision:
    """Decide for every image set of a document. The sets are unmerged.

    ``is_there`` says whether a URL's spelling stands where its span says. ``single`` lets URLs move whose set is not complete.
    """
    moves: list[Move] = []
    kept: list[Kept] = []
    moved = 0
    for line, places in sets:
        found = [(place, targets.get(place[0], UNKNOWN)) for place in places]
        blamed = tuple(dict.fromkeys(_blamed(found, is_there)))
        if blamed:
            kept.append(Kept(line, len({place[0] for place in places}), blamed))
        if not blamed or single:
            own = list(_moves(found, {url for url, _ in blamed}))
            moves += own
            moved += bool(own)
    return Decision(tuple(_apart(moves)), tuple(kept), moved)


def _blamed(found: Iterable[tuple[Place, Target]], is_there: Callable[[Place], bool]) -> Iterator[tuple[str, str]]:
    for place, (address, reason, settled) in found:
        if address is None and not settled:
            yield place[0], reason
        elif not settled and address != place[0] and not is_there(place):
            yield place[0], NO_PLACE


def _moves(found: Iterable[tuple[Place, Target]], blamed: set[str]) -> Iterator[Move]:
    for (url, _, span, _), (address, _, settled) in found:
        if address is None or settled or url in blamed or span is None:
            continue
        if address != url:
            yield Move(*span, url, address)


def _apart(moves: Iterable[Move]) -> list[Move]:
    """Each place once, in order. Of two that overlap the longer one stays: the other is a piece of it, read by another rule."""
    kept: list[Move] = []
    for move in sorted(set(moves), key=lambda each: (each.start, -each.end)):
        if not kept or move.start >= kept[-1].end:
            kept.append(move)
        elif move.end - move.start > kept[-1].end - kept[-1].start:
            kept[-1] = move
    return kept


_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BEFORE = 32
_DECLARED = pattern(
    rb"<meta\s[^>]{0,200}?charset\s*+=\s*+[\"']?+\s*+([^\s\"'/>;]{1,40})|<\?xml[^>]{0,200}?\sencoding\s*+=\s*+[\"']([^\"']{1,40})"
    rb"|\A(?:\xef\xbb\xbf)?@charset \"([^\"]{1,40})\"",
    re.IGNORECASE,
)
_LOOKED_AT = 1024
_FRAGMENT = pattern(r"(?:&|\\u0026)(?:amp;)*+#|(#)")
"""The mark of a fragment, but not that of a character reference, which may be escaped once more."""
_BASE = pattern(rb"<base\s[^>]{0,400}?href", re.IGNORECASE)
_POLICY = pattern(rb"<meta\s[^>]{0,200}?content-security-policy", re.IGNORECASE)
_INTEGRITY = pattern(
    rb"integrity\s*+=\s*+[\"']?+\s*+((?:sha(?:256|384|512)-[A-Za-z0-9+/=_\-]{20,100}+[\s\"']*+|(?!))++)", re.IGNORECASE
)


def codec_for(data: bytes) -> str:
    """Return the codec to write a new address with. All that is not UTF-16, and has places, holds ASCII as it is."""
    return _WIDE.get(data[:2], "ascii")


def unknown_encoding(data: bytes) -> str | None:
    """Return the encoding that a document declares, where nobody knows such a one."""
    declared = _DECLARED.search(data, 0, _LOOKED_AT) if data[:2] not in _WIDE else None
    if declared is None:
        return None
    label = next(group for group in declared.groups() if group is not None).decode("latin-1")
    return label if codec_of(label) is None else None


def has_base(data: bytes) -> bool:
    """Whether a page has a ``base``, on which relative addresses would be resolved."""
    return _BASE.search(data) is not None


def has_policy(data: bytes) -> bool:
    """Whether a page brings a Content-Security-Policy of its own."""
    return _POLICY.search(data) is not None


def integrity_of(data: bytes) -> frozenset[str]:
    """The hashes (``sha384-…``) that a page demands of its style sheets and scripts."""
    if b"integrity" not in data:
        return frozenset()
    return frozenset(
        word for found in _INTEGRITY.finditer(data) for word in re.split(r"[\s\"']+", found[1].decode()) if word
    )


def standing_in(data: bytes) -> Callable[[Place], bool]:
    """Return what says whether a URL's spelling stands where its span says, as far as that can be told from ASCII."""
    codec = codec_for(data)

    def stands(place: Place) -> bool:
        _, raw, span, _ = place
        if span is None:
            return False
        return not raw.isascii() or data[slice(*span)] == raw.encode(codec)

    return stands


def probed(data: bytes, moves: Sequence[Move]) -> bytes | None:
    """Return the document with probes in the places of addresses that hold an ampersand; None where no address does."""
    codec = codec_for(data)
    odd = [(number, move) for number, move in enumerate(moves) if not is_plain(move.address)]
    probes = [_edit(data, move, probe(number), codec) for number, move in odd]
    return spliced(data, probes) if probes else None


def edits_for(data: bytes, moves: Sequence[Move], seen: Iterable[Placed] = (), *, is_text: bool = False) -> list[Edit]:
    """Return the edits that make every move. Raises `BadAddress` where an address can't be spelled.

    ``seen`` are the image sets of what `probed` made of the document, unmerged. In one that ``is_text``, an ampersand is itself
    outside of tags, however often a reading would undo its escapes.
    """
    codec = codec_for(data)
    levels = {
        **levels_seen(place for _, places in seen for place in places if not (is_text and place[3])),
        **{number: 0 for number, move in enumerate(moves) if is_plain(move.address)},
    }
    edits = []
    for number, move in enumerate(moves):
        if number not in levels and not is_text:
            raise BadAddress(f"the place of {move.url[:100]!r} can hold no URL with '&'")
        has_bracket = "(" in move.address or ")" in move.address
        in_brackets = has_bracket and _before(data, move.start, codec).rstrip("\t\n\f\r ").endswith("(")
        text = spelled(move.address, in_brackets=in_brackets, levels=levels.get(number, 0))
        edits.append(_edit(data, move, text, codec))
    return edits


def _edit(data: bytes, move: Move, text: str, codec: str) -> Edit:
    """Put ``text`` in the place of a URL. Its fragment stays: no request holds it, and that of ``s.svg#icon`` says what is shown."""
    end = move.end
    if b"#" in data[move.start : end] and "#" not in move.address:
        old = text_of(data, move.start, end, codec)
        mark = next((found.start() for found in _FRAGMENT.finditer(old) if found[1]), 0)
        end = move.start + size_of(old[:mark], codec) if mark else end
    return Edit(move.start, end, text.encode(codec))


def text_of(data: bytes, start: int, end: int, codec: str) -> str:
    """Bytes as text in which ASCII is itself. ``codec`` is that of `codec_for`."""
    return data[start:end].decode(codec if codec.startswith("utf-16") else "latin-1", "replace")


def size_of(text: str, codec: str) -> int:
    """How many bytes a text of `text_of` has."""
    return len(text.encode(codec)) if codec.startswith("utf-16") else len(text)


def _before(data: bytes, start: int, codec: str) -> str:
    return data[max(0, start - _BEFORE) : start].decode(codec, "replace")

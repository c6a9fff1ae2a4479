"""One document: its bytes, with new addresses where URLs stood, spelled as each place and the encoding want it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mediamirror.first_use import pattern
from mediamirror.markup.places.source import codec_of
from mediamirror.model import Candidate, ImageSet
from mediamirror.rewrite.decide import Move
from mediamirror.rewrite.spelling import BadAddress, is_plain, levels_seen, probe, spelled
from mediamirror.rewrite.splice import Edit, spliced

_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BEFORE = 32
_DECLARED = pattern(
    rb"<meta\s[^>]{0,200}?charset\s*+=\s*+[\"']?+\s*+([^\s\"'/>;]{1,40})|<\?xml[^>]{0,200}?\sencoding\s*+=\s*+[\"']([^\"']{1,40})"
    rb"|\A(?:\xef\xbb\xbf)?@charset \"([^\"]{1,40})\"",
    re.IGNORECASE,
)
_LOOKED_AT = 1024
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


def standing_in(data: bytes) -> Callable[[Candidate], bool]:
    """Return what says whether a candidate's spelling stands where its span says, as far as that can be told from ASCII."""
    codec = codec_for(data)

    def stands(candidate: Candidate) -> bool:
        span = candidate.reference.span if candidate.reference is not None else None
        if span is None:
            return False
        raw = candidate.raw_url
        return not raw.isascii() or data[slice(*span)] == raw.encode(codec)

    return stands


def probed(data: bytes, moves: Sequence[Move]) -> bytes | None:
    """Return the document with probes in the places of addresses that hold an ampersand; None where no address does."""
    codec = codec_for(data)
    odd = [(number, move) for number, move in enumerate(moves) if not is_plain(move.address)]
    probes = [Edit(move.start, move.end, probe(number).encode(codec)) for number, move in odd]
    return spliced(data, probes) if probes else None


def edits_for(data: bytes, moves: Sequence[Move], seen: Iterable[ImageSet] = ()) -> list[Edit]:
    """Return the edits that make every move. Raises `BadAddress` where an address can't be spelled.

    ``seen`` are the image sets of what `probed` made of the document, unmerged.
    """
    codec = codec_for(data)
    levels = {**levels_seen(seen), **{number: 0 for number, move in enumerate(moves) if is_plain(move.address)}}
    edits = []
    for number, move in enumerate(moves):
        if number not in levels:
            raise BadAddress(f"the place of {move.url[:100]!r} can hold no URL with '&'")
        has_bracket = "(" in move.address or ")" in move.address
        in_brackets = has_bracket and _before(data, move.start, codec).rstrip("\t\n\f\r ").endswith("(")
        text = spelled(move.address, in_brackets=in_brackets, levels=levels[number])
        edits.append(Edit(move.start, move.end, text.encode(codec)))
    return edits


def _before(data: bytes, start: int, codec: str) -> str:
    return data[max(0, start - _BEFORE) : start].decode(codec, "replace")

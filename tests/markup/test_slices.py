"""A long text in slices gives what the whole gives."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.documents import look
from mediamirror.documents.document import Document
from mediamirror.documents.look import look_through, split
from mediamirror.markup.extract import extract_document
from mediamirror.model import Extraction


def dump(sets: int, *, newline: str = "\n", joint: str = ", ") -> bytes:
    """Lines of text with an image set each, some wrapped behind a comma and some behind a URL."""
    rows = []
    for n in range(sets):
        urls = [f"https://h.example/été-{n}-{width}.webp {width}w" for width in (480, 768, 1280)]
        if n % 7 == 0:
            urls[1] = urls[1].replace(" ", newline)
        rows.append(f"date 2025-12-08 news.by {joint.join(urls)}{newline}An article, with 5x and 10w in it.{newline}")
    return "".join(rows).encode()


def found(extraction: Extraction) -> list[tuple[object, ...]]:
    return [
        (c.url, c.width, c.reference.line, c.reference.span, s.context)
        for s in extraction.sets
        for c in s.candidates
        if c.reference is not None
    ]


def in_slices(data: bytes, kind: str = "text") -> list[Extraction]:
    return list(look_through(Document("d", data, None, None, kind), data))


def test_a_long_text_gives_the_same_sets_lines_and_spans_as_the_whole() -> None:
    for newline in ("\n", "\r\n"):
        for joint in (", ", f",{newline}"):
            data = dump(3000, newline=newline, joint=joint)
            parts = in_slices(data)
            whole = extract_document(data, document="d", as_="text")
            assert len(parts) > 2
            assert [row for part in parts for row in found(part)] == found(whole)
            assert sum(len(part.sets) for part in parts) == len(whole.sets) == 3000


def test_a_span_of_a_later_slice_is_the_url_in_the_document() -> None:
    data = dump(3000)
    last = in_slices(data)[-1].sets[-1].candidates[-1]
    assert last.reference is not None
    assert last.reference.span is not None
    assert data[slice(*last.reference.span)].decode() == last.raw_url


def test_a_list_of_urls_is_cut_at_any_line() -> None:
    data = b"".join(b"https://h.example/%d.webp\n" % n for n in range(20_000))
    parts = in_slices(data, "urls")
    lines = [c.reference.line for part in parts for s in part.sets for c in s.candidates if c.reference is not None]
    assert len(parts) > 2
    assert sorted(lines) == list(range(1, 20_001))


def test_a_long_run_of_urls_in_a_text_is_cut_and_never_between_two_of_one_picture() -> None:
    ladder = [320, 640, 960, 1280]
    data = b"".join(
        b"https://h.example/%s/%s-%d.webp\n" % (name[:1], name, width)
        for n in range(6_000)
        for name in (hashlib.sha256(b"%d" % n).hexdigest().encode(),)
        for width in ladder
    )
    parts = in_slices(data, "text")
    assert len(parts) > 10
    assert {sum(len(source.candidates) for source in s.sources) for part in parts for s in part.sets} == {4}
    numbered = b"".join(b"https://h.example/p/%07d\n" % n for n in range(200_000))
    assert len(list(split(numbered, by_line=False))) > 3


def test_a_text_without_a_good_place_and_one_in_another_encoding_stay_whole() -> None:
    chain = ", ".join(f"https://h.example/{n}.webp {n}w" for n in range(1, 12_000)).encode()
    assert len(list(split(chain, by_line=False))) == 1
    legacy = dump(3000).decode().replace("é", "ж").encode("cp1251")
    assert len(list(split(legacy, by_line=False))) == 1
    assert len(list(split(b"short\n" * 10, by_line=False))) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a/b 480w,", b"word.", b"x 2x", b"", b"\r", b"\xc3\xa9 /c", b"https://h/i.webp"]), max_size=60
    )
)
def test_slices_put_together_are_the_text_and_know_their_place(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    old, look.SLICE = look.SLICE, 8
    try:
        pieces = list(split(data, by_line=False))
    finally:
        look.SLICE = old
    assert b"".join(piece.data for piece in pieces) == data
    for piece in pieces:
        before = data[: piece.offset]
        assert piece.lines == before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")

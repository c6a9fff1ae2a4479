"""Sound is what a browser shows whole, damaged is what it does not: JPEGs that lost data and were closed, broken chunks of PNGs."""

from __future__ import annotations

import ctypes
import hashlib
import random
import re
import struct
from pathlib import Path

import pytest

from fixtures.images import encode, make_image, photo
from fixtures.mistakes import ANCILLARY, CRITICAL, JPEG_PASSED, JPEG_REFUSED, PALETTE, PNG, with_chunk
from fixtures.turned import chunk
from mediamirror.errors import ImageError, ImageTruncated, NotAnImage
from mediamirror.imaging.decoder import warned
from mediamirror.imaging.decoder.pixels import configure, decode
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.decoder.protocol import Wish
from mediamirror.imaging.decoder.warned import EAR
from mediamirror.imaging.header import read_whole
from mediamirror.model import Body
from mediamirror.settings import CheckOptions

OPTIONS = CheckOptions()
END = b"\xff\xd9"
WAYS = {
    "plain": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 8},
    "whole colours": {"subsampling": 0},
    "own tables": {"optimize": True},
}
JPEGS = {
    **{name: encode(photo(240, 160), "jpeg", **options) for name, options in WAYS.items()},
    "grey": encode(photo(240, 160).convert("L"), "jpeg"),
    "four colours": encode(photo(240, 160).convert("CMYK"), "jpeg"),
}


def scan(data: bytes) -> int:
    """Offset of the first coded byte."""
    at = data.index(b"\xff\xda")
    return at + 2 + struct.unpack_from(">H", data, at + 2)[0]


def notes(data: bytes) -> tuple[str, ...]:
    return decode(data, OPTIONS, Wish(look=True)).facts.notes


@pytest.fixture(autouse=True, scope="module")
def listening() -> None:
    configure(OPTIONS)


def test_this_pillow_lets_its_warnings_be_heard() -> None:
    assert EAR.place is not None


@pytest.mark.parametrize("leads_to", [0, 8, 2**47, 2**64 - 8])
def test_a_place_that_leads_nowhere_any_more_is_none_and_ends_nothing(leads_to: int) -> None:
    context = ctypes.c_size_t(leads_to)  # what lay behind Pillow's context, and was freed and written over since
    decoder = ctypes.c_size_t(ctypes.addressof(context))
    place = warned._Place(0, 0)
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        assert warned._count(memory.fileno(), ctypes.addressof(decoder), place) == -1


@pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS)
def test_a_sound_jpeg_is_whole(data: bytes) -> None:
    assert notes(data) == ()


@pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_a_jpeg_that_was_cut_and_closed_is_truncated(data: bytes, share: float) -> None:
    start = scan(data)
    with pytest.raises(ImageTruncated):
        decode(data[: start + int((len(data) - start) * share)] + END, OPTIONS)


@pytest.mark.parametrize("name", [name for name in JPEGS if name not in ("progressive", "restarts")])
@pytest.mark.parametrize("kind", ["lost", "zeroed"])
@pytest.mark.parametrize("seed", range(3))
def test_a_jpeg_that_lost_bytes_in_its_middle_is_truncated(name: str, kind: str, seed: int) -> None:
    data, dice = JPEGS[name], random.Random(seed)
    at = dice.randrange(scan(data), len(data) - 700)
    broken = data[:at] + bytes(600 if kind == "zeroed" else 0) + data[at + 600 :]
    with pytest.raises(ImageTruncated):
        decode(broken, OPTIONS)


@pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_whose_end_was_zeroed_is_truncated(data: bytes, share: float) -> None:
    start = scan(data)
    kept = start + int((len(data) - start) * share)
    with pytest.raises(ImageTruncated):
        decode(data[:kept] + bytes(len(data) - 2 - kept) + END, OPTIONS)


SCANS = [found.start() for found in re.finditer(rb"\xff\xda", JPEGS["progressive"])]


@pytest.mark.parametrize("end", SCANS[1:])
def test_a_progressive_jpeg_whose_last_scans_are_missing_is_truncated(end: int) -> None:
    with pytest.raises(ImageTruncated, match="scans that would complete the picture are missing"):
        decode(JPEGS["progressive"][:end] + END, OPTIONS)


def test_a_jpeg_without_the_scan_of_a_colour_is_truncated() -> None:
    data = bytearray(JPEGS["plain"])
    data[data.index(b"\xff\xda") + 4] = 1
    with pytest.raises(ImageTruncated, match="scans that would complete the picture are missing"):
        decode(bytes(data), OPTIONS)


def test_a_scan_header_that_is_not_all_there_is_truncated() -> None:
    data = JPEGS["progressive"]
    for end in range(SCANS[1], SCANS[1] + 12):
        with pytest.raises(ImageTruncated):
            decode(data[:end], OPTIONS)


def test_a_progressive_jpeg_without_scans_of_high_frequencies_is_whole() -> None:
    data, first = JPEGS["progressive"], SCANS[0]
    end = data.index(b"\xff\xc4", first)
    alone = (
        data[: first + 13] + b"\0" + data[first + 14 : end] + END
    )  # the first scan, which says that it gives all bits
    assert read_whole(alone).format == "jpeg"


@pytest.mark.parametrize("name", ["restarts", "progressive"])
def test_bytes_that_are_too_many_inside_of_the_scans_are_damage(name: str) -> None:
    data = JPEGS[name]
    marker = {"restarts": b"\xff\xd4", "progressive": b"\xff\xc4"}[name]
    at = data.index(marker, scan(data))
    with pytest.raises(ImageTruncated, match="extraneous bytes"):
        decode(data[:at] + data[at - 60 : at] + data[at:], OPTIONS)
    assert notes(data[:at] + bytes(60) + data[at:]) == ()  # padding


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 40, b"\xff" * 7])
def test_padding_before_the_end_of_a_jpeg_is_no_damage(padding: bytes) -> None:
    data = JPEGS["plain"]
    assert notes(data.removesuffix(END) + padding + END) == ()


@pytest.mark.parametrize("after", [b"junk behind the end", b"\0" * 4000, JPEGS["grey"]])
def test_what_comes_behind_the_end_of_a_jpeg_is_no_damage(after: bytes) -> None:
    assert notes(JPEGS["plain"] + after) == ()


BLOCKS = {
    "a short Adobe segment": b"\xff\xee\0\x08Adobe\0",
    "a Photoshop segment that is cut": b"\xff\xed\0\x12Photoshop 3.0\x008BIM"[:18] + b"\0\0",
    "a Photoshop segment of a code alone": b"\xff\xed\0\x16Photoshop 3.0\x008BIM\x04\x04",
    "the head of a profile": b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
    "FF00 between two segments": b"\xff\0",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_broken_metadata_of_a_jpeg_is_a_note_at_most(block: bytes) -> None:
    data = JPEGS["plain"]
    assert len(notes(data[:2] + block + data[2:])) <= 1


@pytest.mark.parametrize("data", JPEG_PASSED.values(), ids=JPEG_PASSED)
def test_a_segment_without_length_that_decoders_pass_over_is_no_damage(data: bytes) -> None:
    assert decode(data, OPTIONS).facts.decoded


@pytest.mark.parametrize("data", JPEG_REFUSED.values(), ids=JPEG_REFUSED)
def test_a_second_start_in_a_jpeg_is_damage(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="a second start marker"):
        decode(data, OPTIONS)


@pytest.mark.parametrize("data", ANCILLARY.values(), ids=ANCILLARY)
def test_a_broken_chunk_that_no_picture_needs_is_a_note(data: bytes) -> None:
    assert len(notes(data)) == 1


def test_a_background_of_nothing_before_the_palette_of_a_png_does_no_harm() -> None:
    assert decode(with_chunk(b"bKGD", b"", data=PALETTE), OPTIONS).facts.decoded  # Chromium shows it


@pytest.mark.parametrize("content", [b"a", b"a\0\x07odd"])
def test_an_odd_text_of_a_png_is_a_note_at_most(content: bytes) -> None:
    assert len(notes(with_chunk(b"zTXt", content))) <= 1


@pytest.mark.parametrize("data", CRITICAL.values(), ids=CRITICAL)
def test_a_broken_chunk_that_browsers_refuse_is_damage(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="is damaged"):
        decode(data, OPTIONS)


def test_a_chunk_between_the_pixels_of_a_png_is_damage() -> None:
    at = PNG.index(b"IDAT") - 4
    packed = PNG[at + 8 : at + 8 + struct.unpack_from(">I", PNG, at)[0]]
    middle = chunk(b"IDAT", packed[:100]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", packed[100:])
    with pytest.raises(NotAnImage, match="between"):
        decode(PNG[:at] + middle + chunk(b"IEND", b""), OPTIONS)


async def test_the_sandbox_hears_the_same() -> None:
    whole = make_image(480, 320, "jpeg")
    cut = whole[: len(whole) // 2] + END

    def body(data: bytes) -> Body:
        return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data)

    async with DecoderPool(CheckOptions(workers=1)) as pool:
        assert (await pool.decode(body(whole))).decoded
        with pytest.raises(ImageError, match="missing or damaged"):
            await pool.decode(body(cut))
        facts, _ = await pool.look(body(with_chunk(b"pHYs", b"\0")))
        assert facts.notes == ("pHYs chunk: it has 1 bytes in place of 9",)

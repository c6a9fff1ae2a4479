"""How large a browser says a file is, and how it is turned: the table of docs/decisions/0051, and one reader for all formats."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from fixtures.images import encode, photo
from fixtures.turned import AS_STORED, ODD, ON_ITS_SIDE, UNSEEN, Case, cases, cut_avif, dense, jpeg, png
from mediamirror.imaging.decoder.pixels import decode
from mediamirror.imaging.decoder.protocol import Wish
from mediamirror.imaging.header import read_header, read_whole
from mediamirror.imaging.strip import LeftAlone, strip
from mediamirror.settings import CheckOptions

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_natural_size_is_the_browsers(case: Case) -> None:
    assert read_whole(case.data).natural == case.natural
    assert read_header(case.data).natural == case.natural


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_thumbnail_has_the_shape_that_a_browser_shows(case: Case) -> None:
    look = decode(case.data, CheckOptions(), Wish(look=True)).look
    assert look is not None
    with Image.open(io.BytesIO(look.thumbnail)) as thumbnail:
        width, height = thumbnail.size
    assert abs(width * case.natural[1] - height * case.natural[0]) <= max(case.natural)


@pytest.mark.parametrize("case", [case for case in CASES if "avif" not in case.name], ids=str)
def test_stripping_leaves_the_natural_size_as_it_is(case: Case) -> None:
    stripped = strip(case.data)
    assert read_whole(stripped).natural == case.natural
    assert strip(stripped) == stripped


@pytest.mark.parametrize(("block", "chromium", "firefox"), ODD.values(), ids=ODD)
def test_exif_that_firefox_reads_in_another_way_is_told_of(block: bytes, chromium: int, firefox: int) -> None:
    shown = ON_ITS_SIDE if firefox == 6 else AS_STORED
    for data in (jpeg(block), png(block)):
        assert read_header(data).in_firefox == (None if chromium == firefox else (*shown, firefox))


@pytest.mark.parametrize("data", UNSEEN.values(), ids=UNSEEN)
def test_exif_that_firefox_does_not_see_is_told_of(data: bytes) -> None:
    assert decode(data, CheckOptions(), Wish()).facts.in_firefox == (*AS_STORED, 1)


def test_firefox_divides_by_the_resolution_after_the_turn() -> None:
    block = dense((32, 12), (144, 288), orientation=8)
    assert (read_header(jpeg(block)).natural, read_header(jpeg(block)).in_firefox) == ((12, 32), (24, 16, 8))


def gif(screen: tuple[int, int], place: tuple[int, int] = (0, 0), *, version: bytes = b"89a") -> bytes:
    """A GIF whose screen has a size, and whose frame of 64 x 48 a place on it."""
    plain = encode(photo(64, 48).convert("P"), "gif")
    frame = plain.index(b"\x2c" + struct.pack("<HHHH", 0, 0, 64, 48))
    sized = b"GIF" + version + struct.pack("<HH", *screen) + plain[10:frame]
    return sized + b"\x2c" + struct.pack("<HH", *place) + plain[frame + 5 :]


@pytest.mark.parametrize(
    ("data", "natural", "firefox"),
    [
        (gif((64, 48)), (64, 48), None),
        (gif((64, 48), version=b"87a"), (64, 48), None),
        (gif((100, 90)), (100, 90), None),
        (gif((100, 90), (36, 42)), (100, 90), None),
        (gif((100, 20)), (100, 48), (64, 48, 1)),
        (gif((20, 90)), (64, 90), (64, 48, 1)),
        (gif((70, 50), (60, 10)), (124, 58), (70, 50, 1)),
        (gif((100, 90), version=b"87a"), (100, 90), (64, 48, 1)),
    ],
)
def test_what_each_browser_takes_for_the_screen_of_a_gif_is_told_of(
    data: bytes, natural: tuple[int, int], firefox: tuple[int, int, int] | None
) -> None:
    assert (read_header(data).natural, read_header(data).in_firefox) == (natural, firefox)


def of_arithmetic_codes() -> bytes:
    """The frame header of a JPEG says arithmetic coding (SOF9)."""
    return jpeg().replace(b"\xff\xc0", b"\xff\xc9", 1)


def grid() -> bytes:
    """The one item of an AVIF says that it is put together of others."""
    return encode(photo(64, 48), "avif").replace(b"av01", b"grid", 2)


@pytest.mark.parametrize(
    "data",
    [of_arithmetic_codes(), grid(), cut_avif(40, 30), cut_avif(40, 30, (12, 9))],
    ids=["codes", "grid", "corner", "middle"],
)
def test_what_chromium_shows_and_firefox_does_not_is_told_of(data: bytes) -> None:
    assert read_header(data).in_firefox == (0, 0, 1)


def test_what_a_clean_aperture_cuts_off_is_not_looked_at() -> None:
    whole = decode(cut_avif(64, 48), CheckOptions(), Wish(look=True)).look
    corner = decode(cut_avif(32, 24), CheckOptions(), Wish(look=True)).look
    assert whole is not None
    assert corner is not None
    assert len(set(corner.colours[2::3])) < len(set(whole.colours[2::3])), "one colour of the four is left"


def test_an_avif_is_left_alone_by_the_stripper() -> None:
    with pytest.raises(LeftAlone):
        strip(cut_avif(32, 24))

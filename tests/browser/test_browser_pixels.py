"""The natural size that we tell is the one that Chromium tells, and a stripped file shows what it showed before."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from PIL import Image

from fixtures.browser.chromium import Tab
from fixtures.browser.screens import SCREENS
from fixtures.images import encode, photo
from fixtures.turned import SIX, Case, cases, chunk, dense, jpeg, png, tiff, turn
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.strip import STRIPPED, strip

OpenTab = Callable[..., AbstractContextManager[Tab]]
SEE = """async url => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [image.naturalWidth, image.naturalHeight, pixels.reduce((sum, level) => (sum * 31 + level) | 0, 7)];
}"""


def seen(tab: Tab, data: bytes, mime: str) -> tuple[tuple[int, int], int]:
    """Natural size, and a number made of every pixel."""
    width, height, pixels = tab.evaluate(SEE, f"data:{mime};base64,{base64.b64encode(data).decode()}")
    return (width, height), pixels


@pytest.fixture(scope="module")
def tab(chromium: object) -> Iterator[Tab]:
    with chromium.tab(SCREENS[0]) as opened:  # type: ignore[attr-defined]
        yield opened


@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_natural_size_is_chromiums(tab: Tab, case: Case) -> None:
    assert (read_whole(case.data).natural, case.natural) == (seen(tab, case.data, case.mime)[0],) * 2


@pytest.mark.parametrize("case", [c for c in cases() if c.mime.removeprefix("image/") in STRIPPED], ids=str)
def test_a_stripped_file_shows_what_it_showed(tab: Tab, case: Case) -> None:
    assert seen(tab, strip(case.data), case.mime) == seen(tab, case.data, case.mime)


def sweep() -> Iterator[tuple[str, bytes, str]]:
    """Formats, writers and orientations: what a mirror meets, with metadata where each writer puts it."""
    dice = random.Random(5)
    for orientation in range(1, 9):
        block = tiff([turn(orientation)], order=dice.choice("<>"))
        for where in ("first", "frame", "end"):
            yield (
                f"jpeg-{where}-{orientation}",
                jpeg(block, where=where, progressive=bool(orientation % 2)),
                "image/jpeg",
            )
        yield f"jpeg-two-{orientation}", jpeg(tiff([turn(9 - orientation)]), block), "image/jpeg"
        size, dots = (32, 24) if orientation < 7 else (21, 16), (144, 144) if orientation < 7 else (216, 216)
        yield f"jpeg-dense-{orientation}", jpeg(dense(size, dots, orientation=orientation)), "image/jpeg"
        for spot in (b"IDAT", b"IEND"):
            yield f"png-{spot.decode()}-{orientation}", png(block, where=spot), "image/png"
        yield f"png-jpegs-{orientation}", png(b"Exif\0\0" + block), "image/png"
        yield f"png-two-{orientation}", png(block, tiff([turn(9 - orientation)])), "image/png"
        picture = photo(40, 24, seed=orientation)
        for lossless in (False, True):
            yield f"webp-{lossless}-{orientation}", encode(picture, "webp", lossless=lossless, exif=block), "image/webp"
        yield (
            f"jpeg-pillow-{orientation}",
            encode(picture.convert("L"), "jpeg", exif=block, comment=b"made"),
            "image/jpeg",
        )
    palette = photo(40, 24).convert("P")
    yield "png-palette", encode(palette, "png", transparency=3, dpi=(300, 300)), "image/png"
    whole = png(SIX)
    for name, content in (
        (b"gAMA", b"\0\1\x86\xa0"),
        (b"gAMA", b"\0\1"),
        (b"pHYs", b"\0"),
        (b"sRGB", b""),
        (b"iCCP", b"x"),
    ):
        yield f"png-{name.decode()}-{len(content)}", whole[:33] + chunk(name, content) + whole[33:], "image/png"
        broken = chunk(name, content)
        yield f"png-{name.decode()}-{len(content)}-crc", whole[:33] + broken[:-1] + b"?" + whole[33:], "image/png"
    cmyk = encode(photo(40, 24).convert("CMYK"), "jpeg")
    plain = jpeg(SIX)
    yield "jpeg-cmyk", cmyk, "image/jpeg"
    for name, segment in (
        ("adobe-short", b"\xff\xee\0\x08Adobe\0"),
        ("photoshop-cut", b"\xff\xed\0\x12Photoshop 3.0\0\x38\x42"),
        ("icc-head-alone", b"\xff\xe2\0\x10ICC_PROFILE\0\1\1"),
        ("ff00", b"\xff\0"),
    ):
        yield f"jpeg-{name}", plain[:2] + segment + plain[2:], "image/jpeg"


@pytest.mark.parametrize(("data", "mime"), [pytest.param(data, mime, id=name) for name, data, mime in sweep()])
def test_a_swept_file_shows_what_it_showed_and_decodes_as_before(tab: Tab, data: bytes, mime: str) -> None:
    stripped = strip(data)
    assert seen(tab, stripped, mime) == seen(tab, data, mime)
    assert read_whole(stripped).natural == read_whole(data).natural == seen(tab, data, mime)[0]
    with Image.open(io.BytesIO(stripped)) as image:
        image.load()

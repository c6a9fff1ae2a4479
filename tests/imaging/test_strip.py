"""Metadata is dropped, and nothing else: the same pixels, the same colours, the same way up."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

from fixtures.images import RECIPES, encode, exif_block, make_animation, make_image, photo, turned_jpeg
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.strip import LeftAlone, lost_picture, plan, strip

SECRET = b"Anna-Kowalska-4711"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li>' + SECRET + b"</rdf:li></x:xmpmeta>"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int | None, *, big: bool = False) -> bytes:
    block = Image.Exif()
    block.endian = ">" if big else "<"
    block[0x010E] = SECRET.decode()
    block[0x8825] = {1: "N", 2: (53.0, 54.0, 0.0), 3: "E", 4: (27.0, 33.0, 0.0)}
    if orientation is not None:
        block[0x0112] = orientation
    return block.tobytes()


def pixels(data: bytes) -> list[tuple[str, tuple[int, int], bytes, object]]:
    """Every frame: mode, size, pixels and how long it is shown."""
    with Image.open(io.BytesIO(data)) as image:
        return [(f.mode, f.size, f.tobytes(), f.info.get("duration")) for f in ImageSequence.Iterator(image)]


def info(data: bytes) -> dict[str, object]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return dict(image.info)


def orientation(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return int(image.getexif().get(0x0112, 1))


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with_everything(picture: Image.Image, **options: object) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    text.add_text("Comment", SECRET.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"gAMA", struct.pack(">I", 45455))
    text.add(b"tIME", struct.pack(">H5B", 2026, 11, 24, 12, 0, 0))
    text.add(b"caBX", SECRET)
    return encode(picture, "png", pnginfo=text, **options)


@st.composite
def images(draw: st.DrawFn) -> tuple[bytes, int]:
    """An image with metadata, and its orientation."""
    kind = draw(st.sampled_from(["webp", "jpeg", "png"]))
    mode = draw(st.sampled_from(["RGB", "L", "RGBA", "P"] if kind != "jpeg" else ["RGB", "L", "CMYK"]))
    picture = photo(draw(st.integers(1, 40)), draw(st.integers(1, 40)), seed=draw(st.integers(0, 3))).convert(mode)
    turned = draw(st.integers(1, 8))
    options: dict[str, object] = {"exif": exif(turned, big=draw(st.booleans()))}
    if draw(st.booleans()):
        options["icc_profile"] = PROFILE
    frames = draw(st.integers(1, 3))
    if kind == "png":
        if frames > 1:
            options |= {"save_all": True, "append_images": [picture.rotate(90)] * (frames - 1)}
        return png_with_everything(picture, **options), turned
    options["xmp"] = XMP
    if kind == "webp":
        options["lossless"] = draw(st.booleans())
        if frames > 1:
            options |= {"save_all": True, "append_images": [picture.rotate(90)] * (frames - 1), "duration": 70}
        return encode(picture, kind, **options), turned
    options |= {"comment": SECRET, "progressive": draw(st.booleans()), "restart_marker_blocks": draw(st.integers(0, 2))}
    return encode(picture, kind, **options), turned


@given(images())
@settings(max_examples=150, deadline=None)
def test_pixels_profile_frames_and_orientation_stay_and_the_secrets_go(made: tuple[bytes, int]) -> None:
    data, turned = made
    stripped = strip(data)
    assert pixels(stripped) == pixels(data)
    assert orientation(stripped) == turned
    assert info(stripped).get("icc_profile") == info(data).get("icc_profile")
    before, after = read_whole(data), read_whole(stripped)
    assert (before.has_gps, after.has_gps, after.natural, after.frames) == (True, False, before.natural, before.frames)
    assert SECRET not in stripped
    assert b"GPS" not in stripped
    assert len(stripped) < len(data)
    assert strip(stripped) == stripped


@pytest.mark.parametrize("kind", ["webp", "jpeg", "png"])
def test_an_image_without_metadata_stays_byte_for_byte(kind: str) -> None:
    data = make_image(96, 64, kind)
    assert strip(data) == data


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_an_animation_keeps_every_frame_and_its_times(kind: str) -> None:
    moving = make_animation(40, 30, kind, frames=3)
    assert strip(moving) == moving
    with Image.open(io.BytesIO(moving)) as opened:
        told = encode(photo(40, 30), kind, save_all=True, append_images=[opened], exif=exif(6), duration=90)
    stripped = strip(told)
    assert (pixels(stripped), SECRET in stripped, read_whole(stripped).frames) == (
        pixels(told),
        False,
        read_whole(told).frames,
    )


def test_png_colour_chunks_stay_and_texts_times_and_unknown_chunks_go() -> None:
    data = png_with_everything(photo(20, 10), dpi=(300, 300), exif=exif(1))
    data = data[:33] + png_chunk(b"sRGB", b"\0") + png_chunk(b"cICP", b"\x0c\x0d\0\1") + data[33:]
    stripped = strip(data)
    names = [stripped[at - 4 : at] for at in range(len(stripped)) if stripped[at - 4 : at].isalpha()]
    assert {b"IHDR", b"sRGB", b"cICP", b"gAMA", b"pHYs", b"IDAT", b"IEND"} <= set(names)
    assert not {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"caBX", b"eXIf"} & set(names)


def test_the_flags_and_the_size_of_a_webp_say_what_is_left() -> None:
    upright = encode(photo(21, 11), "webp", exif=exif(1), xmp=XMP, icc_profile=PROFILE)
    turned = encode(photo(21, 11), "webp", exif=exif(8), xmp=XMP)
    assert (upright[20] & 0x2C, strip(upright)[20] & 0x2C) == (0x2C, 0x20)
    assert (turned[20] & 0x2C, strip(turned)[20] & 0x2C) == (0x0C, 0x08)
    for data in (upright, turned):
        made = strip(data)
        assert struct.unpack_from("<I", made, 4)[0] == len(made) - 8
        assert len(made) % 2 == 0


def test_what_follows_the_end_goes() -> None:
    for kind in ("webp", "jpeg", "png"):
        data = make_image(96, 64, kind)
        assert strip(data + b"\xff\xd8\xff\xe1" + SECRET) == data


def test_a_jpeg_keeps_its_colour_transform_and_loses_thumbnails_and_photoshop_blocks() -> None:
    data = encode(photo(32, 16).convert("CMYK"), "jpeg")
    assert b"Adobe" in data
    extra = b"".join(
        struct.pack(">BBH", 0xFF, code, 2 + len(content)) + content
        for code, content in (
            (0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1abc"),
            (0xE0, b"JFXX\0\x10" + SECRET),
            (0xED, b"Photoshop 3.0\0" + SECRET),
            (0xE2, b"MPF\0" + SECRET),
            (0xEB, SECRET),
            (0xFE, SECRET),
        )
    )
    stripped = strip(data[:2] + extra + data[2:])
    assert (SECRET in stripped, b"Adobe" in stripped, b"abc" in stripped) == (False, True, False)
    assert stripped[2:20] == b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    assert [frame[:3] for frame in pixels(stripped)] == [frame[:3] for frame in pixels(data)]


def test_an_orientation_after_the_frame_header_is_not_lost() -> None:
    data = encode(photo(32, 16), "jpeg")
    at = data.index(b"\xff\xda")
    block = b"Exif\0\0" + exif_block(orientation=6).removeprefix(b"Exif\0\0")
    late = data[:at] + struct.pack(">BBH", 0xFF, 0xE1, 2 + len(block)) + block + data[at:]
    assert (orientation(late), orientation(strip(late))) == (6, 6)


def test_a_turned_jpeg_keeps_one_entry_of_its_exif() -> None:
    with Image.open(io.BytesIO(strip(turned_jpeg(64, 48)))) as image:
        assert dict(image.getexif()) == {0x0112: 6}
        assert image.getexif().get_ifd(0x8825) == {}


LEFT = {
    "gif-480": "GIF is stored as it is",
    "avif-480": "AVIF is stored as it is",
    "webp-cut": "cut short",
    "jpeg-cut": "cut short",
    "png-cut": "cut short",
    "page": "HTML page",
}


@pytest.mark.parametrize(("name", "words"), LEFT.items())
def test_other_formats_and_truncated_files_are_left_alone(name: str, words: str) -> None:
    with pytest.raises(LeftAlone, match=words):
        strip(RECIPES[name].data)


def test_a_png_with_a_critical_chunk_that_nobody_knows_is_left_alone() -> None:
    data = make_image(20, 10, "png")
    with pytest.raises(LeftAlone, match="critical chunk ABCD"):
        strip(data[:33] + png_chunk(b"ABCD", b"") + data[33:])


def test_a_webp_whose_chunk_reaches_beyond_its_end_is_left_alone() -> None:
    data = encode(photo(21, 11), "webp", exif=exif(1))
    at = data.index(b"EXIF") + 4
    with pytest.raises(LeftAlone, match="damaged"):
        strip(data[:at] + struct.pack("<I", 10**6) + data[at + 4 :])


XMP_OF_A_GAIN_MAP = (
    b"http://ns.adobe.com/xap/1.0/\0"
    b"<rdf:Description xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0'/>"
)


def with_a_second(first: bytes, xmp: bytes = b"") -> bytes:
    """A JPEG with another behind its end, as Ultra HDR and multi-picture cameras write it."""
    segment = struct.pack(">BBH", 0xFF, 0xE1, 2 + len(xmp)) + xmp if xmp else b""
    return first[:2] + segment + first[2:] + encode(photo(8, 8).convert("L"), "jpeg")


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        (with_a_second(make_image(40, 24, "jpeg"), XMP_OF_A_GAIN_MAP), "a gain map for brighter screens"),
        (with_a_second(make_image(40, 24, "jpeg")), "a second picture"),
        (make_image(40, 24, "jpeg") + b"a few bytes", None),
        (make_image(40, 24, "jpeg"), None),
        (encode(photo(40, 24), "png", exif=exif(1)), None),
    ],
)
def test_a_picture_that_is_dropped_is_named(data: bytes, lost: str | None) -> None:
    assert lost_picture(data, plan(data)) == lost

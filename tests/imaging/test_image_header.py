"""Header readers, held against Pillow on images of every kind it can write."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from fixtures.images import (
    RECIPES,
    encode,
    exif_block,
    frame_flood_gif,
    huge_canvas_webp,
    make_animation,
    make_image,
    photo,
    turned_jpeg,
)
from mediamirror.errors import ImageOverBudget, ImageTruncated, NotAnImage
from mediamirror.imaging.header import FORMATS, check_budget, read_body, read_header, read_whole
from mediamirror.imaging.sniff import sniff
from mediamirror.model import Body, ImageFacts
from mediamirror.settings import CheckOptions

PREFIX = 64 * 1024
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def by_pillow(data: bytes) -> tuple[str, int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return str(image.format).lower().replace("mpo", "jpeg"), *image.size


def by_us(data: bytes) -> tuple[str, int, int]:
    facts = read_header(data[:PREFIX])
    return facts.format, facts.width, facts.height


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (480, 320), (481, 17), (16, 2000)])
def test_format_and_size_agree_with_pillow(format: str, size: tuple[int, int]) -> None:
    data = make_image(*size, format)
    assert by_us(data) == by_pillow(data) == (format, *size)


VARIATIONS = [
    *(
        ("jpeg", mode, options)
        for mode in ("L", "RGB", "CMYK")
        for options in ({}, {"progressive": True}, {"icc_profile": PROFILE})
    ),
    *(("png", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ("png", "RGB", {"icc_profile": PROFILE}),
    *(
        ("webp", mode, options)
        for mode in ("RGB", "RGBA")
        for options in ({}, {"lossless": True}, {"icc_profile": PROFILE})
    ),
    ("webp", "RGB", {"exif": exif_block(orientation=3, gps=True)}),
    *(("gif", mode, {}) for mode in ("L", "P", "RGB", "RGBA")),
    *(("avif", mode, options) for mode in ("L", "RGB", "RGBA") for options in ({}, {"icc_profile": PROFILE})),
    ("avif", "RGB", {"autotiling": True, "exif": exif_block(orientation=6, gps=True)}),
]


@pytest.mark.parametrize(("format", "mode", "options"), VARIATIONS, ids=lambda value: str(value)[:20])
def test_colour_mode_profile_and_metadata_do_not_disturb_the_size(
    format: str, mode: str, options: dict[str, object]
) -> None:
    data = encode(
        photo(50, 40).convert("RGB").convert(mode if mode != "I;16" else "I").convert(mode), format, **options
    )
    facts = read_whole(data)
    assert (facts.format, facts.width, facts.height) == by_pillow(data)
    assert facts.icc is ("icc_profile" in options)


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_alpha_is_told_from_the_header(format: str, mode: str) -> None:
    picture = photo(50, 40).convert(mode)
    if mode == "RGBA":
        picture.putalpha(100)
    assert read_header(encode(picture, format)).alpha is (mode == "RGBA")


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_and_place_are_read(format: str, orientation: int) -> None:
    facts = read_whole(encode(photo(50, 40), format, exif=exif_block(orientation=orientation, gps=True)))
    # No browser turns a WebP by its EXIF.
    shown = 1 if format == "webp" else orientation
    assert (facts.orientation, facts.has_gps, facts.width, facts.height) == (shown, True, 50, 40)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_exif_without_a_position_has_no_gps(format: str) -> None:
    assert read_whole(encode(photo(50, 40), format, exif=exif_block(orientation=1))).has_gps is False


def test_a_gps_directory_with_a_version_only_tells_no_place() -> None:
    exif = Image.Exif()
    exif[0x8825] = {0: b"\2\3\0\0"}
    assert read_whole(encode(photo(50, 40), "jpeg", exif=exif.tobytes())).has_gps is False


@pytest.mark.parametrize("format", ["webp", "gif", "png", "avif"])
def test_frames_are_counted(format: str) -> None:
    assert read_whole(make_animation(96, 64, format, frames=4)).frames == 4


def test_an_apng_tells_its_frames_in_the_header() -> None:
    assert read_header(make_animation(96, 64, "png", frames=4)[:PREFIX]).frames == 4


def test_a_moving_webp_is_not_called_a_still_one() -> None:
    assert read_header(make_animation(96, 64, "webp", frames=4)[:40]).frames is None


def test_the_gif_canvas_grows_with_its_first_frame() -> None:
    data = bytearray(make_image(50, 40, "gif"))
    data[6:10] = struct.pack("<HH", 0, 0)
    assert by_us(bytes(data)) == by_pillow(bytes(data)) == ("gif", 50, 40)


def test_jpeg_metadata_longer_than_the_prefix_is_followed_into_the_file(tmp_path: object) -> None:
    data = make_image(50, 40, "jpeg")
    filled = data[:2] + (b"\xff\xe5" + struct.pack(">H", 65_000) + bytes(64_998)) * 100 + data[2:]
    with pytest.raises(ImageTruncated):
        read_header(filled[:PREFIX])
    assert by_us(data) == by_pillow(filled)
    path = tmp_path / "spooled"  # type: ignore[operator]
    path.write_bytes(filled)
    facts = read_body(Body(len(filled), "", path=path, prefix=filled[:PREFIX]))
    assert (facts.width, facts.height) == (50, 40)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_with_less_data_than_its_canvas_takes_is_truncated_and_a_blank_one_is_not(
    mode: str, options: dict[str, object]
) -> None:
    blank = encode(Image.new(mode, (1000, 700)), "jpeg", **options)
    assert read_whole(blank).width == 1000
    frame = next(blank.index(bytes([0xFF, marker])) for marker in (0xC0, 0xC2) if bytes([0xFF, marker]) in blank)
    claiming = blank[: frame + 5] + struct.pack(">HH", 7000, 7000) + blank[frame + 9 :]
    with pytest.raises(ImageTruncated, match="at least"):
        read_whole(claiming)


@pytest.mark.parametrize("marker", sorted(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}))
def test_every_frame_marker_of_jpeg_is_known(marker: int) -> None:
    data = b"\xff\xd8\xff\xff\xff" + bytes([marker]) + struct.pack(">HBHHB", 11, 8, 321, 480, 1) + b"\1\x11\0"
    assert by_us(data) == ("jpeg", 480, 321)


def avif_turned(angle: int | None, axis: int | None) -> bytes:
    """An AVIF with irot and imir in place of Pillow's, by way of the EXIF orientation it translates."""
    orientation = {(1, None): 8, (2, None): 3, (3, None): 6, (None, 0): 4, (None, 1): 2, (1, 0): 5, (1, 1): 7}[
        angle, axis
    ]
    return encode(photo(50, 40), "avif", exif=exif_block(orientation=orientation))


@pytest.mark.parametrize(("angle", "axis"), [(1, None), (2, None), (3, None), (None, 0), (None, 1), (1, 0), (1, 1)])
def test_avif_rotation_and_mirroring_read_as_pillow_reads_them(angle: int | None, axis: int | None) -> None:
    data = avif_turned(angle, axis)
    with Image.open(io.BytesIO(data)) as image:
        assert read_header(data).orientation == image.getexif()[0x0112]


def test_an_avif_grid_has_the_size_of_the_whole() -> None:
    data = with_grid(make_image(64, 64, "avif"), 128, 96)
    assert by_us(data) == ("avif", 128, 96)


def with_grid(data: bytes, width: int, height: int) -> bytes:
    """Put a new primary item in front: item 9 with an ispe of its own, as grid images have besides those of their tiles."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", len(content) + 8, name) + content

    ftyp_end = struct.unpack_from(">I", data)[0]
    tile, whole = (box(b"ispe", struct.pack(">III", 0, *size)) for size in ((64, 64), (width, height)))
    ipma = box(
        b"ipma", struct.pack(">II", 1 << 24 | 1, 2) + struct.pack(">IBH", 1, 1, 1) + struct.pack(">IBH", 9, 1, 0x8002)
    )
    pitm = box(b"pitm", struct.pack(">II", 1 << 24, 9))
    return data[:ftyp_end] + box(b"meta", bytes(4) + pitm + box(b"iprp", box(b"ipco", tile + whole) + ipma))


@pytest.mark.parametrize("format", FORMATS)
def test_a_header_cut_anywhere_is_truncated_or_not_an_image(format: str) -> None:
    data = make_image(50, 40, format)
    told = set()
    for size in range(4, 40):
        try:
            told.add(by_us(data[:size]))
        except (ImageTruncated, NotAnImage) as error:
            told.add(error.code)
    assert told <= {"truncated", "not-an-image", (format, 50, 40)}
    assert "truncated" in told


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_cut_by_one_byte_is_truncated(format: str) -> None:
    data = make_image(480, 320, format)
    assert read_whole(data).width == 480
    with pytest.raises(ImageTruncated, match="cut short"):
        read_whole(data[:-1])


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_cut_at_any_place_is_never_called_whole(format: str) -> None:
    data = make_image(96, 64, format)
    for size in range(40, len(data) - 2, max(1, len(data) // 60)):
        with pytest.raises((ImageTruncated, NotAnImage)):
            read_whole(data[:size])


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_after_the_end_are_fine(format: str) -> None:
    assert read_whole(make_image(96, 64, format) + (b"<html>PK\3\4" if format != "avif" else b"")).width == 96


def test_a_webp_longer_than_its_body_is_truncated_without_decoding() -> None:
    data = make_image(480, 320, "webp")
    with pytest.raises(ImageTruncated, match="promises"):
        read_body(Body(len(data) - 10, "", data=data[:-10], prefix=data[:-10]))


KINDS = [
    (b"", "empty"),
    (b" \r\n\t", "empty"),
    (b"<!DOCTYPE html><p>no", "html"),
    (b"\xef\xbb\xbf\n  <HTML>", "html"),
    (b"<!-- cached --><html>", "html"),
    ("<html>нет</html>".encode("utf-16"), "html"),
    (b"<h1>403 Forbidden</h1>", "html"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
    (b"<?xml version='1.0'?><!DOCTYPE svg><svg/>", "svg"),
    (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "xml"),
    (b'{"error": "gone"}', "json"),
    (b"404 page not found\n", "text"),
    ("Страница не найдена".encode(), "text"),
    (b"%PDF-1.7", "pdf"),
    (b"%!PS-Adobe-3.0 EPSF-3.0", "eps"),
    (b"PK\x03\x04abc", "zip"),
    (b"\x1f\x8b\x08\0", "gzip"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "avif"),
    (b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42", "video"),
    (b"II*\0\x08\0\0\0", "tiff"),
    (b"\xff\x0a\xfa\x1f", "jxl"),
    (b"\x00\x01\x02\x03", "binary"),
]


@pytest.mark.parametrize(("data", "kind"), KINDS)
def test_content_is_told_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert sniff(data) == kind


def test_what_is_no_image_is_named_in_the_error() -> None:
    with pytest.raises(
        NotAnImage, match=r"^This is an HTML page, where a WebP, JPEG, PNG, GIF or AVIF image was expected\.$"
    ):
        read_header(b"<!DOCTYPE html><html></html>")


def test_a_false_beginning_is_no_image() -> None:
    with pytest.raises(NotAnImage, match="begins like PNG data, but is damaged"):
        read_header(b"\x89PNG\r\n\x1a\n" + bytes(40))


def test_a_box_that_is_shorter_than_its_fields_is_damage() -> None:
    short = b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x18meta\0\0\0\0" + b"\0\0\0\x0cpitm\0\0\0\0"
    with pytest.raises(NotAnImage, match="begins like AVIF data, but is damaged: its structure makes no sense"):
        read_header(short)


WHOLE = st.sampled_from([recipe.data for recipe in RECIPES.values() if len(recipe.data) < 60_000])


@st.composite
def damaged_images(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(WHOLE))
    for _ in range(draw(st.integers(0, 6))):
        if data:
            at = draw(st.integers(0, min(len(data) - 1, draw(st.sampled_from([64, 400, 1 << 20])))))
            data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


STARTS = [
    b"RIFF\0\0\0\0WEBP",
    b"RIFF\xff\xff\xff\xffWEBPVP8X\n\0\0\0\x0a",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"\0\0\0\x18ftypavif",
]


@given(
    damaged_images()
    | st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=300))
    | st.binary(max_size=300)
)
@example(b"\xff\xd8\xff\xc0")
@example(b"GIF89a" + b"\x01\0\x01\0\x80\0\0")
@settings(max_examples=400, deadline=None)
def test_any_bytes_give_facts_or_one_of_two_errors(data: bytes) -> None:
    for read in (read_header, read_whole):
        try:
            facts = read(data)
        except (NotAnImage, ImageTruncated):
            continue
        assert facts.width > 0
        assert facts.height > 0


@given(data=damaged_images())
@settings(max_examples=150, deadline=None)
def test_where_pillow_opens_a_damaged_image_the_sizes_agree(data: bytes) -> None:
    try:
        facts = read_header(data)
        if facts.width * facts.height > 50_000_000:
            return
        theirs = by_pillow(data)
    except Exception:
        return
    if facts.format != "gif":  # A damaged first frame may be skipped by one and read by the other.
        assert (facts.format, facts.width, facts.height) == theirs


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (read_header(huge_canvas_webp()), "canvas is 13,000 x 13,000"),
        (read_whole(frame_flood_gif(1_200)), "1,200 frames; the limit is 1,000"),
        (ImageFacts("gif", 1000, 1000, frames=300), "300 frames of 1,000 x 1,000"),
    ],
)
def test_what_is_over_budget_is_refused_with_the_limit(facts: ImageFacts, words: str) -> None:
    with pytest.raises(ImageOverBudget, match=words):
        check_budget(facts, CheckOptions())


def test_a_canvas_at_the_limit_passes() -> None:
    check_budget(ImageFacts("webp", 10_000, 5_000, frames=5), CheckOptions())


def test_a_turned_jpeg_keeps_its_stored_size() -> None:
    facts = read_header(turned_jpeg(480, 320))
    assert (facts.width, facts.height, facts.orientation, facts.has_gps) == (320, 480, 6, True)


def test_fill_bytes_without_end_cost_no_more_than_they_are() -> None:
    """A pattern that takes the fill is tried again from each of its bytes: 4 MiB of them took hours."""
    started = time.process_time()
    for data in (b"\xff\xd8" + b"\xff" * 2**18, make_image(24, 16, "jpeg")[:-2] + b"\xff" * 2**18):
        with pytest.raises(ImageTruncated):
            read_whole(data)
    assert time.process_time() - started < 5


def test_what_a_png_announces_behind_its_end_is_no_frame() -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 12, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IEND", b"") + chunk(b"acTL", struct.pack(">II", 255, 0))
    assert read_whole(data).frames == 1

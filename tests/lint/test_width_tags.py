"""Width tags in file names: the families that are real, and the numbers that are not widths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.lint.subject import file_name, format_of_mime, split_extensions, width_tag

SEED = "https://s3-minsk.becloud.by/media-assets/news-by/006545c1/conversions/a6dc84de-0ff2-4d49-8b63-591842fff220"


@pytest.mark.parametrize(
    ("name", "width"),
    [
        (f"{SEED}-sm-___webp_480.webp", 480),
        (f"{SEED}-xl-___webp_1920.webp?v=1", 1920),
        ("name___conv_1280_720.jpg", 1280),
        ("name___media_library_original_1280_720.jpg", 1280),
        ("photo-300x200.jpg", 300),
        ("photo_300x200.jpg", 300),
        ("photo-2024-300x200.jpg.webp", 300),
        ("wallpaper-1920x1080-300x169.jpg", 300),
        ("photo-480w.webp", 480),
        ("photo_480w.webp", 480),
        ("photo@480w.webp", 480),
        ("photo.480w.webp", 480),
        ("photo-480W.webp", 480),
        ("480w.jpg", 480),
        ("photo-w480.webp", 480),
        ("photo_w480.webp", 480),
        ("photo_w_480.webp", 480),
        ("w_480.webp", 480),
        ("%D1%84%D0%BE%D1%82%D0%BE-480w.webp", 480),
    ],
)
def test_a_form_that_nothing_else_has_is_a_width(name: str, width: int) -> None:
    tag = width_tag(name if "://" in name else f"https://h.example/a/{name}")
    assert tag is not None
    assert tag.width == width


@pytest.mark.parametrize(
    "name",
    [
        "photo-2024.jpg",
        "IMG_1234.jpg",
        "DSC_0480.jpg",
        "2025-12-08.jpg",
        "photo_480.webp",
        "photo-1920.webp",
        "a1b2c3d4e5f6480.webp",
        "591842fff220-1234567890.webp",
        "photo-16x9.jpg",
        "photo-4x3.jpg",
        "icon-16x16.png",
        "photo-300x200@2x.jpg",
        "photo@2x.png",
        "photo-scaled.jpg",
        "shop_480x.jpg",
        "photo-480-80.jpg.webp",
        "new480w.jpg",
        "law2048.jpg",
        "photo-0w.jpg",
        "480.jpg",
        "",
        "image?w=480",
        "show.php?file=a-480w.jpg",
        "w_480,c_fill/photo.jpg",
        "photo-480w.php.txt",
    ],
)
def test_other_numbers_are_no_widths(name: str) -> None:
    assert width_tag(f"https://h.example/2024/{name}") is None


@pytest.mark.parametrize(
    "name", ["photo_480.webp", "photo-480.webp", "photo@480.jpg", "photo.480.jpg", "photo-480px.jpg"]
)
def test_a_bare_number_is_a_width_when_the_set_declares_it(name: str) -> None:
    tag = width_tag(f"https://h.example/{name}", {480, 768})
    assert tag is not None
    assert tag.width == 480


def test_a_bare_number_that_the_set_does_not_declare_is_none() -> None:
    assert width_tag("https://h.example/photo-2024.webp", {480, 768}) is None


def test_a_surer_form_goes_before_a_declared_number() -> None:
    tag = width_tag("https://h.example/a___webp_1280_720.jpg", {720, 1280})
    assert tag is not None
    assert tag.width == 1280


@given(st.text(), st.sets(st.integers(1, 5000)))
def test_any_url_gives_a_tag_or_none(url: str, known: set[int]) -> None:
    tag = width_tag(url, known)
    assert tag is None or (tag.width > 0 and str(tag.width) in tag.text)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.webp", ("a", "webp")),
        ("a.JPG", ("a", "jpg")),
        ("a.jpg.webp", ("a", "webp")),
        ("a.php", ("a.php", "")),
        ("a", ("a", "")),
        ("a.jpg:large", ("a.jpg:large", "")),
        (".jpg", ("", "jpg")),
        ("", ("", "")),
    ],
)
def test_extensions_are_taken_off(name: str, parts: tuple[str, str]) -> None:
    assert split_extensions(name) == parts


def test_the_file_name_is_the_last_segment_decoded() -> None:
    assert file_name("https://h.example/a/b%20c.jpg?x=/d.png#e/f.gif") == "b c.jpg"


@pytest.mark.parametrize("mime", ["image/jpeg", "IMAGE/JPG", "image/pjpeg; charset=binary", " image/jpeg "])
def test_every_spelling_of_jpeg_is_jpeg(mime: str) -> None:
    assert format_of_mime(mime) == "jpeg"

"""What addresses of image CDNs ask for, and which of them are one picture."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.dialects import SHAPES, address
from mediamirror.dialects import FORMS, MAX_URL, Form, read
from mediamirror.markup.extract import extract_document


@pytest.mark.parametrize("shape", SHAPES)
def test_the_width_that_an_address_asks_for_is_read(shape: str) -> None:
    asked = read(address(shape, 480)).asked
    assert asked is not None
    assert asked.width == 480


@pytest.mark.parametrize("shape", SHAPES)
def test_all_sizes_of_one_picture_have_one_stem(shape: str) -> None:
    assert read(address(shape, 480)).stem == read(address(shape, 960)).stem


@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_of_one_picture_is_one_set(shape: str) -> None:
    text = "".join(f"{address(shape, width)}\n" for width in (320, 640, 1280))
    found = extract_document(text.encode(), as_="urls", document="list.txt")
    assert [len(image_set.candidates) for image_set in found.sets] == [3]


@pytest.mark.parametrize(
    ("address", "asks"),
    [
        ("https://x.test/p-2400x1600.png?w=200&dpr=2", (400, None, None)),
        ("https://x.test/p.png?w=300&zoom=2", (600, None, None)),
        ("https://x.test/c_fill,w_200,h_100,dpr_1.5/p.png", (300, 150, None)),
        ("https://x.test/p.jpg?tr=w-64%2Cf-webp", (64, None, "webp")),
        ("https://x.test/p.jpg?imgeng=w_64%2Ff_webp%2Fm_cropbox", (64, None, "webp")),
        ("https://x.test/fit-in/64x0/filters:format(webp)/p.jpg", (64, None, "webp")),
        ("https://x.test/a6f8/-/format/auto/p.jpg", (None, None, "auto")),
        ("https://x.test/f_auto/p.jpg", (None, None, "auto")),
        ("https://x.test/p.jpg?fm=avif", (None, None, "avif")),
        ("https://x.test/media_1ab.jpg?width=750&format=webply", (750, None, "webp")),
        ("https://x.test/c_limit,w_320/dpr_2.0/f_auto/v1/p", (640, None, "auto")),
        ("https://x.test/insecure/w:320/dpr:2/plain/p.jpg", (640, None, None)),
        ("https://x.test/tr:w-300:h-200/p.jpg", (300, 200, None)),
        ("https://x.test/unsafe/0x320/p.jpg", (None, 320, None)),
        ("https://x.test/fit-in/x320/p.jpg", (None, 320, None)),
        ("https://x.test/480px/p.jpg", (480, None, None)),
        ("https://x.test/tr:rt-90:w-300/p.jpg", (300, None, None)),
        (
            "https://x.test/width=640/https://y.test/c_scale,w_300/https://z.test/rs:fit:200/plain/https://w.test/p.jpg",
            (640, None, None),
        ),
        ("https://x.test/https://y.test/rs:fit:200/plain/p.jpg", (200, None, None)),
        ("https://x.test/" + "".join(f"c_scale,w_{300 + n}/" for n in range(100)) + "p.jpg", (399, None, None)),
    ],
)
def test_density_height_and_format_are_read(address: str, asks: tuple[int | None, int | None, str | None]) -> None:
    asked = read(address).asked
    assert asked is not None
    assert (asked.width, asked.height, asked.format) == asks


@pytest.mark.parametrize(
    "address",
    [
        "https://x.test/p-300x200.jpg",
        "https://x.test/p-480w.jpg",
        "https://x.test/2024/11/p.jpg",
        "https://x.test/p.jpg?v=3",
        "https://x.test/p.jpg?size=big",
        "https://x.test/p.jpg?w=wide",
        "https://x.test/p.jpg?q=80",
        "https://w320.x.test/p.jpg",
        "https://x.test/resize/p.jpg",
        "https://x.test/thumbor/p.jpg",
        "https://x.test/w_undefined,h_43/p.jpg?w=",
        "https://x.test/p.jpg#w=300",
        "https://x.test/news,w/p.jpg",
        "https://x.test/h-2024/p.jpg",
        "https://x.test/w-12/p.jpg",
        "https://x.test/w2024/p.jpg",
        "https://x.test/s-1/p.jpg",
        "https://x.test/thumbs/2024/p.jpg",
        "https://x.test/thumb/12/p.jpg",
        "https://x.test/r/2024/p.jpg",
        "https://x.test/p.jpg?s=1234",
        "https://x.test/p.jpg?size=2",
        "https://x.test/p.jpg?w=1",
        "https://x.test/p.jpg?thumb=640",
        "https://x.test/p.jpg?q=w-320",
        "https://x.test/p.jpg?fn=boat-w-640.jpg",
        "https://x.test/c_crop,w_0.5,h_1.0/p.jpg",
        "https://x.test/l_logo,w_80/p.jpg",
        "https://x.test/styles/crop_2019/public/p.jpg",
        "https://x.test/w_2023/p.jpg",
        "https://x.test/r/345/p.jpg",
        "https://x.test/p.jpg?size=12345",
        "https://x.test/c_crop,w_2000/h_300/p.jpg",
        "https://x.test/id/10/7/15",
        "https://x.test/p.jpg?twic=v1/cover=16:9",
        "https://x.test/a,max-2024/p.jpg",
        "https://x.test/p.jpg?s=0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "https://w_300,h_200.test/p.jpg",
        "https://tr:w-300@x.test/p.jpg",
        "https://x.test/fit-in/p.jpg",
        "https://x.test/width/height/p.jpg",
        "https://x.test/cdn-cgi/image/p.jpg",
        "https://x.test/tr:none/p.jpg",
        "https://x.test/max-muster/min-2/p.jpg",
        "https://x.test/auto/123/456/p.jpg",
        "https://x.test/max-headroom,crop=1/p.jpg",
        "https://x.test/%zz%2/%%%/p%.jpg?w=%3&url=%E0%A4%A&h=%u0041",
    ],
)
def test_words_that_are_no_dialect_ask_for_no_width(address: str) -> None:
    asked = read(address).asked
    assert asked is None or asked.width is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.test/map.png?zoom=12", "https://x.test/map.png?zoom=13"),
        ("https://x.test/p.jpg?size=1", "https://x.test/p.jpg?size=2"),
        ("https://x.test/thumb/12/p.jpg", "https://x.test/thumb/13/p.jpg"),
        ("https://x.test/w12/p.jpg", "https://x.test/w13/p.jpg"),
        ("https://x.test/thumb/a/P.tif/page1-320px-P.tif.jpg", "https://x.test/thumb/a/P.tif/page2-320px-P.tif.jpg"),
        ("https://x.test/c_crop,x_1,w_90/p.jpg", "https://x.test/c_crop,x_2,w_90/p.jpg"),
        (f"https://x.test/image?s={'a' * 32}&w=300", f"https://x.test/image?s={'b' * 32}&w=300"),
        (f"https://x.test/p.jpg?hash={'a' * 32}", f"https://x.test/p.jpg?hash={'b' * 32}"),
        (f"https://x.test/{'a' * 27}=/p.jpg", f"https://x.test/{'b' * 27}=/p.jpg"),
        (f"https://x.test/{'a' * 43}/p.jpg", f"https://x.test/{'b' * 43}/p.jpg"),
    ],
)
def test_strangers_stay_apart(one: str, other: str) -> None:
    assert read(one).stem != read(other).stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("portrait.max-600x600.jpg", "portrait.width-400.jpg"),
        ("boat.jpg.320x0_q85_crop.jpg", "boat.jpg.640x427_q85_crop-smart.jpg"),
        ("boat_hu0a1b2c3d4e5f6071_12_320x0_resize_q75_box.jpg", "boat_hu0a1b2c3d4e5f6071_12_640x0_resize_q75_box.jpg"),
        ("boat-320x213-crop-1-q80.jpg", "boat-640x427-crop-1-q80.jpg"),
        ("boat.320x0.jpg", "boat.0x640.jpg"),
        ("boat-300x200-scaled.jpg", "boat.jpg"),
    ],
)
def test_a_file_made_in_another_size_is_of_the_same_picture(one: str, other: str) -> None:
    assert read(f"https://x.test/{one}").stem == read(f"https://x.test/{other}").stem


@pytest.mark.parametrize("name", ["Boat.jpg", "auto-mobile.png", "html", "1"])
def test_a_name_that_holds_the_word_for_a_format_asks_for_none(name: str) -> None:
    assert read(f"https://x.test/thumb.php?f={name}").asked is None


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_example_of_each_row_is_read_by_it(form: Form) -> None:
    where = "" if form.example.startswith("https:") else "https://x.test"
    _, _, path = form.example.removeprefix("https://").partition("/")
    assert any(hint in form.example for hint in form.hint.split(" "))
    assert form.host in form.example
    assert re.search(form.pattern, f"/{path}", re.IGNORECASE) is not None
    assert read(f"{where}{form.example}").stem != f"{where}{form.example}"


@pytest.mark.parametrize("form", [form for form in FORMS if form.signs], ids=lambda form: form.name)
def test_a_size_in_a_name_begins_with_a_sign(form: Form) -> None:
    """Only there is a name searched for one."""
    assert set(form.signs) <= set("-_.@")
    assert re.search(f"[{form.signs}](?:{form.pattern})", form.example, re.IGNORECASE) is not None


@given(st.text(max_size=300))
def test_any_address_is_read_or_left_alone(address: str) -> None:
    reading = read(address)
    assert reading.asked is None or reading.asked.sized or reading.asked.format
    assert len(reading.stem) <= max(len(address) * 3, MAX_URL)


def test_an_address_within_addresses_is_followed_a_few_times_and_no_more() -> None:
    url = "/p.jpg"
    for _ in range(40):
        url = f"/_next/image?url={url.replace('%', '%25').replace('/', '%2F').replace('&', '%26').replace('?', '%3F')}&w=64"
        if len(url) > MAX_URL:
            break
    asked = read(f"https://x.test{url[:MAX_URL]}").asked
    assert asked is None or asked.width == 64


def test_a_name_loses_a_few_sizes_and_no_more() -> None:
    sizes = "-300x200"
    assert read(f"https://x.test/p{sizes * 100}.jpg").stem == f"https://x.test/p{sizes * 97}.jpg"


def test_an_address_over_the_limit_asks_for_nothing() -> None:
    url = "https://x.test/p.jpg?w=300&x=" + "a" * MAX_URL
    assert (read(url).asked, read(url).stem) == (None, url)

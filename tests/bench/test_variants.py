"""The benchmark's files: sound images of the right width and size, no two alike."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bench.measure import Cost
from bench.mirror import srcset_lines, summarise
from bench.variants import COUNT, SIZES, names, padded
from fixtures.images import make_image


@pytest.fixture(scope="module")
def image() -> bytes:
    return make_image(480, 270, "webp", seed=7)


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def test_padding_changes_the_bytes_and_not_the_pixels(image: bytes) -> None:
    one, two = (padded(image, 480, 270, 60_000, seed=seed) for seed in (1, 2))
    assert one != two
    assert pixels(one) == pixels(two) == pixels(image)


def test_a_padded_file_has_the_size_asked_for_and_says_so_in_its_header(image: bytes) -> None:
    data = padded(image, 480, 270, 60_000, seed=1)
    assert len(data) == int.from_bytes(data[4:8], "little") + 8
    assert abs(len(data) - 60_000) <= 1


def test_an_image_larger_than_asked_for_is_never_cut(image: bytes) -> None:
    assert pixels(padded(image, 480, 270, 100, seed=1)) == pixels(image)


def test_the_files_are_2000_and_67_kb_on_average() -> None:
    assert (len(set(names())), COUNT, sum(SIZES.values()) // len(SIZES)) == (2000, 2000, 67_000)


def test_ten_copies_name_20000_different_urls() -> None:
    words = " ".join(srcset_lines("http://127.0.0.1:1", 10)).split()
    assert len({word for word in words if word.startswith("http://")}) == 20_000


def test_the_ratio_is_above_one_when_ours_is_faster() -> None:
    rounds = [{"mediamirror": Cost(2.0, 1.0, 2**20), "rclone": Cost(theirs, 1.0, 2**20)} for theirs in (3.0, 4.0, 5.0)]
    summary = summarise(rounds)
    assert (summary["ratio_of_medians"], summary["paired_ratios"]) == (2.0, [1.5, 2.0, 2.5])

"""MM312 on pictures enlarged with every usual filter, beside honest ones: none of those may be accused."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fixtures.enlarged import Pair, pairs, subjects
from mediamirror.imaging.similarity import look_at
from mediamirror.lint.upscaling import gains_nothing, has_more, is_regained
from mediamirror.model import ImageFacts

HONEST = ("sharp", "blurred by 0.7", "blurred by 1.0", "blurred by 2.0", "smooth", "graphic")


def accused(pair: Pair) -> bool:
    with Image.open(io.BytesIO(pair.data)) as image:
        image.load()
        look = look_at(image, ImageFacts(pair.format, *image.size), widths=(pair.narrow,))
    ratio = pair.narrow / pair.width
    measured = look.regained[0] if look.regained else None
    by_width = measured is not None and is_regained(measured, ratio)
    return by_width or (not has_more(measured) and gains_nothing(look.detail, ratio))


@pytest.fixture(scope="module")
def made() -> list[Pair]:
    chosen = {name: picture for name, picture in subjects().items() if name in HONEST}
    honest = [p for p in pairs(chosen) if p.filter == "honest" and p.format != "webp"]
    return honest + [p for p in pairs({"sharp": subjects()["sharp"]}) if p.filter != "honest" and p.format == "png"]


def test_no_honest_picture_is_accused_however_soft(made: list[Pair]) -> None:
    assert [(p.name, p.factor, p.format) for p in made if p.filter == "honest" and accused(p)] == []


def test_every_filter_and_factor_is_found_in_a_sharp_picture(made: list[Pair]) -> None:
    missed = [(p.filter, p.factor) for p in made if p.filter != "honest" and not accused(p)]
    assert missed == []

"""MM312 on pictures enlarged with every usual filter, beside honest ones: none of those may be accused."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fixtures.enlarged import FILTERS, Pair, pairs, subjects
from mediamirror.imaging.similarity import Raster, look_at
from mediamirror.lint.upscaling import gains_nothing, is_regained
from mediamirror.model import ImageFacts

HONEST = ("sharp", "blurred by 0.7", "blurred by 1.0", "blurred by 2.0", "smooth", "graphic")


def accused(pair: Pair) -> bool:
    with Image.open(io.BytesIO(pair.data)) as image:
        image.load()
        look = look_at(Raster(image), ImageFacts(pair.format, *image.size), widths=(pair.narrow,))
    ratio = pair.narrow / pair.width
    measured = look.regained[0] if look.regained else None
    by_width = measured is not None and is_regained(measured, ratio)
    return by_width or (not (measured and measured.has_more) and gains_nothing(look.detail, ratio))


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_picture_is_accused_however_soft(name: str) -> None:
    made = pairs(name, subjects()[name](), kinds=("honest",), formats=("jpeg", "png"))
    assert [(p.factor, p.format) for p in made if accused(p)] == []


@pytest.mark.parametrize("kind", FILTERS)
def test_every_filter_and_factor_is_found_in_a_sharp_picture(kind: str) -> None:
    made = pairs("sharp", subjects()["sharp"](), kinds=(kind,), formats=("png",))
    assert [p.factor for p in made if not accused(p)] == []

"""A picture that is reduced band by band comes out as if it had been reduced at once."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures.images import photo
from mediamirror.imaging import similarity
from mediamirror.imaging.similarity import Raster, decoder_bytes, forget_decoder

MODES = ("L", "RGB", "RGBA", "P", "LA", "1", "CMYK")


def at_once(image: Image.Image, factor: int) -> Image.Image:
    return Raster(image).crop((0, 0, *image.size)).reduce(factor)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    factor=st.integers(1, 9),
    mode=st.sampled_from(MODES),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_bands_make_no_difference(width: int, height: int, factor: int, mode: str, data: st.DataObject) -> None:
    image = photo(width, height).convert(mode)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_BAND", data.draw(st.integers(1, 2000)))
        assert Raster(image).reduced(factor).tobytes() == at_once(image, factor).tobytes()


@pytest.mark.parametrize("kind", ["webp", "avif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_bytes_of_a_decoder_are_the_picture_that_pillow_makes_of_them(kind: str, mode: str) -> None:
    out = io.BytesIO()
    picture = photo(101, 67).convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel("R"))
    picture.save(out, kind)
    with Image.open(io.BytesIO(out.getvalue())) as image, Image.open(io.BytesIO(out.getvalue())) as usual:
        usual.load()
        pixels = decoder_bytes(image, 0)
        assert pixels is not None
        forget_decoder(image)
        for box in ((0, 0, 101, 67), (10, 20, 60, 67), (100, 66, 101, 67)):
            assert Raster(image, pixels).crop(box).tobytes() == usual.crop(box).tobytes()
            assert Raster(image, pixels).grey(box).tobytes() == usual.crop(box).convert("L").tobytes()
        assert Raster(image, pixels).reduced(3).tobytes() == usual.reduce(3).tobytes()


def test_a_format_that_pillow_decodes_into_an_image_gives_no_bytes() -> None:
    out = io.BytesIO()
    photo(8, 8).save(out, "png")
    with Image.open(io.BytesIO(out.getvalue())) as image:
        assert decoder_bytes(image, 0) is None

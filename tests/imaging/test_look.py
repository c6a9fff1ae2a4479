"""Measurements that come with a decode, from real decoder processes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageFilter

from fixtures.defects.base import picture
from fixtures.images import RECIPES, encode, make_image, photo, turned_jpeg
from mediamirror.errors import ImageError, NotAnImage
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.decoder.protocol import Wish, facts_of, look_head, look_of, wish_of
from mediamirror.model import LOOK_SIDE, Body, ImageFacts, Look
from mediamirror.settings import CheckOptions

COLOURS = bytes(3 * LOOK_SIDE * LOOK_SIDE)


def body(data: bytes) -> Body:
    return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:65536])


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        yield pool


async def look(pool: DecoderPool, data: bytes, *, estimate: bool = False) -> Look:
    _, found = await pool.look(body(data), estimate=estimate)
    assert found is not None
    return found


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def levels(look: Look) -> list[int]:
    return list(look.colours)


async def test_every_sound_recipe_can_be_looked_at_and_has_the_same_facts_as_without() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        for recipe in (r for r in RECIPES.values() if r.verdict == "sound"):
            facts, found = await pool.look(body(recipe.data))
            assert found is not None, recipe.name
            assert len(found.colours) == len(COLOURS)
            assert facts == await pool.decode(body(recipe.data))


async def test_every_broken_recipe_fails_as_it_does_without_a_look() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        for recipe in (r for r in RECIPES.values() if r.verdict != "sound"):
            with pytest.raises(ImageError) as failure:
                await pool.look(body(recipe.data))
            assert failure.value.code == recipe.verdict, recipe.name


async def test_an_image_is_decoded_once_for_facts_and_look() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        await pool.look(body(make_image(96, 64, "webp")))
        (child,) = pool._idle
        assert child.jobs == 1


@pytest.mark.parametrize(
    ("width", "height", "thumbnail"), [(960, 640, (320, 213)), (200, 600, (107, 320)), (9, 5, (9, 5))]
)
async def test_the_thumbnail_fits_320_pixels_and_is_never_enlarged(
    width: int, height: int, thumbnail: tuple[int, int]
) -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        found = await look(pool, encode(photo(width, height), "png"))
    assert opened(found.thumbnail).size == thumbnail


async def test_a_look_without_a_thumbnail_says_all_else_that_one_with_it_says() -> None:
    image = body(encode(picture(640), "webp"))
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        _, whole = await pool.look(image, widths=(320,))
        _, bare = await pool.look(image, widths=(320,), thumbnail=False)
    assert whole is not None
    assert bare == replace(whole, thumbnail=b"")


async def test_a_soft_picture_is_not_measured_for_having_been_enlarged() -> None:
    soft = body(encode(picture(960).filter(ImageFilter.GaussianBlur(8)), "png"))
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        _, found = await pool.look(soft, widths=(320, 480))
    assert found is not None
    assert (found.regained, found.detail) == ((), ())


async def test_a_turned_picture_is_looked_at_upright() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        turned = await look(pool, turned_jpeg(480, 320))
        stored = await look(pool, encode(photo(320, 480), "jpeg"))
    assert opened(turned.thumbnail).size == (320, 213)
    assert turned.colours != stored.colours


async def test_transparency_is_kept_in_the_thumbnail_and_white_in_the_comparison() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        found = await look(pool, encode(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "png"))
    assert set(levels(found)) == {255}
    assert opened(found.thumbnail).mode == "RGBA"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_every_mode_of_png_can_be_looked_at(mode: str) -> None:
    image = Image.new("I;16", (64, 64), 32768) if mode == "I;16" else photo(64, 64).convert(mode)
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        found = await look(pool, encode(image, "png"))
    assert found.thumbnail
    if mode == "I;16":
        assert set(levels(found)) <= {127, 128, 129}


async def test_an_animation_is_looked_at_by_its_first_frame() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("black", "white")]
    moving = encode(frames[0], "png", save_all=True, append_images=frames[1:], duration=100)
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        assert set(levels(await look(pool, moving))) == {0}


async def test_estimates_come_on_request_and_are_near_the_real_sizes() -> None:
    data = encode(picture(640), "png")
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        assert (await look(pool, data)).estimates == ()
        estimates = dict((await look(pool, data, estimate=True)).estimates)
    real = len(encode(picture(640), "webp", quality=80, method=4))
    assert set(estimates) == {"webp", "avif"}
    assert abs(estimates["webp"] - real) < real / 10


async def test_a_large_picture_is_estimated_by_its_middle() -> None:
    large = picture(1600).resize((2400, 1599))
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        estimates = dict((await look(pool, encode(large, "jpeg"), estimate=True)).estimates)
    real = len(encode(large, "webp", quality=80, method=4))
    assert abs(estimates["webp"] - real) < real / 3


async def test_a_broken_colour_profile_costs_nothing_but_itself() -> None:
    data = encode(photo(96, 64), "jpeg", icc_profile=b"\0" * 200)
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        found = await look(pool, data)
    assert (found.profile, found.wide) == (None, None)
    assert found.thumbnail


LOOK = Look(COLOURS, ((0.9, 1.0),), b"thumb", ("OwnerName",), "Display P3", "used", (("webp", 5),))
FACTS = ImageFacts("webp", 1, 1)


def test_a_look_survives_the_pipe() -> None:
    head, raw = look_head(LOOK)
    assert look_of({"look": head}, raw) == LOOK


def test_a_wish_is_what_the_head_says_and_nothing_else() -> None:
    assert wish_of({"look": True}) == Wish(look=True)
    assert wish_of({"look": 1, "estimate": "yes", "path": "/x"}) == Wish()


@pytest.mark.parametrize(
    "changed",
    [{"detail": None}, {"detail": [[1]]}, {"detail": [["a", "b"]]}, {"personal": 3}, {"estimates": [["webp", None]]}],
)
def test_a_look_that_makes_no_sense_is_refused(changed: dict[str, Any]) -> None:
    head, raw = look_head(LOOK)
    with pytest.raises((ValueError, TypeError, KeyError)):
        look_of({"look": {**head, **changed}}, raw)


@pytest.mark.parametrize("told", [[], "x", 1, {}])
def test_a_look_of_another_shape_is_refused(told: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        look_of({"look": told}, COLOURS if told == {} else b"")


def test_what_is_no_image_is_named_across_the_pipe() -> None:
    with pytest.raises(NotAnImage) as failure:
        facts_of({"error": "not-an-image", "message": "This is an HTML page.", "kind": "html"})
    assert failure.value.kind == "html"


async def test_the_curve_of_detail_is_left_out_where_the_narrower_widths_have_answered() -> None:
    sharp, enlarged = picture(960), picture(400).resize((960, 640), Image.Resampling.BICUBIC)
    seen = {}
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        for name, image, widths in (
            ("sharp", sharp, (480, 640, 960)),
            ("enlarged", enlarged, (400, 480, 960)),
            ("alone", sharp, ()),
            ("alone and enlarged", enlarged, ()),
        ):
            _, found = await pool.look(body(encode(image, "png")), widths=widths)
            assert found is not None
            seen[name] = bool(found.detail)
    assert seen == {"sharp": False, "enlarged": True, "alone": False, "alone and enlarged": True}

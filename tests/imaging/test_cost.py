"""What decoding takes is told from the header, and holds: nothing is decoded that takes more than is allowed."""

from __future__ import annotations

import asyncio
import io
import resource
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fixtures.hostile.overriding import avif_overriding
from fixtures.hostile.pictures import PICTURES, blank_webp, jpeg_claiming, true_jpeg, true_png
from fixtures.images import encode, make_image, photo
from mediamirror.errors import ImageOverBudget, ImageUndecodable
from mediamirror.imaging.decoder import pixels
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.decoder.protocol import Limits, Wish
from mediamirror.imaging.header import Cost, cost, read_header, read_whole
from mediamirror.model import Body
from mediamirror.settings import CheckOptions

SIDE = 64
AREA = SIDE * SIDE


def made(kind: str, mode: str = "RGB", **options: object) -> bytes:
    return encode(photo(SIDE, SIDE).convert(mode), kind, **options)


def body(data: bytes) -> Body:
    return Body(len(data), "", data=data, prefix=data)


def granted(pid: int) -> int:
    """Bytes of address space that a process may still take."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return resource.prlimit(pid, resource.RLIMIT_AS)[0] - pages * resource.getpagesize()


def per_scan() -> bytes:
    """A baseline JPEG whose first scan names one of its three components, and each of the others has a scan of its own."""
    data = bytearray(made("jpeg"))
    data[data.index(b"\xff\xda") + 4] = 1
    others = b"".join(b"\xff\xda\0\x08\1%c\x11\0\x3f\0" % component for component in (2, 3))
    return bytes(data[:-2] + others + data[-2:])


@pytest.mark.parametrize(
    ("data", "bytes_a_pixel"),
    [
        (made("jpeg"), 4),
        (made("jpeg", "L"), 1),
        (made("jpeg", progressive=True, subsampling=0), 4 + 2 * 3),
        (made("jpeg", progressive=True, subsampling=2), 4 + 2 * 1.5),
        (made("jpeg", "CMYK", progressive=True), 4 + 2 * 4),
        (made("jpeg", "L", progressive=True), 1 + 2),
        (per_scan(), 4 + 2 * 1.5),
        (true_png(SIDE), 4),
        (true_png(SIDE, depth=16, colour=4), 4),
        (true_png(SIDE, colour=3), 1),
        (true_png(SIDE, colour=0), 1),
        (true_png(SIDE, depth=16, colour=0), 2),
        (made("gif", "P"), 1),
    ],
)
def test_what_decoding_needs_is_told_from_the_header(data: bytes, bytes_a_pixel: float) -> None:
    assert cost(data, read_whole(data), 10**9) == Cost(round(AREA * bytes_a_pixel))


@pytest.mark.parametrize(("kind", "least"), [("webp", 12), ("avif", 12)])
def test_a_decoder_that_copies_the_file_is_charged_for_it(kind: str, least: int) -> None:
    data = made(kind)
    assert cost(data, read_whole(data), 10**9) == Cost(least * AREA + 2 * len(data))


def test_what_the_first_bytes_dont_tell_is_taken_for_the_worst() -> None:
    data = made("jpeg")
    facts = read_header(data)
    assert cost(data[:20], facts, 10**9) == Cost(AREA * (4 + 2 * 4))
    still = read_whole(made("gif", "P"))
    assert cost(b"", replace(still, frames=None), 10**9) == Cost(AREA * 9)


def test_a_jpeg_that_is_too_large_for_the_memory_is_decoded_smaller() -> None:
    whole = true_jpeg(1000)
    assert cost(whole, read_whole(whole), 300_000).shrink == 4
    seen = pixels.decode(whole, CheckOptions(max_decode_memory=300_000), Wish(look=True))
    assert (seen.facts.width, seen.facts.height, seen.facts.decoded) == (1000, 1000, True)
    assert seen.look is not None
    full = pixels.decode(whole, CheckOptions(), Wish(look=True))
    assert full.look is not None
    assert seen.look.colours == full.look.colours


def test_a_jpeg_that_is_decoded_smaller_tells_nothing_of_its_detail() -> None:
    whole = encode(photo(1000, 1000), "jpeg")
    details = []
    for most in (CheckOptions().max_decode_memory, 300_000):
        look = pixels.decode(whole, CheckOptions(max_decode_memory=most), Wish(look=True)).look
        assert look is not None
        details.append(len(look.detail))
    assert details == [9, 0]


@pytest.mark.parametrize("name", [name for name in PICTURES if name.endswith(("-full", "-full-moving", "-full-rgba"))])
async def test_a_small_file_that_takes_much_memory_is_over_budget_before_it_is_decoded(name: str) -> None:
    data = PICTURES[name][0]()
    async with DecoderPool(CheckOptions(workers=1, max_total_pixels=10**9)) as pool:
        with pytest.raises(ImageOverBudget, match=r"takes \d+ MiB of memory; the limit is 160 MiB"):
            await pool.decode(body(data))


async def test_with_a_higher_limit_it_is_decoded() -> None:
    data = blank_webp(4_000)
    with pytest.raises(ImageOverBudget, match="--max-decode-memory"):
        async with DecoderPool(CheckOptions(workers=1)) as pool:
            await pool.decode(body(data))
    async with DecoderPool(CheckOptions(workers=1, max_decode_memory=300 * 1024**2)) as pool:
        assert (await pool.decode(body(data))).mode == "RGBA"


async def test_before_an_image_that_takes_all_the_room_the_idle_workers_end() -> None:
    ordinary, large = make_image(1200, 800, "png"), blank_webp(3_400)
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        await asyncio.gather(*(pool.decode(body(ordinary)) for _ in range(2)))
        assert len(pool.pids) == 2
        await pool.decode(body(large))
        assert len(pool.pids) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a single image is set by prlimit")
async def test_an_image_whose_frames_are_larger_than_all_its_headers_say_gets_no_memory_for_them() -> None:
    # Large enough that its memory goes back to the system when it is freed: the worker keeps smaller pieces for its next job.
    data = avif_overriding(3_600)
    assert (read_whole(data).width, cost(data, read_whole(data), 10**9).bytes < 100_000) == (48, True)
    async with DecoderPool(CheckOptions(workers=1), limits=Limits(slack=4 * 1024**2)) as pool:
        with pytest.raises(ImageUndecodable, match="Decoding of color planes failed"):
            await pool.decode(body(data))
        worker = pool.pids
        # What its header announces may be taken, by the very same process, and then again no more than that.
        assert (await pool.decode(body(encode(photo(3_600, 3_600), "avif", speed=10)))).decoded
        with pytest.raises(ImageUndecodable):
            await pool.decode(body(data))
        assert pool.pids == worker


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a single image is set by prlimit")
async def test_what_an_image_may_take_is_its_estimate_its_file_and_a_little(tmp_path: Path) -> None:
    data, large = make_image(96, 64, "webp"), blank_webp(3_000)
    (tmp_path / "a.part").write_bytes(data)
    spooled = Body(len(data), "", path=tmp_path / "a.part", prefix=data)
    allowed = {}
    async with DecoderPool(CheckOptions(workers=1), limits=Limits(slack=20_000_000)) as pool:
        for name, each in (("small", body(data)), ("large", body(large)), ("spooled", spooled)):
            await pool.decode(each)
            allowed[name] = granted(pool.pids[0])
    assert allowed["small"] == pytest.approx(20_000_000, abs=8_000_000)
    assert allowed["large"] == pytest.approx(20_000_000 + 14 * 3_000**2, abs=8_000_000)
    # The whole of a spooled file is not known before it is read.
    assert allowed["spooled"] == pytest.approx(20_000_000 + 160 * 1024**2, abs=8_000_000)


def test_the_claim_of_a_jpeg_costs_nothing_by_itself() -> None:
    data = jpeg_claiming(7_000)
    assert cost(data, read_header(data), 160 * 1024**2).shrink == 2
    assert Image.open(io.BytesIO(data)).size == (7_000, 7_000)

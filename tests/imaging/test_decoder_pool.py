"""The pool of decoder processes, with real processes throughout."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from PIL import Image

from fixtures.images import RECIPES, encode, huge_canvas_webp, make_animation, make_image
from fixtures.patience import PATIENCE
from mediamirror.errors import ImageError, ImageOverBudget, ImageUndecodable, NotAnImage, UsageError
from mediamirror.imaging.decoder.pool import Child, DecoderPool
from mediamirror.imaging.decoder.protocol import Limits, facts_of
from mediamirror.model import Body, ImageFacts
from mediamirror.settings import CheckOptions

SMALL = make_image(96, 64, "webp")


def body(data: bytes, path: Path | None = None) -> Body:
    if path is None:
        return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:65536])
    path.write_bytes(data)
    return Body(len(data), hashlib.sha256(data).hexdigest(), path=path, prefix=data[:65536])


@pytest.fixture
async def pool() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        yield pool


async def verdict(pool: DecoderPool, image: Body) -> str:
    try:
        await pool.decode(image)
    except ImageError as error:
        return error.code
    return "sound"


async def test_every_recipe_gets_its_verdict_from_memory_and_from_a_file(tmp_path: Path) -> None:
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        in_memory = [verdict(pool, body(recipe.data)) for recipe in RECIPES.values()]
        in_files = [verdict(pool, body(recipe.data, tmp_path / name)) for name, recipe in RECIPES.items()]
        found = await asyncio.gather(*in_memory, *in_files)
    expected = [(name, recipe.verdict) for name, recipe in RECIPES.items()]
    assert list(zip([*RECIPES, *RECIPES], found, strict=True)) == expected * 2


async def test_sound_recipes_have_their_size(pool: DecoderPool) -> None:
    sound = [recipe for recipe in RECIPES.values() if recipe.verdict == "sound"]
    facts = [await pool.decode(body(recipe.data)) for recipe in sound]
    assert [(f.width, f.height, f.decoded) for f in facts] == [(r.width, r.height, True) for r in sound]


async def test_all_facts_of_an_animation_are_told(pool: DecoderPool) -> None:
    facts = await pool.decode(body(RECIPES["webp-moving"].data))
    assert facts == ImageFacts("webp", 96, 64, True, 3, "RGB", False, False, 1, False)


async def test_an_animation_cut_after_its_first_frame_is_no_sound_image(pool: DecoderPool) -> None:
    for name in ("webp-moving", "gif-moving", "png-moving"):
        data = RECIPES[name].data
        assert await verdict(pool, body(data[: len(data) * 3 // 4])) == "truncated"


async def test_damage_in_a_later_frame_is_found(pool: DecoderPool) -> None:
    data = bytearray(RECIPES["png-moving"].data)
    at = data.rindex(b"fdAT") + 20
    data[at : at + 30] = bytes(30)
    assert await verdict(pool, body(bytes(data))) == "undecodable"


async def test_a_hanging_worker_is_replaced() -> None:
    async with DecoderPool(CheckOptions(workers=1), limits=Limits(wall_seconds=PATIENCE)) as pool:
        await pool.decode(body(SMALL))
        (hung,) = pool.pids
        os.kill(hung, signal.SIGSTOP)
        pool._limits = Limits(wall_seconds=0.5)
        with pytest.raises(ImageOverBudget, match=r"longer than 0\.5 s"):
            await pool.decode(body(SMALL))
        pool._limits = Limits(wall_seconds=PATIENCE)
        assert (await pool.decode(body(SMALL))).width == 96
        assert hung not in pool.pids


DEATHS = [
    (signal.SIGSEGV, ImageUndecodable, "crashed the decoder .SIGSEGV."),
    (signal.SIGXCPU, ImageOverBudget, "10 s of CPU"),
    (signal.SIGKILL, ImageOverBudget, "killed while it had this image"),
]


@pytest.mark.parametrize(("death", "error", "words"), DEATHS)
async def test_a_worker_that_dies_costs_one_image(
    pool: DecoderPool, death: signal.Signals, error: type[ImageError], words: str
) -> None:
    await pool.decode(body(SMALL))
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)
    doomed = asyncio.create_task(pool.decode(body(SMALL)))
    waiting = asyncio.create_task(pool.decode(body(make_image(120, 80, "webp"))))
    await asyncio.sleep(0.1)
    os.kill(pid, death)
    with contextlib.suppress(ProcessLookupError):  # SIGKILL doesn't wait for it to go on
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(error, match=words):
        await doomed
    assert (await waiting).width == 120


async def test_a_worker_killed_while_idle_costs_nothing(pool: DecoderPool) -> None:
    await pool.decode(body(SMALL))
    (worker,) = pool._idle
    os.kill(worker.pid, signal.SIGKILL)
    await until_gone(worker.pid)
    while worker.alive:  # noqa: ASYNC110 - the kernel knows of it a moment before the event loop does
        await asyncio.sleep(0.01)
    assert (await pool.decode(body(SMALL))).width == 96


async def test_a_cancelled_job_ends_its_worker_and_the_pool_goes_on(pool: DecoderPool) -> None:
    await pool.decode(body(SMALL))
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)
    task = asyncio.create_task(pool.decode(body(SMALL)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await pool.decode(body(make_image(120, 80, "webp")))).width == 120
    await until_gone(pid)


async def test_cancelling_during_the_start_leaves_no_process() -> None:
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        for pause in (0.0, 0.01, 0.05, 0.1):
            tasks = [asyncio.create_task(pool.decode(body(SMALL))) for _ in range(3)]
            await asyncio.sleep(pause)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert (await pool.decode(body(SMALL))).width == 96
    assert children() == []


async def test_leaving_the_pool_ends_idle_and_working_processes() -> None:
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        await asyncio.gather(pool.decode(body(SMALL)), pool.decode(body(SMALL)))
        stopped, _ = pool.pids
        os.kill(stopped, signal.SIGSTOP)
        task = asyncio.gather(*(pool.decode(body(SMALL)) for _ in range(2)), return_exceptions=True)
        await asyncio.sleep(0.1)
    assert children() == []
    assert pool.pids == ()
    task.cancel()


async def test_leaving_the_pool_ends_a_process_that_was_just_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    spawn, started, made = Child.spawn, asyncio.Event(), list[Child]()

    async def late(*given: Any) -> Child:
        started.set()
        await asyncio.sleep(0.05)
        made.append(await spawn(*given))
        return made[-1]

    monkeypatch.setattr(Child, "spawn", late)
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        tasks = [asyncio.ensure_future(pool.decode(body(SMALL))) for _ in range(2)]
        await started.wait()
    assert len(made) == 1  # else it is still to come, and nobody waits for its end
    assert (pool.pids, children()) == ((), [])
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} == {ImageUndecodable}


async def test_leaving_the_pool_does_not_wait_for_a_worker_that_will_not_end() -> None:
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        await pool.decode(body(SMALL))
        os.kill(pool.pids[0], signal.SIGSTOP)
    assert children() == []


async def test_processes_start_when_needed_and_no_more_than_allowed() -> None:
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        assert pool.pids == ()
        await pool.decode(body(SMALL))
        assert len(pool.pids) == 1
        await asyncio.gather(*(pool.decode(body(SMALL)) for _ in range(12)))
        assert len(pool.pids) == 2


async def test_what_the_header_gives_away_starts_no_process(pool: DecoderPool) -> None:
    for name in ("webp-huge-canvas", "page", "empty", "png-pixel-flood"):
        with pytest.raises((NotAnImage, ImageOverBudget)):
            await pool.decode(body(RECIPES[name].data))
    assert pool.pids == ()


async def test_images_that_need_all_the_room_are_decoded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediamirror.imaging.decoder.pool.ROOM_A_WORKER", 512)
    async with DecoderPool(CheckOptions(workers=2)) as pool:
        await asyncio.gather(*(pool.decode(body(SMALL)) for _ in range(4)))
        assert len(pool.pids) == 1


async def test_an_image_the_decoder_makes_nothing_of_is_told_without_the_address_of_a_buffer(pool: DecoderPool) -> None:
    moving = make_animation(96, 64, "avif", frames=6)
    with pytest.raises(ImageUndecodable, match="its data makes no sense"):
        await pool.decode(body(moving[: len(moving) * 3 // 4]))


async def test_an_image_that_needs_too_much_memory_is_over_budget_and_the_next_is_fine() -> None:
    large = encode(Image.new("RGB", (6000, 6000)), "png", compress_level=1)
    async with DecoderPool(CheckOptions(workers=1), limits=Limits(memory=128 * 1024**2)) as pool:
        await pool.decode(body(SMALL))
        with pytest.raises(ImageOverBudget, match="more than 128 MiB of memory"):
            await pool.decode(body(large))
        assert (await pool.decode(body(SMALL))).width == 96


async def test_the_largest_canvas_allowed_fits_into_the_memory_allowed() -> None:
    roomy = CheckOptions(workers=1, max_decode_memory=1024**3)
    async with DecoderPool(roomy, limits=Limits(wall_seconds=60)) as pool:
        facts = await pool.decode(body(huge_canvas_webp(10_000, 5_000)))
    assert (facts.width, facts.height, facts.decoded) == (10_000, 5_000, True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_worker_is_limited_and_knows_no_secret(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    await pool.decode(body(SMALL))
    home = Path("/proc") / str(pool.pids[0])
    limits = {line[:25].strip(): line[25:].split() for line in (home / "limits").read_text().splitlines()}
    told = {name: limits[name][1] for name in ("Max address space", "Max file size", "Max core file size")}
    assert told == {"Max address space": str(1024**3), "Max file size": "0", "Max core file size": "0"}
    assert int(limits["Max address space"][0]) < 512 * 1024**2, "a small image is granted little"
    assert int(limits["Max cpu time"][0]) in range(10, 14)
    assert b"do-not-tell" not in (home / "environ").read_bytes()


async def test_a_folder_named_pil_where_the_user_stands_is_not_imported(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "PIL").mkdir()
    (tmp_path / "PIL" / "__init__.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert (await pool.decode(body(SMALL))).width == 96


async def test_a_process_that_cannot_start_is_no_fault_of_the_image(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named PIL >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(UsageError, match="No module named PIL"):
        await pool.decode(body(SMALL))


PARENT = """
import asyncio, os, sys
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.model import Body
from mediamirror.settings import CheckOptions
assert not any(name.split(".")[0] == "PIL" for name in sys.modules)
data = sys.stdin.buffer.read()
async def main():
    pool = DecoderPool(CheckOptions(workers=1))
    await pool.decode(Body(len(data), "", data=data, prefix=data))
    print(pool.pids[0], flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_workers_end_when_the_program_is_killed_and_pillow_never_gets_into_it() -> None:
    command = [sys.executable, "-c", PARENT]
    done = await asyncio.to_thread(
        subprocess.run, command, input=SMALL, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    await until_gone(int(done.stdout))


async def test_a_spooled_file_that_is_gone_is_told_and_costs_no_worker(pool: DecoderPool, tmp_path: Path) -> None:
    await pool.decode(body(SMALL))
    before, gone = pool.pids, body(SMALL, tmp_path / "spooled")
    (tmp_path / "spooled").unlink()
    with pytest.raises(ImageUndecodable, match=r"can't be read back .No such file"):
        await pool.decode(gone)
    assert pool.pids == before


def test_the_pool_works_on_uvloop_as_on_asyncio() -> None:
    async def live_through_it_all() -> list[str]:
        async with DecoderPool(CheckOptions(workers=2), limits=Limits(wall_seconds=PATIENCE)) as pool:
            await pool.decode(body(SMALL))
            os.kill(pool.pids[0], signal.SIGSTOP)
            pool._limits = Limits(wall_seconds=0.5)
            hung = [await verdict(pool, body(SMALL))]
            pool._limits = Limits(wall_seconds=PATIENCE)
            hung.append(await verdict(pool, body(SMALL)))
            os.kill(pool.pids[0], signal.SIGKILL)
            await until_gone(pool.pids[0])
            cancelled = asyncio.create_task(pool.decode(body(SMALL)))
            await asyncio.sleep(0.05)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            return [
                *hung,
                *await asyncio.gather(*(verdict(pool, body(make_image(480, 320, "jpeg"))) for _ in range(20))),
            ]

    assert uvloop.run(live_through_it_all()) == ["over-budget", *["sound"] * 21]
    assert children() == []


def test_a_reply_that_is_no_reply_is_refused() -> None:
    for head in ({}, {"facts": []}, {"facts": {"format": "webp"}}, {"error": 3}, {"error": "no-such-code"}):
        with pytest.raises(ValueError, match="neither"):
            facts_of(head)


def children() -> list[int]:
    """Decoder processes whose parent is this one, and zombies."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    # Servers that other tests keep running are children of this process too.
    ours = [line for line in found.stdout.splitlines() if "decoder.worker" in line or "defunct" in line]
    return [int(line.split()[0]) for line in ours]


async def until_gone(pid: int) -> None:
    """Wait until a process has ended and is no zombie of ours."""

    def there(probe: Callable[[int, int], None] = os.kill) -> bool:
        try:
            probe(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):  # it may go between the two looks
            return False
        # Where nobody reaps orphans, a zombie is as gone as it gets.
        return state != "Z" or pid in children()

    give_up = time.monotonic() + PATIENCE
    while there():
        assert time.monotonic() < give_up, "the process is still there"
        await asyncio.sleep(0.02)

"""What a decoder process can't do any more, tried from inside one, and what its filter says on each machine."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from fixtures.images import RECIPES, huge_canvas_webp, make_image
from fixtures.patience import PATIENCE
from mediamirror.errors import ImageError, ImageOverBudget, UsageError
from mediamirror.imaging.decoder.pool import Child, DecoderPool
from mediamirror.imaging.decoder.protocol import Limits
from mediamirror.imaging.decoder.sandbox import AARCH64, ALLOW, KILL, REFUSE, X86_64, Architecture, program
from mediamirror.model import Body, ImageFacts, Look
from mediamirror.settings import CheckOptions

on_linux = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64"), reason="the filter is Linux's"
)

PROBE = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from mediamirror.imaging.decoder import sandbox
from mediamirror.imaging.decoder.protocol import Limits
target, level, wanted = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
libc = ctypes.CDLL(None, use_errno=True)
reading = open("/dev/null", "rb")
ours, theirs = socket.socketpair()

def raw(*args):
    if libc.syscall(*args) < 0:
        raise OSError(ctypes.get_errno(), "")

def in_a_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

numbers = {"x86_64": (272, 425, 279, 310, 4), "aarch64": (97, 425, 239, 270, 261)}[os.uname().machine]
tries = {
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "connect": lambda: ours.connect("/tmp/x"),
    "bind": lambda: ours.bind("\\0x"),
    "send over a socket": lambda: ours.sendmsg([b"x"]),
    "open for writing": lambda: os.open(target, os.O_WRONLY | os.O_CREAT),
    "open for reading": lambda: os.open(sys.executable, os.O_RDONLY),
    "memory file": lambda: os.memfd_create("x"),
    "mkdir": lambda: os.mkdir(target),
    "unlink": lambda: os.unlink(sys.executable + "-no"),
    "rename": lambda: os.rename(target, target + "2"),
    "chmod": lambda: os.chmod("/dev/null", 0o666),
    "fork": lambda: os.fork() or os._exit(0),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "kill another": lambda: os.kill(os.getppid(), 0),
    "limit another": lambda: __import__("resource").prlimit(os.getppid(), 0),
    "raise memory": lambda: raw(302 if os.uname().machine == "x86_64" else 261, 0, 9, None, None),
    "ptrace": lambda: libc.ptrace(0, 0, 0, 0) and raw(-1),
    "unshare": lambda: raw(numbers[0], 0x10000000),
    "io_uring": lambda: raw(numbers[1], 1, None),
    "read another's memory": lambda: raw(numbers[3], os.getppid(), None, 0, None, 0, 0),
    "executable memory": lambda: __import__("mmap").mmap(-1, 4096, prot=5),
    "ioctl": lambda: __import__("fcntl").ioctl(reading, 0x5401),
    "stat a path": lambda: os.stat("/etc/passwd"),
    "a thread": in_a_thread,
    "time": lambda: __import__("time").sleep(0.001),
    "memory": lambda: bytearray(50_000_000),
    "read what is open": lambda: reading.read(),
    "map what is open": lambda: os.fstat(reading.fileno()),
    "write to a pipe": lambda: os.write(1, b""),
}
import fcntl, mmap, resource
entered = sandbox.enter(Limits(), files=theirs.fileno(), syscalls=level == "syscalls")
told = {"level": entered.level}
for name in wanted:
    try:
        tries[name]()
        told[name] = "done"
    except OSError as error:
        told[name] = error.errno
    except RuntimeError as error:
        told[name] = str(error)
print(json.dumps(told), flush=True)
os._exit(0)
"""

REFUSED = (
    *("socket", "unix socket", "connect", "bind", "send over a socket"),
    *("open for writing", "open for reading", "memory file", "mkdir", "unlink", "rename", "chmod", "stat a path"),
    *("fork", "exec", "spawn", "kill another", "limit another", "raise memory", "ptrace"),
    *("unshare", "io_uring", "read another's memory", "executable memory", "ioctl"),
)
STILL_DONE = ("a thread", "time", "memory", "read what is open", "map what is open", "write to a pipe")


def probe(tmp_path: Path, level: str, wanted: Iterable[str]) -> dict[str, object]:
    command = [sys.executable, "-c", PROBE, str(tmp_path / "new"), level, ",".join(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@on_linux
def test_network_files_and_processes_are_refused_with_eperm_inside_the_sandbox(tmp_path: Path) -> None:
    told = probe(tmp_path, "syscalls", (*REFUSED, *STILL_DONE))
    assert told == {
        "level": "syscalls",
        **dict.fromkeys(REFUSED, errno.EPERM),
        **dict.fromkeys(STILL_DONE, "done"),
    }
    assert list(tmp_path.iterdir()) == []


@on_linux
def test_what_is_refused_inside_is_possible_without_the_filter(tmp_path: Path) -> None:
    """Or else the test above would show nothing."""
    possible = ("socket", "unix socket", "open for reading", "stat a path", "fork", "spawn", "open for writing")
    told = probe(tmp_path, "limits", possible)
    assert told == {"level": "limits", **dict.fromkeys(possible, "done")}


@on_linux
def test_the_real_worker_is_filtered_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def decode(options: CheckOptions) -> str:
        async with DecoderPool(options) as pool:
            await pool.decode(body(make_image(96, 64, "webp")))
            return of_process(pool.pids[0], "status")

    caplog.set_level(logging.INFO, "mediamirror")
    filtered = asyncio.run(decode(CheckOptions(workers=1)))
    open_ = asyncio.run(decode(CheckOptions(workers=1, sandbox=False)))
    assert "Seccomp:\t2\n" in filtered
    assert "NoNewPrivs:\t1\n" in filtered
    assert "Seccomp:\t0\n" in open_
    first, second = (record.getMessage() for record in caplog.records)
    assert first.endswith("no file opened, no network, no new process (seccomp)")
    assert second.endswith("network and processes are NOT filtered: it was asked for with --no-sandbox")


@on_linux
async def test_a_worker_holds_no_file_of_ours_but_its_pipes_and_its_socket(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        async with DecoderPool(CheckOptions(workers=1)) as pool:
            await pool.decode(body(make_image(96, 64, "webp"), tmp_path / "spooled"))
            folder = f"/proc/{pool.pids[0]}/fd"
            held = [os.readlink(f"{folder}/{name}").partition(":")[0] for name in os.listdir(folder)]
    finally:
        os.close(lock)
    assert sorted(held) == ["/dev/null"] * 3 + ["pipe"] * 2 + ["socket"]


async def test_the_sandbox_changes_no_fact_and_no_look(tmp_path: Path) -> None:
    async def look(pool: DecoderPool, data: bytes, path: Path) -> list[tuple[ImageFacts, Look | None] | str]:
        found: list[tuple[ImageFacts, Look | None] | str] = []
        for image in (body(data), body(data, path)):
            try:
                found.append(await pool.look(image))
            except ImageError as error:
                found.append(error.message)
        return found

    async with (
        DecoderPool(CheckOptions(workers=1)) as inside,
        DecoderPool(CheckOptions(workers=1, sandbox=False)) as outside,
    ):
        for name, recipe in RECIPES.items():
            path = tmp_path / name
            assert await look(inside, recipe.data, path) == await look(outside, recipe.data, path), name


async def test_a_hundred_spooled_files_and_failures_leave_no_file_open(tmp_path: Path) -> None:
    sound, broken = RECIPES["webp-moving"].data, RECIPES["png-bad-pixels"].data
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        for _ in range(50):
            assert (await pool.decode(body(sound, tmp_path / "sound"))).frames == 3
            with pytest.raises(ImageError):
                await pool.decode(body(broken, tmp_path / "broken"))
        (pid,) = pool.pids
        assert sys.platform != "linux" or len(os.listdir(f"/proc/{pid}/fd")) == 6


@on_linux
async def test_a_worker_killed_while_it_decodes_costs_that_image_and_the_run_goes_on() -> None:
    slow = RECIPES["webp-moving"].data
    async with DecoderPool(CheckOptions(workers=1)) as pool:
        await pool.decode(body(slow))
        (pid,) = pool.pids
        doomed = asyncio.create_task(pool.look(body(make_image(3000, 2000, "webp")), estimate=True))
        await busy(pid)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ImageOverBudget, match="was killed while it had this image"):
            await doomed
        assert (await pool.decode(body(slow))).frames == 3
        assert pool.pids != (pid,)


async def test_an_image_that_takes_too_much_cpu_is_over_budget_and_the_next_is_fine() -> None:
    still = huge_canvas_webp(5000, 5000)
    frame = still[still.index(b"ANMF") :]
    moving = still[:4] + struct.pack("<I", len(still) - 8 + 400 * len(frame)) + still[8:] + 400 * frame
    options = CheckOptions(workers=1, max_total_pixels=10**11, max_decode_memory=10**9)
    async with DecoderPool(options, limits=Limits(cpu_seconds=0)) as pool:
        with pytest.raises(ImageOverBudget, match="more than 0 s of CPU time"):
            await pool.decode(body(moving))
        assert (await pool.decode(body(make_image(96, 64, "webp")))).width == 96


@on_linux
async def test_a_worker_in_the_middle_of_an_image_ends_with_the_program_that_started_it() -> None:
    code = (
        "import asyncio, os, sys\n"
        "from mediamirror.imaging.decoder.pool import DecoderPool\n"
        "from mediamirror.model import Body\n"
        "from mediamirror.settings import CheckOptions\n"
        "data = sys.stdin.buffer.read()\n"
        "async def main():\n"
        "    pool = DecoderPool(CheckOptions(workers=1))\n"
        "    await pool.decode(Body(len(data), '', data=data, prefix=data))\n"
        "    os.kill(pool.pids[0], 19)\n"  # it stops, so it can't see the end of its stdin
        "    print(pool.pids[0], flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code],
        input=make_image(96, 64, "webp"),
        capture_output=True,
        timeout=PATIENCE,
    )
    pid = int(done.stdout)
    for _ in range(500):
        try:
            state = of_process(pid, "stat").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("a stopped worker outlived its program")


async def test_a_decoder_that_does_not_work_inside_is_said_before_the_first_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filter of a system that we have not seen could refuse what decoding needs there."""
    from mediamirror.imaging.decoder import pool

    broken = tmp_path / "worker.py"
    broken.write_text(
        "from mediamirror.imaging.decoder import pixels, worker\n"
        "pixels.differing = lambda samples, options: ['avif']\n"
        "worker.main()\n"
    )
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{broken}" "$4" "$5"\n')
    launcher.chmod(0o755)
    monkeypatch.setattr(pool.sys, "executable", str(launcher))
    started = await Child.spawn(CheckOptions(), Limits())
    with pytest.raises(UsageError, match=r"can't decode avif\); try --no-sandbox"):
        await started.ready(60)
    started.kill()
    await started.wait()


def run(instructions: list[tuple[int, int, int, int]], data: bytes) -> int:
    """Classic BPF, as far as the filter uses it."""
    at = accumulator = 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        else:
            assert code == 0x06
            return operand


def judged(machine: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    data = struct.pack("<IIQ6Q", number, audit or machine.audit, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    return run([tuple(one) for one in program(machine, pid=4321, files=7)], data)


NO = REFUSE | errno.EPERM
CALLS = [
    ("read", (), ALLOW),
    ("exit_group", (), ALLOW),
    ("mmap", (0, 4096, 3), ALLOW),
    ("mmap", (0, 4096, 7), NO),
    ("mprotect", (0, 4096, 1), ALLOW),
    ("mprotect", (0, 4096, 5), NO),
    ("clone", (0x003D0F00,), ALLOW),  # pthread_create
    ("clone", (0x00004111,), NO),  # vfork
    ("clone", (0x00000011,), NO),  # fork
    ("clone3", (), REFUSE | errno.ENOSYS),
    ("fcntl", (3, 1), ALLOW),
    ("fcntl", (3, 3), ALLOW),
    ("fcntl", (3, 1030), ALLOW),
    ("fcntl", (3, 8), NO),  # F_SETOWN
    ("newfstatat", (3, 0, 0, 0x1000), ALLOW),
    ("newfstatat", (3, 0, 0, 0x100), NO),
    ("prlimit64", (0, 0), ALLOW),
    ("prlimit64", (0, 9), NO),
    ("prlimit64", (77, 0), NO),
    ("tgkill", (4321, 4321, 6), ALLOW),
    ("tgkill", (1, 1, 9), NO),
    ("recvmsg", (7,), ALLOW),
    ("recvmsg", (8,), NO),
]


@pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
@pytest.mark.parametrize(("name", "arguments", "expected"), CALLS)
def test_the_filter_judges_each_call(
    machine: Architecture, name: str, arguments: tuple[int, ...], expected: int
) -> None:
    assert judged(machine, machine.calls[name], *arguments) == expected


@pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
def test_the_filter_refuses_every_number_that_it_does_not_name_and_kills_another_architecture(
    machine: Architecture,
) -> None:
    unnamed = [number for number in range(600) if number not in machine.calls.values()]
    assert {judged(machine, number) for number in unnamed} == {NO}
    x32 = 0x40000000
    assert {judged(machine, x32 | number) for number in range(600)} == {NO}
    assert judged(machine, machine.calls["read"], audit=0x40000003) == KILL
    assert max(one.if_true for one in program(machine, pid=1, files=3)) < 256


def body(data: bytes, path: Path | None = None) -> Body:
    if path is None:
        return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:65536])
    path.write_bytes(data)
    return Body(len(data), hashlib.sha256(data).hexdigest(), path=path, prefix=data[:65536])


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def busy(pid: int) -> None:
    """Wait until a process uses the CPU: it has its image."""

    def used() -> int:
        return sum(map(int, of_process(pid, "stat").rpartition(")")[2].split()[11:13]))

    before = used()
    for _ in range(1000):
        if used() > before + 2:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the worker never began")

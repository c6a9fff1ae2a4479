"""One decoder process, seen from the program that started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from mediamirror.errors import ImageUndecodable, UsageError
from mediamirror.first_use import dataclass
from mediamirror.imaging.decoder.protocol import MAX_BODY, MAX_HEAD, PREFIX, Limits, Wish, frame, settings
from mediamirror.model import Body
from mediamirror.processes import ended, start
from mediamirror.settings import CheckOptions

# glibc gives large blocks back to the kernel at once and asks for them again for the next image: keeping some of them saves the
# page faults, about a seventh of the CPU time of decoding. Other C libraries ignore these.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(16 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(32 * 1024**2)}


class ChildDied(Exception):
    """The process ended, or spoke nonsense, while a reply was awaited. ``returncode`` is negative for a signal."""

    def __init__(self, returncode: int, why: str = "") -> None:
        super().__init__(why or f"exit status {returncode}")
        self.returncode = returncode


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame from a process, as it came: nothing of it is checked but its sizes."""

    head: dict[str, Any]
    body: bytes = b""


class Child:
    """A decoder process: one job at a time. After any exception from `ask` it has to be killed: a reply may be under way."""

    def __init__(self, process: asyncio.subprocess.Process, files: socket.socket) -> None:
        self._process = process
        self._files = files
        self.jobs = 0
        """Jobs that it has answered."""
        self.sandbox: dict[str, Any] = {}
        """What it says of its sandbox, once it is ready: ``level`` and ``why``."""

    @classmethod
    async def spawn(cls, options: CheckOptions, limits: Limits) -> Child:
        """Start a process; `ready` is due next. Raises `UsageError` when the system refuses."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return cls(await _spawn(options, limits, theirs), ours)
            except BaseException:
                ours.close()
                raise

    async def ready(self, seconds: float) -> None:
        """Wait until it can take jobs. Raises `UsageError`, with the process's own words, when it ends instead."""
        try:
            async with asyncio.timeout(seconds):
                head = (await self._receive()).head
        except (ChildDied, TimeoutError) as error:
            self.kill()
            raise UsageError(await _why_not(self._process)) from error
        if head.get("ready") is not True:
            raise UsageError(
                f"The decoder does not work on this system ({head.get('message', 'it is not ready')}); try --no-sandbox, "
                "or --check header to go without decoding."
            )
        told = head.get("sandbox")
        self.sandbox = told if isinstance(told, dict) else {}

    @property
    def alive(self) -> bool:
        """Whether it can take a job, as far as is known."""
        return self._process.returncode is None and not _stream(self._process.stdout).at_eof()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def allow(self, size: int) -> None:
        """Let the next job take so many bytes more, whatever its image turns out to be: RLIMIT_AS, set from outside.

        Elsewhere than on Linux the limit that the process began with is all there is.
        """
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError, ValueError):  # it has just ended, or /proc is not there
            pages = int(Path(f"/proc/{self.pid}/statm").read_bytes().split(maxsplit=1)[0])
            hard = resource.prlimit(self.pid, resource.RLIMIT_AS)[1]
            soft = pages * resource.getpagesize() + size
            if hard != resource.RLIM_INFINITY:
                resource.prlimit(self.pid, resource.RLIMIT_AS, (min(soft, hard), hard))

    async def ask(self, image: bytes | BinaryIO, wish: Wish) -> Reply:
        """Send one image, as bytes or as an open file, and return the reply. Raises `ChildDied`."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - we asked for the pipe
        try:
            if isinstance(image, bytes):
                stdin.writelines((frame(asdict(wish), len(image)), image))
            else:
                # Never blocks: the socket is empty when a job begins.
                socket.send_fds(self._files, [b"\0"], [image.fileno()])
                stdin.write(frame({**asdict(wish), "file": True}))
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ChildDied(await self.wait()) from None
        reply = await self._receive()
        self.jobs += 1
        return reply

    async def _receive(self) -> Reply:
        stdout = _stream(self._process.stdout)
        try:
            head_size, body_size = PREFIX.unpack(await stdout.readexactly(PREFIX.size))
            if head_size > MAX_HEAD or body_size > MAX_BODY:
                raise ChildDied(0, "a reply of the wrong size")
            head = json.loads(await stdout.readexactly(head_size))
            body = await stdout.readexactly(body_size)
        except asyncio.IncompleteReadError:
            raise ChildDied(await self.wait()) from None
        except ValueError as error:
            raise ChildDied(0, "a reply that is not JSON") from error
        if not isinstance(head, dict):
            raise ChildDied(0, "a reply of the wrong shape")
        return Reply(head, body)

    def kill(self) -> None:
        """End it at once; `wait` is still due."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def finish(self) -> None:
        """Let it end by itself, by closing its stdin."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> int:
        """Wait for its end and return its exit status, negative for a signal."""
        status = await ended(self._process)
        self._files.close()
        return status


@contextmanager
def opened(body: Body) -> Iterator[bytes | BinaryIO]:
    """The bytes of a body, or its spooled file, open. Raises `ImageUndecodable` when that can't be opened any more."""
    if body.data is not None:
        yield body.data
        return
    try:
        file = open(body.path or "", "rb")  # noqa: PTH123, SIM115 - a body without bytes has a path
    except OSError as error:
        raise ImageUndecodable(f"The spooled file can't be read back ({error.strerror}).") from error
    with file:
        yield file


def _stream(stream: asyncio.StreamReader | None) -> asyncio.StreamReader:
    assert stream is not None  # noqa: S101 - we asked for the pipe
    return stream


async def _spawn(options: CheckOptions, limits: Limits, files: socket.socket) -> asyncio.subprocess.Process:
    words = (settings(options, limits), str(files.fileno()))
    try:
        return await start(
            "mediamirror.imaging.decoder.worker", *words, files=(files.fileno(),), environment=_KEEP_MEMORY
        )
    except OSError as error:
        raise UsageError(
            f"No decoder process can be started ({error.strerror}); try --workers 1 or --check header."
        ) from error


async def _why_not(process: asyncio.subprocess.Process) -> str:
    words = (await _stream(process.stderr).read()).decode("utf-8", "replace").strip().splitlines()
    await ended(process)
    reason = words[-1] if words else "it said nothing"
    return (
        f"A decoder process did not start ({reason}); reinstall Pillow, or use --check header to go without decoding."
    )

"""A pool of decoder processes: bodies in, facts out, and no image can take the program down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Self

from mediamirror.errors import ImageError, ImageOverBudget, ImageUndecodable, UsageError
from mediamirror.first_use import dataclass
from mediamirror.imaging.decoder.protocol import (
    MAX_BODY,
    MAX_HEAD,
    OUT_OF_MEMORY,
    PREFIX,
    Limits,
    Wish,
    facts_of,
    frame,
    look_of,
    settings,
)
from mediamirror.imaging.header import Cost, check_budget, cost, read_body
from mediamirror.model import Body, ImageFacts, Look
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


ROOM_A_WORKER = 56 * 1024**2
"""Bytes of pixels for each worker: an ordinary picture never waits."""


class Room:
    """Bytes to be shared out. Who asks first is served first; who needs more than all there is gets all of it, alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Bytes in all."""
        self._free = size
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes inside of the block; waits until they are free."""
        size = min(size, self.size)
        await self._take(size)
        try:
            yield
        finally:
            self._free += size
            self._serve()

    async def _take(self, size: int) -> None:
        if not self._queue and size <= self._free:
            self._free -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._free += size  # it had been served in the very moment
            elif (size, turn) in self._queue:  # else it was passed over: others were cancelled in the same moment
                self._queue.remove((size, turn))
            self._serve()
            raise

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            size, turn = self._queue.popleft()
            if not turn.done():
                self._free -= size
                turn.set_result(None)


log = logging.getLogger("mediamirror")

_FINISH_SECONDS = 2.0


class DecoderPool:
    """Decodes images in worker processes, one per core unless ``options.workers`` says otherwise, started when needed.

    `decode` may be called by any number of tasks at once; those beyond the workers wait their turn. Cancelling one ends the
    process that worked for it and no other. Use as an async context manager: on leaving, all processes have ended.
    """

    def __init__(self, options: CheckOptions, *, limits: Limits | None = None) -> None:
        self._options = options
        self._limits = limits or Limits()
        self._workers = options.workers or os.cpu_count() or 1
        self._turns = asyncio.Semaphore(self._workers)
        self._room = Room(self._workers * ROOM_A_WORKER)
        self._idle: list[Child] = []
        self._ended: set[asyncio.Task[int]] = set()
        self._busy: set[Child] = set()
        self._told = False
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that stand ready or work."""
        return tuple(child.pid for child in (*self._idle, *self._busy))

    async def decode(self, body: Body) -> ImageFacts:
        """Decode every pixel of every frame.

        Raises `NotAnImage`, `ImageTruncated`, `ImageUndecodable` (the decoder refuses the data or dies of it),
        `ImageOverBudget` (canvas, frames, memory, CPU or time). `UsageError` means that no decoder process can be started
        at all, whatever the image.
        """
        return _facts(await self._reply(body, Wish()))[0]

    async def look(
        self, body: Body, *, estimate: bool = False, widths: tuple[int, ...] = (), thumbnail: bool = True
    ) -> tuple[ImageFacts, Look | None]:
        """Like `decode`, and measure the pixels while they are there; None where that could not be done.

        ``widths`` are those of its siblings in pixels: whether it was enlarged from a narrower one is measured too.
        ``estimate`` also encodes the picture in modern formats, which takes many times longer. Without ``thumbnail`` the look has
        none. Raises what `decode` raises.
        """
        wish = Wish(look=True, estimate=estimate, widths=widths[:64], thumbnail=thumbnail)
        return _facts(await self._reply(body, wish))

    async def _reply(self, body: Body, wish: Wish) -> Reply:
        # What the header gives away costs no process its time.
        facts = read_body(body)
        check_budget(facts, self._options)
        about = cost(body.data if body.data is not None else body.prefix, facts, self._options.max_decode_memory)
        # Room first: who waits for it keeps no worker from images that fit.
        async with self._room.taken(about.bytes), self._turns:
            if about.bytes > self._room.size:
                self._end_idle()  # what they keep is wanted too
            room = self._limits.memory if wish.estimate else self._allowed(body, about)
            with opened(body) as image:
                reply, tired = await self._ask(image, wish, room)
                if reply.head.get("error") == OUT_OF_MEMORY and tired:
                    # Perhaps the memory went to the jobs before: a fresh process gives the answer that counts.
                    reply, _ = await self._ask(image, wish, room)
        if reply.head.get("error") == OUT_OF_MEMORY:
            most = min(room, self._limits.memory)
            raise ImageOverBudget(
                f"Decoding needs more than {most // 1024**2:,} MiB of memory, the limit by its header."
            )
        return reply

    def _allowed(self, body: Body, about: Cost) -> int:
        """Bytes that a worker may take for an image. What the whole of a spooled file tells is not known here."""
        pixels = about.bytes if body.data is not None else max(about.bytes, self._options.max_decode_memory)
        return pixels + body.size + self._limits.slack

    async def _ask(self, image: bytes | BinaryIO, wish: Wish, room: int) -> tuple[Reply, bool]:
        """The reply of a worker that may take ``room`` bytes for it, and whether that worker had answered others before."""
        child = await self._take()
        try:
            child.allow(room)
            async with asyncio.timeout(self._limits.wall_seconds):
                reply = await child.ask(image, wish)
        except TimeoutError:
            self._drop(child)
            raise ImageOverBudget(f"Decoding took longer than {self._limits.wall_seconds:g} s, the limit.") from None
        except ChildDied as death:
            self._drop(child)
            raise _explain(death, self._limits) from death
        except BaseException:
            self._drop(child)
            raise
        if reply.head.get("error") == OUT_OF_MEMORY:
            self._drop(child)
        else:
            self._busy.discard(child)
            self._idle.append(child)
        return reply, child.jobs > 1

    async def _take(self) -> Child:
        """An idle worker, or a new one. One that died while idle is no image's fault and is only replaced."""
        self._require_open()
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                self._busy.add(child)
                return child
            self._drop(child)
        child = await Child.spawn(self._options, self._limits)
        self._busy.add(child)
        try:
            self._require_open()
            await child.ready(self._limits.start_seconds)
        except BaseException:
            self._drop(child)
            raise
        self._tell(child.sandbox)
        return child

    def _require_open(self) -> None:
        if self._closed:
            raise ImageUndecodable("The decoder processes were ended before this image had its turn.")

    def _tell(self, sandbox: dict[str, object]) -> None:
        """Say once what the decoder processes are held to, and what this platform does not give."""
        if self._told:
            return
        self._told = True
        held = (
            f"memory {self._limits.memory // 1024**2:,} MiB, CPU {self._limits.cpu_seconds} s an image, no file written"
        )
        match sandbox.get("level"):
            case "syscalls":
                log.info("decoder sandbox: %s; no file opened, no network, no new process (seccomp)", held)
            case "limits":
                log.info("decoder sandbox: %s; network and processes are NOT filtered: %s", held, sandbox.get("why"))
            case _:
                log.info("decoder sandbox: a process of its own, without any limit: %s", sandbox.get("why"))

    def _drop(self, child: Child) -> None:
        child.kill()
        self._busy.discard(child)
        task = asyncio.ensure_future(child.wait())
        self._ended.add(task)
        task.add_done_callback(self._ended.discard)

    def _end_idle(self) -> None:
        """End the workers that stand ready, but for one."""
        while len(self._idle) > 1:
            self._drop(self._idle.pop())

    async def aclose(self) -> None:
        """End all processes and wait for their end; jobs under way are cut off. Safe to call twice."""
        self._closed = True
        for child in list(self._busy):
            self._drop(child)
        # A job that was just starting a process, or had just been answered, leaves one behind: wait until none has a turn.
        for _ in range(self._workers):
            await self._turns.acquire()
            for child in list(self._busy):
                self._drop(child)
        for _ in range(self._workers):
            self._turns.release()
        idle, self._idle = self._idle, []
        try:
            for child in idle:
                child.finish()
            async with asyncio.timeout(_FINISH_SECONDS):
                await asyncio.gather(*(child.wait() for child in idle))
        except TimeoutError:
            pass
        finally:
            for child in idle:
                self._drop(child)
            await asyncio.gather(*self._ended)

    async def __aenter__(self) -> Self:
        """Enter; no process is started yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()


def _facts(reply: Reply) -> tuple[ImageFacts, Look | None]:
    """What a worker found. Raises the `ImageError` that it tells, or `ImageUndecodable` when it makes no sense."""
    try:
        return facts_of(reply.head), look_of(reply.head, reply.body)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ImageUndecodable("The decoder gave no sensible answer for this image.") from error


def _explain(death: ChildDied, limits: Limits) -> ImageError:
    """What the end of a worker says about the image that it had."""
    if death.returncode == -getattr(signal, "SIGXCPU", 0) and death.returncode:
        return ImageOverBudget(f"Decoding took more than {limits.cpu_seconds} s of CPU time, the limit.")
    if death.returncode == -getattr(signal, "SIGKILL", 0) and death.returncode:
        return ImageOverBudget("The decoder process was killed while it had this image, perhaps for lack of memory.")
    if death.returncode < 0:
        return ImageUndecodable(f"This image crashed the decoder ({signal.Signals(-death.returncode).name}).")
    return ImageUndecodable(f"The decoder process ended over this image ({death}).")

"""Our side of a process that reads a document for us: frames to and from it, its end, and what its end says."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import signal
from typing import Any

from mediamirror.model import Problem
from mediamirror.processes import ended

_MiB = 1024 * 1024


async def write(process: asyncio.subprocess.Process, data: bytes, *, framed: bool = True) -> None:
    """Write a frame, or bytes as they are. Raises `ConnectionError` when the process has gone."""
    from mediamirror.documents.reader_process import PREFIX  # noqa: PLC0415 -- start-up time

    assert process.stdin is not None  # noqa: S101 - we asked for the pipe
    if framed:
        process.stdin.write(PREFIX.pack(len(data)))
    process.stdin.write(data)
    await process.stdin.drain()


async def read(process: asyncio.subprocess.Process) -> Any:
    """Read what is in one frame. Raises `asyncio.IncompleteReadError` when the process has gone."""
    from mediamirror.documents.reader_process import PREFIX  # noqa: PLC0415 -- start-up time

    (size,) = PREFIX.unpack(await _out(process).readexactly(PREFIX.size))
    return pickle.loads(await _out(process).readexactly(size))  # noqa: S301 -- from our own program


def has_gone(process: asyncio.subprocess.Process) -> bool:
    """Whether a process has ended, or is about to."""
    return process.returncode is not None or _out(process).at_eof()


async def end(process: asyncio.subprocess.Process) -> int:
    """End a process that may have ended already; its exit status, negative for a signal."""
    if not has_gone(process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return await ended(process)


def explained(status: int, name: str, most: int, *, told: bool) -> Problem:
    """What the end of its process says about a document. ``told``: some of what is in it had come by then. ``most`` in bytes."""
    from mediamirror.documents.reader_process import CPU_SECONDS, OVER_MEMORY  # noqa: PLC0415 -- start-up time

    left_out = "the rest of it is left out" if told else "it is left out"
    if status == OVER_MEMORY:
        code, why = "document-over-memory", f"takes more than {most // _MiB:,} MiB of memory to read"
        left_out += "; split it, or raise --max-document-memory"
    elif status == -signal.SIGXCPU:
        code, why = "document-over-time", f"takes more than {CPU_SECONDS // 60} minutes of computing to read"
        left_out += "; split it"
    elif status == -signal.SIGKILL:
        code, why = "document-unread", "was being read when the system killed its reader, perhaps for lack of memory"
    else:
        code, why = "document-unread", f"ended its reader (exit status {status}; please report it)"
    return Problem(code, f"{name} {why}: {left_out}.", document=name)


def _out(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 - we asked for the pipe
    return process.stdout

"""Processes of our own that run a module of this package: for what may crash, hang, or take more memory than it should."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mediamirror.settings import inherited_environment

_PIECE = 64 * 1024
_PACKAGE_HOME = str(Path(__file__).resolve().parents[1])
# They need nothing of our environment but what an interpreter needs to start; so no key or token gets there.
_INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "PYTHONHOME")


async def start(
    module: str, *words: str, files: tuple[int, ...] = (), environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Run ``python -m module``, its three streams being pipes; ``files`` stay open in it. Raises `OSError`."""
    # -P and our own path: a folder named PIL where the user happens to stand must never be imported.
    path = os.pathsep.join(dict.fromkeys([_PACKAGE_HOME, *(entry for entry in sys.path if entry)]))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        *words,
        pass_fds=files,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **inherited_environment(_INHERITED),
            **(environment or {}),
            "PYTHONPATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


async def ended(process: asyncio.subprocess.Process) -> int:
    """Wait for the end of a process that was killed or ends by itself; its exit status, negative for a signal.

    What it has written to its output is read off: asyncio tells of an end when the pipes have ended too, and of a pipe from which
    nobody reads any more it never hears that.
    """
    with contextlib.suppress(RuntimeError):  # somebody else is reading it to its end
        while process.stdout is not None and await process.stdout.read(_PIECE):
            pass
    return await process.wait()

"""What a decoder process takes from itself before it sees the first byte of an image.

| what                                                  | by                                      | where                         |
|-------------------------------------------------------|-----------------------------------------|-------------------------------|
| no more memory than agreed, no core dump, no file     | RLIMIT_AS, _CORE, _FSIZE, _NOFILE       | POSIX                         |
| written, few files open                               |                                         |                               |
| ends when the program that started it does            | PR_SET_PDEATHSIG                        | Linux (elsewhere: its stdin)  |
| no file opened, no network, no new process or program | seccomp, see `imaging.seccomp`          | Linux on x86_64 and aarch64   |
"""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
from typing import Literal

from mediamirror.first_use import dataclass
from mediamirror.imaging.decoder import seccomp
from mediamirror.imaging.decoder.protocol import Limits

OPEN_FILES = 16
"""Descriptors below this may be taken: three of /dev/null, two pipes, a socket, and an image with its mapping."""
_SET_PDEATHSIG = 1

Level = Literal["syscalls", "limits"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What was achieved: ``syscalls`` (filtered, and limits), or ``limits`` alone; and why it is not all of it."""

    level: Level
    why: str = ""


def enter(limits: Limits, *, files: int | None = None, syscalls: bool = True) -> Sandbox:
    """Enter the sandbox for good. ``files`` is the socket on which open files arrive; no other call may open one.

    Everything that is imported or opened later has to be loaded before. Without ``syscalls`` only the limits are set.
    """
    _limit(limits)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not syscalls:
        return Sandbox("limits", "it was asked for with --no-sandbox")
    try:
        seccomp.install(files=files)
    except seccomp.Unavailable as error:
        return Sandbox("limits", str(error))
    return Sandbox("syscalls")


def _limit(limits: Limits) -> None:
    for what, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))

"""What a decoder process takes from itself before it sees the first byte of an image.

| what                                                  | by                                      | where                         |
|-------------------------------------------------------|-----------------------------------------|-------------------------------|
| no more memory than agreed, no core dump, no file     | RLIMIT_AS, _CORE, _FSIZE, _NOFILE       | POSIX                         |
| written, few files open                               |                                         |                               |
| ends when the program that started it does            | PR_SET_PDEATHSIG                        | Linux (elsewhere: its stdin)  |
| no file opened, no network, no new process or program | seccomp, a filter of system calls       | Linux on x86_64 and aarch64   |

The filter is an allow-list: a call that is not named fails with EPERM, whatever a newer kernel adds. What Pillow's decoders need
once they are loaded is memory, the pipes that are open already, and time; see docs/decisions/0031. It is a program of classic BPF
over ``struct seccomp_data`` (linux/seccomp.h): ``program`` builds it, without a system call; ``install`` hands it to the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from typing import Literal, NamedTuple

from mediamirror.first_use import dataclass
from mediamirror.imaging.decoder.protocol import Limits

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
"""What the kernel does with a call (linux/seccomp.h); an errno is added to the last."""

_LOAD, _EQUAL, _MASKED, _RETURN = 0x20, 0x15, 0x54, 0x06
"""BPF_LD+W+ABS, BPF_JMP+JEQ+K, BPF_ALU+AND+K, BPF_RET+K."""
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets into ``struct seccomp_data``."""

_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _SPEC_ALLOW = 38, 1, 4
_EXEC = 0x4
_EMPTY_PATH = 0x1000
_THREAD = 0x00000100 | 0x00000800 | 0x00010000
"""CLONE_VM, CLONE_SIGHAND, CLONE_THREAD: a thread of this process, not a new one."""
_FCNTL = (1, 2, 3, 1030)
"""F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC."""


class Instruction(NamedTuple):
    """``struct sock_filter``: an operation, how far to jump if true and if false, an operand."""

    code: int
    if_true: int
    if_false: int
    operand: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """A machine: its AUDIT_ARCH number, the number of ``seccomp``, and those of the calls that we name."""

    audit: int
    seccomp: int
    calls: dict[str, int]


@dataclass(frozen=True, slots=True)
class Test:
    """The low half of one argument, under a mask, has to be one of these values."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


_PLAIN = (
    *("read", "write", "close", "fstat", "lseek", "pread64"),  # what is open already
    *("mmap", "mprotect", "munmap", "mremap", "madvise", "brk"),
    *("futex", "sched_yield", "set_robust_list", "rseq", "sched_getaffinity"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep", "getrusage", "times"),
    *("getpid", "gettid", "getppid", "getcpu", "uname", "sysinfo", "getrandom"),
    *("exit", "exit_group"),
)

X86_64 = Architecture(
    0xC000003E,
    317,
    {
        **{"read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11},
        **{"brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "sched_yield": 24},
        **{"mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "recvmsg": 47, "clone": 56, "exit": 60},
        **{"uname": 63, "fcntl": 72, "gettimeofday": 96, "getrusage": 98, "sysinfo": 99, "times": 100, "getppid": 110},
        **{"sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204},
        **{"restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230},
        **{"exit_group": 231, "tgkill": 234, "newfstatat": 262, "set_robust_list": 273, "prlimit64": 302},
        **{"getcpu": 309, "getrandom": 318, "rseq": 334, "clone3": 435},
    },
)
AARCH64 = Architecture(
    0xC00000B7,
    277,
    {
        **{"fcntl": 25, "close": 57, "lseek": 62, "read": 63, "write": 64, "pread64": 67, "newfstatat": 79},
        **{"fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101},
        **{"clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123},
        **{"sched_yield": 124, "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134},
        **{"rt_sigprocmask": 135, "rt_sigreturn": 139, "times": 153, "uname": 160, "getrusage": 165, "getcpu": 168},
        **{"gettimeofday": 169, "getpid": 172, "getppid": 173, "gettid": 178, "sysinfo": 179, "recvmsg": 212},
        **{"brk": 214, "munmap": 215, "mremap": 216, "clone": 220, "mmap": 222, "mprotect": 226, "madvise": 233},
        **{"prlimit64": 261, "getrandom": 278, "rseq": 293, "clone3": 435},
    },
)
_MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def program(machine: Architecture, *, pid: int, files: int | None) -> list[Instruction]:
    """Build the filter of a process.

    It may signal itself alone (``pid``: that is how ``abort`` works), and receive open files over one socket, ``files``. A call
    made by the rules of another architecture ends the process: its numbers would mean something else.
    """
    conditional: dict[str, tuple[Test, ...]] = {
        "mmap": (Test(2, (0,), mask=_EXEC),),
        "mprotect": (Test(2, (0,), mask=_EXEC),),
        "clone": (Test(0, (_THREAD,), mask=_THREAD),),
        "fcntl": (Test(1, _FCNTL),),
        "newfstatat": (Test(3, (_EMPTY_PATH,), mask=_EMPTY_PATH),),
        "prlimit64": (Test(0, (0,)), Test(1, (0,))),  # RLIMIT_CPU of this process, granted anew for each job
        "tgkill": (Test(0, (pid,)),),
    }
    if files is not None:
        conditional["recvmsg"] = (Test(0, (files,)),)
    built = [
        Instruction(_LOAD, 0, 0, _ARCHITECTURE),
        Instruction(_EQUAL, 1, 0, machine.audit),
        Instruction(_RETURN, 0, 0, KILL),
        Instruction(_LOAD, 0, 0, _NUMBER),
    ]
    for name in (*_PLAIN, *conditional):
        if name in machine.calls:
            built += _call(machine.calls[name], conditional.get(name, ()))
    # glibc asks for a thread with clone3, whose flags no filter can read, and takes clone where that is not there.
    built += _when(machine.calls["clone3"], [Instruction(_RETURN, 0, 0, REFUSE | errno.ENOSYS)])
    return [*built, Instruction(_RETURN, 0, 0, REFUSE | errno.EPERM)]


def _call(number: int, tests: Sequence[Test]) -> list[Instruction]:
    """Allow a call if every test holds; a call that fails one is refused at once."""
    checks: list[Instruction] = []
    for test in tests:
        # The machines that we know are little-endian: the low half of an argument comes first.
        checks.append(Instruction(_LOAD, 0, 0, _ARGUMENTS + 8 * test.argument))
        checks.append(Instruction(_MASKED, 0, 0, test.mask))
        for left, value in reversed(list(enumerate(reversed(test.values)))):
            checks.append(Instruction(_EQUAL, left + 1, 0, value))
        checks.append(Instruction(_RETURN, 0, 0, REFUSE | errno.EPERM))
    return _when(number, [*checks, Instruction(_RETURN, 0, 0, ALLOW)])


def _when(number: int, then: list[Instruction]) -> list[Instruction]:
    return [Instruction(_EQUAL, 0, len(then), number), *then]


class Unavailable(Exception):
    """This platform gives no system call filter; the text says why."""


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(*, files: int | None) -> None:
    """Filter the calls of this process from now on; nothing takes it back. Raises `Unavailable`."""
    machine = _MACHINES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None
    if machine is None:
        raise Unavailable(f"none is written for {sys.platform} on {platform.machine() or 'an unknown machine'}")
    libc = ctypes.CDLL(None, use_errno=True)
    packed = b"".join(struct.pack("<HBBI", *one) for one in program(machine, pid=os.getpid(), files=files))
    given = _Program(len(packed) // 8, packed)
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise Unavailable(f"the kernel refuses no_new_privs: {os.strerror(ctypes.get_errno())}")
    # Older kernels slow a filtered process down, against attacks that need code of the attacker's to run in it; where one
    # does not know the flag that declines it, the filter is installed without.
    for flags in (_SPEC_ALLOW, 0):
        if libc.syscall(machine.seccomp, _SET_MODE_FILTER, flags, ctypes.byref(given)) == 0:
            return
    raise Unavailable(f"the kernel refuses the filter: {os.strerror(ctypes.get_errno())}")


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
        install(files=files)
    except Unavailable as error:
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

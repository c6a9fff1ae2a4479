"""Run a command and say what it cost, by the operating system's own accounting (Linux)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: wall seconds, CPU seconds (user and system, children included), peak memory in bytes."""

    seconds: float
    cpu: float
    peak_rss: int


class OutOfTime(RuntimeError):
    """The command was stopped at its limit. ``peak_rss`` is what it had used by then, in bytes."""

    def __init__(self, message: str, peak_rss: int) -> None:
        super().__init__(message)
        self.peak_rss = peak_rss


def measure(command: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float) -> Cost:
    """Run a command to its end.

    CPU comes from ``wait4``. Memory is the sum, over the process and its descendants, of each one's high-water mark,
    sampled every 20 ms: ``ru_maxrss`` would count the benchmark's own memory, which a child has until it execs.
    Raises RuntimeError with the end of the log if the command fails, `OutOfTime` after ``limit`` seconds.
    """
    with log.open("wb") as output:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            peak = _watch(child.pid, started + limit)
        except BaseException:
            child.kill()
            child.wait()
            raise
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode == -signal.SIGKILL:
        raise OutOfTime(f"{command[0]} took longer than {limit:.0f} s.", peak)
    if child.returncode:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}:\n{log.read_text('utf-8', 'replace')[-1500:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak)


def peaks(pid: int) -> Iterator[tuple[int, int]]:
    """Each of a process and its descendants, with the most bytes of memory that it has had."""
    return ((each, _memory(each, "VmHWM:")) for each in _tree(pid))


def commands(pid: int) -> Iterator[bytes]:
    """The command line of a process and of each of its descendants."""
    for each in _tree(pid):
        with suppress(OSError):
            yield Path(f"/proc/{each}/cmdline").read_bytes()


def resident(pid: int) -> int:
    """Bytes of memory that a process and its descendants have now, summed: what they share counts for each."""
    return sum(_memory(each, "VmRSS:") for each in _tree(pid))


def _watch(pid: int, deadline: float) -> int:
    """Sample memory until the process ends (it stays a zombie, for wait4); kill it at the deadline."""
    descriptor = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        peak = 0
        while not poller.poll(SAMPLE_SECONDS * 1000):
            peak = max(peak, sum(most for _, most in peaks(pid)))
            if time.perf_counter() > deadline:
                os.kill(pid, signal.SIGKILL)
        return peak
    finally:
        os.close(descriptor)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(word) for task in tasks for word in task.read_text().split()]
    except OSError:  # it has just ended
        return
    for child in children:
        yield from _tree(child)


def _memory(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)

"""Ways to kill a run: at a system call, at a named point, at a moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torture.jobs import Bench, Case

SYSTEM_CALLS = {
    "directory": ("write", "pwrite64", "fsync", "fdatasync", "renameat", "unlink", "unlinkat", "mkdirat", "ftruncate"),
    "bucket": ("write", "writev", "sendto", "sendmsg", "pwrite64", "fsync", "fdatasync", "unlink", "ftruncate"),
}
"""What changes files, or sends to a bucket. A name that this machine's kernel does not know is left out by `known_calls`."""

ONE_AFTER_THE_OTHER = ("--concurrency", "1", "--check", "header")
"""For mirror: strace counts a call thread by thread, and so each thread makes the same calls in every run."""

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Kill:
    """A way to kill: ``how`` is ``call``, ``point`` or ``time``; ``where`` names the call or point, ``number`` its turn."""

    kind: str
    how: str
    where: str
    number: int


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended: its exit status, negative for a signal, and all that it said."""

    returncode: int
    output: str


def run(case: Case, command: Sequence[str]) -> Ran:
    """Execute a command of a case to its end."""
    done = subprocess.run(
        command,
        env=case.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout)


def rerun(bench: Bench, case: Case) -> Ran:
    """Run the case's command to its end, without loading the program anew."""
    output = case.folder / "output"
    bench.starter.begin(case.words, case.environment, output)
    code = bench.starter.end()
    return Ran(code, output.read_text("utf-8", "replace"))


def strike(bench: Bench, case: Case, kill: Kill) -> bool:
    """Run the case's command with the kill in it; whether it died of it. Raises `RuntimeError` for any other end."""
    if kill.how == "call":
        strace = _strace(case.folder / "strace.log", kill.where, kill.number)
        bench.starter.begin(case.words, case.environment, case.folder / "output", strace=strace)
        done = bench.starter.end()
    elif kill.how == "point":
        bench.starter.begin(case.words, case.environment, case.folder / "output", point=f"{kill.where}:{kill.number}")
        done = bench.starter.end()
    else:
        done = _at_a_moment(bench, case, random.Random(f"{kill.where}/{kill.number}"))
    if done not in {0, -signal.SIGKILL, 128 + signal.SIGKILL}:
        raise RuntimeError(f"{kill} ended with {done}")
    return done != 0


def _strace(log: Path, call: str, number: int) -> list[str]:
    return [
        *("strace", "-f", "-qqq", "-o", str(log), "-e", f"trace={call}", "-e", "signal=none"),
        *("-e", f"inject={call}:signal=KILL:when={number}"),
    ]


def count_calls(bench: Bench, case: Case, calls: Sequence[str]) -> dict[str, int]:
    """Run the case to its end; how often the thread that makes most of each call makes it."""
    log = case.folder / "count.log"
    words = ["strace", "-f", "-qqq", "-o", str(log), "-e", f"trace={','.join(calls)}", "-e", "signal=none"]
    bench.starter.begin(case.words, case.environment, case.folder / "output", strace=words)
    if (code := bench.starter.end()) != 0:
        raise RuntimeError(f"counting {case.kind} ended with {code}: {(case.folder / 'output').read_text()[-500:]}")
    seen: Counter[tuple[str, str]] = Counter()
    for line in log.read_text("utf-8", "replace").splitlines():
        thread, _, rest = line.partition(" ")
        call = rest.strip().partition("(")[0]
        seen[thread, call] += 1
    return {call: max((n for (_, name), n in seen.items() if name == call), default=0) for call in calls}


def _at_a_moment(bench: Bench, case: Case, dice: random.Random) -> int:
    """Kill at a moment between the first request (or the start's end) and a little after the last."""
    pid = bench.starter.begin(case.words, case.environment, case.folder / "output")
    deadline = time.monotonic() + dice.uniform(0.0, 0.6)
    if case.kind.startswith("mirror"):
        awaited = dice.randint(1, len(bench.wanted) + 1)
        while len(bench.site.requests()) < awaited and _lives(pid):
            time.sleep(0.001)
        deadline = time.monotonic() + dice.uniform(0.0, 0.03)
    while time.monotonic() < deadline and _lives(pid):
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return bench.starter.end()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone, or going while it is read
        return False


def strace_works() -> bool:
    """Whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    words = [*_strace(Path(os.devnull), "fsync", 1), "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0

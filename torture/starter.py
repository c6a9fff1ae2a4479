"""A process that has loaded the program and forks a child for each run: what a run costs is then the run, not the loading.

``python -m torture.starter`` reads a request a line from stdin (JSON, see `Starter.begin`), and
answers with two lines on stdout: the child's process id, and its exit status as `os.waitstatus_to_exitcode` gives it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from torture.points import POINTS, plant

LOADED = (
    *("mediamirror.cli.app", "mediamirror.cli.output", "mediamirror.cli.objects", "asyncio"),
    *(
        "mediamirror.jobs.mirror.job",
        "mediamirror.jobs.sync.job",
        "mediamirror.jobs.scrub.job",
        "mediamirror.store.s3.store",
    ),
    *("mediamirror.cli.mirror", "mediamirror.cli.sync", "mediamirror.cli.verify", "mediamirror.cli.catalog"),
    *("mediamirror.jobs.catalog.gc", "mediamirror.report.table", "mediamirror.markup.page.html", "pycurl", "httpx2"),
)


class Starter:
    """One such process, and what it is asked. One run at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.starter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        *,
        point: str = "",
        strace: Sequence[str] = (),
    ) -> int:
        """Start a run, its output going to a file, and return its process id; `end` is due next."""
        request = {"words": list(words), "environment": dict(environment), "point": point, "output": str(output)}
        request["strace"] = list(strace)
        _pipe(self._process.stdin).write(json.dumps(request) + "\n")
        _pipe(self._process.stdin).flush()
        return int(_pipe(self._process.stdout).readline())

    def end(self) -> int:
        """Wait for the run's end and return its exit status, negative for a signal."""
        return int(_pipe(self._process.stdout).readline())

    def close(self) -> None:
        """End the process."""
        _pipe(self._process.stdin).close()
        self._process.wait(10)
        _pipe(self._process.stdout).close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def main() -> None:
    """Serve requests until stdin ends."""
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _be_the_program(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _be_traced(words: Sequence[str]) -> None:
    """Let strace take hold of this process, and go on when it has."""
    tracer = subprocess.Popen([*words, "-p", str(os.getpid())], start_new_session=True)
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        if tracer.poll() is not None:
            raise RuntimeError("strace could not take hold")
        time.sleep(0.001)


def _be_the_program(request: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(request["environment"])
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for old, new in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["point"]:
        name, _, number = request["point"].rpartition(":")
        plant(POINTS[name], int(number))
    if request["strace"]:
        _be_traced(request["strace"])
    sys.argv = ["mediamirror", *request["words"]]
    from mediamirror.__main__ import main as program  # noqa: PLC0415 - in the child

    code: Any = 1
    try:
        program()
        code = 0
    except SystemExit as left:
        code = left.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()

"""A run of the tests tells what fails when it fails, and never leaves its reader without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.aloud import run_aloud
from fixtures.patience import PATIENCE

ROOT = Path(__file__).parents[1]
TESTS = """
import time
def test_sound(): pass
def test_broken(): assert 1 == 2, "no such luck"
def test_long(): time.sleep(2)
"""


def lines_of(folder: Path, *options: str) -> list[str]:
    (folder / "test_it.py").write_text(TESTS)
    options = ("-q", "-p", "tests.progress", "-o", "progress_every=0.3", "--rootdir", str(folder), *options)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout.splitlines()


def place(lines: list[str], beginning: str) -> int:
    return next(at for at, line in enumerate(lines) if line.startswith(beginning))


def test_a_failure_is_named_when_it_happens(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    named = place(lines, "FAILED test_it.py::test_broken (call): AssertionError: no such luck")
    assert named < place(lines, "====")


def test_workers_tell_what_failed_and_what_is_running(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, "-n", "2")
    named = place(lines, "FAILED test_it.py::test_broken (call): AssertionError: no such luck")
    told = place(lines, "2 of 3 tests done, 1 failed; running: test_it.py::test_long")
    assert named < told < place(lines, "====")


def test_a_silent_command_is_told_of_while_it_runs(capfd: pytest.CaptureFixture[str]) -> None:
    code = run_aloud("Waiting", [sys.executable, "-c", "import sys, time; time.sleep(1); sys.exit(3)"], every=0.2)
    lines = capfd.readouterr().err.splitlines()
    assert (code, lines[0], lines[1]) == (3, "Waiting", "Waiting: 0 s so far")

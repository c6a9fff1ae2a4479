"""What a run costs is taken from the operating system, and a run always ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.measure import Cost, OutOfTime, measure

MiB = 2**20


def cost_of(script: str, tmp_path: Path, limit: float = 20.0) -> Cost:
    command = [sys.executable, "-c", script]
    return measure(command, environment=dict(os.environ), log=tmp_path / "log", limit=limit)


def test_memory_is_that_of_the_process_and_its_children_together(tmp_path: Path) -> None:
    hold = "import time; x = bytearray(60 * 2**20); time.sleep(0.5)"
    cost = cost_of(
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; p.wait()", tmp_path
    )
    assert 120 * MiB < cost.peak_rss < 240 * MiB


def test_waiting_costs_no_cpu_and_working_does(tmp_path: Path) -> None:
    waiting = cost_of("import time; time.sleep(1)", tmp_path)
    working = cost_of("import time\nwhile time.process_time() < 1: pass", tmp_path)
    assert waiting.cpu < 0.5 < working.cpu
    assert waiting.seconds > 1


def test_a_command_that_fails_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such bucket"):
        cost_of("import sys; sys.exit('no such bucket')", tmp_path)


def test_a_command_that_never_ends_is_stopped_and_its_memory_is_known(tmp_path: Path) -> None:
    with pytest.raises(OutOfTime) as stopped:
        cost_of("import time; time.sleep(60)", tmp_path, limit=1.0)
    assert stopped.value.peak_rss > MiB

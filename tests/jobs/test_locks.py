"""One run at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediamirror.errors import LockHeld
from mediamirror.jobs.run.destination import hold


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    told = rf"The destination m is in use by process {os.getpid()} \(mirror, since"
    with (
        hold(path, thing="The destination m", command="mirror"),
        pytest.raises(LockHeld, match=told),
        hold(path, thing="The destination m", command="mirror"),
    ):
        pass
    with hold(path, thing="The destination m", command="mirror"):
        pass


def test_death_of_the_holder_releases_the_lock_even_with_a_child_alive(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    script = (
        "import os, subprocess, sys\nfrom pathlib import Path\nfrom mediamirror.jobs.run.destination import hold\n"
        f"with hold(Path({str(path)!r}), thing='it', command='mirror'):\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE, close_fds=False)\n"
        "    print(child.pid, flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.wait()
    with hold(path, thing="it", command="mirror"):
        pass
    holder.stdout.close()

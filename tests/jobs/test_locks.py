"""One run at a time."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from mediamirror.errors import LockHeld
from mediamirror.jobs.locks import hold, hold_places


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
        "import os, subprocess, sys\nfrom pathlib import Path\nfrom mediamirror.jobs.locks import hold\n"
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


def test_a_catalog_named_by_a_link_is_the_same_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    real, link = tmp_path / "real.sqlite", tmp_path / "link.sqlite"
    link.symlink_to(real)
    with ExitStack() as one, ExitStack() as other:
        hold_places(one, to="a", identity="a", catalog=real, command="sync", dry_run=False)
        with pytest.raises(LockHeld, match="The catalog"):
            hold_places(other, to="b", identity="b", catalog=link, command="catalog gc", dry_run=False)

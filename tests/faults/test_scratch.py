"""Scratch folders: those of the dead are swept, those of the living are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediamirror.scratch import replace_file, scratch_folder, sweep

HOLD = """
import sys
from mediamirror.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "body.part").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_left_alone_while_its_run_lives_and_swept_when_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path)},
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with scratch_folder() as ours:
            assert (theirs.exists(), ours.exists(), ours != theirs) == (True, True, True)
        assert (theirs.exists(), ours.exists()) == (True, False)
        other.kill()
        other.wait()
    assert (theirs.exists(), sweep(tmp_path), list(tmp_path.iterdir())) == (True, 1, [])


def test_what_is_no_folder_of_ours_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mediamirror-scratch-notes.txt").write_text("mine")
    (tmp_path / "mediamirror-scratch-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mediamirror-bench").mkdir()
    assert (sweep(tmp_path), len(list(tmp_path.iterdir()))) == (0, 4)


def test_a_pipe_or_a_device_under_the_name_of_a_file_is_left_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a device, a pipe or a socket"):
        replace_file(tmp_path / "pipe", b"new")
    assert ([path.name for path in tmp_path.iterdir()], (tmp_path / "pipe").is_fifo()) == (["pipe"], True)


WRITE = """
import sys
from pathlib import Path
from mediamirror.scratch import appearing
with appearing(Path(sys.argv[1])) as file:
    print(file.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_left_of_a_file_is_removed_by_the_next_process_and_a_living_ones_is_not(
    tmp_path: Path,
) -> None:
    def begin(name: str) -> tuple[subprocess.Popen[str], Path]:
        words = [sys.executable, "-c", WRITE, str(tmp_path / name)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (dead, half), (living, theirs) = begin("page.html"), begin("page.html")
    with dead, living:
        dead.kill()
        dead.wait()
        replace_file(tmp_path / "other.html", b"other")
        assert (half.exists(), theirs.exists()) == (True, True)
        replace_file(tmp_path / "page.html", b"whole")
        assert (half.exists(), theirs.exists()) == (False, True)
        living.kill()

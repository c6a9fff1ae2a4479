"""Two runs at once: one works, the other is told who does."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE
from tests.faults.conftest import Start, Waiting, wait_for


@pytest.fixture
def words(urls: Path, waiting: Waiting, tmp_path: Path) -> tuple[str, ...]:
    return (
        *("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m")),
        *("--catalog", str(tmp_path / "c.sqlite"), *waiting.arguments()),
    )


def test_the_second_run_is_told_who_holds_the_destination_and_leaves_the_firsts_files_alone(
    start: Start, words: tuple[str, ...], waiting: Waiting, tmp_path: Path
) -> None:
    first = start(*words)
    wait_for(lambda: bool(waiting.asked), first)
    half = tmp_path / "m/_mediamirror/tmp/1-half.part"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    holder = f"in use by process {first.pid} (mirror, since"
    stranger = {"XDG_STATE_HOME": str(tmp_path / "stranger")}
    others = [
        (start(*words, "--catalog", str(tmp_path / "other.sqlite")), f"The destination {tmp_path / 'm'} is {holder}"),
        (start(*words, "--to", str(tmp_path / "elsewhere")), f"The catalog {tmp_path / 'c.sqlite'} is {holder}"),
        (start(*words, "--dry-run"), f"The catalog {tmp_path / 'c.sqlite'} is {holder}"),
        (start(*words, "--catalog", str(tmp_path / "s.sqlite"), **stranger), "is in use by a run of another user"),
    ]
    for second, told in others:
        _, said = second.communicate(timeout=PATIENCE)
        assert (second.returncode, told in said) == (2, True), said
    assert (first.poll(), half.exists()) == (None, True)


def test_death_frees_the_lock_at_once_though_decoders_live_and_the_next_run_sweeps(
    start: Start, words: tuple[str, ...], waiting: Waiting, tmp_path: Path
) -> None:
    first = start(*words)
    wait_for(lambda: len(list((tmp_path / "m").rglob("*.webp"))) >= 3 and bool(children(first.pid)), first)
    decoders = children(first.pid)
    for pid in decoders:
        os.kill(pid, signal.SIGSTOP)  # alive, whatever their stdin says
    half = tmp_path / "m/_mediamirror/tmp/1-half.part"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    os.utime(half, (4e9, 4e9))  # written when the clock was wrong
    first.kill()
    first.wait()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] != []
    second = start(*words, "--include", "*quick*")
    _, said = second.communicate(timeout=PATIENCE)
    assert (second.returncode, half.exists(), list((tmp_path / "tmp").iterdir())) == (0, False, []), said
    for pid in decoders:
        with suppress(ProcessLookupError):  # Linux has ended it with its parent already
            os.kill(pid, signal.SIGCONT)
    while any(Path(f"/proc/{pid}").exists() for pid in decoders if not is_dead(pid)):
        pass


def children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends at this moment
            found += map(int, path.read_text().split())
    return found


def is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True

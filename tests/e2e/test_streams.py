"""Standard streams that are full, closed, or read by nobody: what a run says, and how it ends."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sysconfig.get_path("scripts")) / "mediamirror"
SEED = str(ROOT / "fixtures/seed/news-by.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files in ``src`` to copy, and a folder without any."""
    (tmp_path / "src").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("a.webp", "b.webp"):
        (tmp_path / "src" / name).write_bytes(name.encode())
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
    return kept | {"XDG_STATE_HOME": str(folder / "state")}


def in_a_shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"exec {shlex.quote(str(PROGRAM))} {command}"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def read_by_nobody(folder: Path, *words: str) -> tuple[int, str]:
    with subprocess.Popen(
        [PROGRAM, *words],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        return process.wait(PATIENCE), said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_that_is_started_without_a_standard_stream_does_its_work(folder: Path, closed: str) -> None:
    done = in_a_shell(folder, f"sync src dest {closed}")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert (folder / "dest" / "a.webp").read_bytes() == b"a.webp"
    assert in_a_shell(folder, f"parse {shlex.quote(SEED)} --format jsonl {closed}").returncode == 0


def test_a_missing_stdin_is_an_empty_one(folder: Path) -> None:
    done = in_a_shell(folder, "parse - --as html --fail-empty <&-")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *(
            "rules",
            "rules MM101",
            "--help",
            "--version",
            "mirror --help",
            f"parse {shlex.quote(SEED)}",
            "sync src dest --format jsonl",
        ),
        *("check src empty", "catalog ls src --catalog c", "catalog export src --catalog c"),
        "map src --catalog c --public-url https://media.example.org/",
    ],
)
def test_a_full_disk_behind_the_output_of_any_command_is_one_sentence_and_exit_1(folder: Path, command: str) -> None:
    if command.startswith(("catalog", "map")):
        assert in_a_shell(folder, "catalog import src --catalog c").returncode in {0, 1}
    done = in_a_shell(folder, f"{command} > /dev/full")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_run_whose_output_is_read_by_nobody_any_more_ends_early_and_says_so(folder: Path) -> None:
    offline = ("--retries", "0", "--connect-to", "::127.0.0.1:9")
    for words in (
        ("sync", "src", "dest", "--format", "jsonl"),
        ("mirror", SEED, "--to", "m", "--format", "jsonl", *offline),
        ("verify", SEED, "--format", "jsonl", *offline),
    ):
        code, said = read_by_nobody(folder, *words)
        assert (code, "the reader of the output went away" in said) == (141, True), (words, said)


def test_what_only_prints_ends_quietly_when_nobody_reads_any_more(folder: Path) -> None:
    for words in (("parse", SEED), ("rules",), ("--help",)):
        assert read_by_nobody(folder, *words) == (141, ""), words


def test_a_sync_goes_on_where_a_reader_that_went_away_ended_it(folder: Path) -> None:
    read_by_nobody(folder, "sync", "src", "dest", "--format", "jsonl")
    assert in_a_shell(folder, "sync src dest").returncode == 0
    assert sorted(path.name for path in (folder / "dest").glob("*.webp")) == ["a.webp", "b.webp"]

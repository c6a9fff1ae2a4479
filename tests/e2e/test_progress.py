"""Progress on a terminal, beside data that goes elsewhere."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.process import executable
from fixtures.site import Site

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def on_terminal(tmp_path: Path) -> Run:
    """Run with standard error on a terminal and standard output in a file; return exit code, file and what the screen got."""

    def run(*words: str, columns: int = 160) -> tuple[int, str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
        environment = {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": str(columns), "TERM": "xterm"}
        ours, theirs = pty.openpty()
        out = tmp_path / "out"
        with out.open("wb") as file:
            process = subprocess.Popen(
                [executable("mediamirror"), *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=theirs,
                env=environment,
            )
        os.close(theirs)
        screen = b""
        try:
            while chunk := os.read(ours, 65536):
                screen += chunk
        except OSError:
            pass  # how Linux tells that the last writer is gone
        os.close(ours)
        return process.wait(timeout=PATIENCE), out.read_text(), screen.decode()

    return run


def types(text: str) -> list[str]:
    return [json.loads(line)["type"] for line in text.splitlines()]


def test_a_bar_takes_nothing_of_the_data_of_a_sync_and_counts_in_the_units_of_the_summary(
    on_terminal: Run, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    for number in range(3):
        (tmp_path / "src" / f"{number}.bin").write_bytes(bytes(100_000))
    code, data, screen = on_terminal("sync", str(tmp_path / "src"), str(tmp_path / "dst"), "--format", "jsonl")
    assert (code, types(data)) == (0, ["object"] * 3 + ["summary"])
    assert re.search(r"3/3 objects.*293\.0/293\.0 KiB", screen), screen
    assert '"type"' not in screen


def test_a_bar_takes_nothing_of_the_data_of_a_mirror(on_terminal: Run, site: Site, tmp_path: Path) -> None:
    seed = str(ROOT / "fixtures" / "seed" / "news-by.txt")
    code, data, screen = on_terminal(
        "mirror", seed, "--to", str(tmp_path / "m"), "--format", "jsonl", *site.arguments()
    )
    told = json.loads(data.splitlines()[-1])
    assert (code, told["type"], types(data).count("variant")) == (0, "summary", told["variants"])
    assert "images/s" in screen
    assert '"type"' not in screen


def test_on_a_narrow_terminal_the_bar_of_a_sync_stays_on_one_line(on_terminal: Run, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for number in range(40):
        (tmp_path / "src" / f"{number}.bin").write_bytes(bytes(100_000))
    words = ("sync", str(tmp_path / "src"), str(tmp_path / "dst"), "--format", "jsonl", "--concurrency", "1")
    code, _, screen = on_terminal(*words, columns=60)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert (code, "40/40 objects" in plain, "MiB left" in plain or "/s left" in plain) == (0, True, True), plain
    drawn = [line for line in re.split(r"[\r\n]+", plain) if "/40 objects" in line]
    assert max(map(len, drawn)) <= 60, plain
    assert "\x1b[2K\x1b[1A" not in screen, "it went up a line: the bar was two lines high"

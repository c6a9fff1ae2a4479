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

from fixtures.servers.process import executable
from fixtures.site import Site

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def on_terminal(tmp_path: Path) -> Run:
    """Run with standard error on a terminal and standard output in a file; return exit code, file and what the screen got."""

    def run(*words: str) -> tuple[int, str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
        environment = {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "160", "TERM": "xterm"}
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
        return process.wait(timeout=30), out.read_text(), screen.decode()

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

"""What stands on a real terminal in the end: results on lines of their own, no remains of a progress line, and each thing once."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest
from PIL import Image

from fixtures.patience import PATIENCE
from fixtures.servers.process import executable
from fixtures.site import Site

ROOT = Path(__file__).resolve().parents[2]
SEED = str(ROOT / "fixtures" / "seed" / "news-by.txt")
_LINES = 2000

Screen = Callable[..., list[str]]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Run a command on a terminal so wide, and return its lines. ``stop_at`` is what has to stand there before it is interrupted."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MEDIAMIRROR_"))] + ["COLUMNS", "LINES"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TERM", "xterm")

    def run(*words: str, columns: int, stop_at: str = "") -> list[str]:
        child, ours = pty.fork()
        if child == 0:
            os.execv(executable("mediamirror"), ["mediamirror", *words])
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
        shown = pyte.Screen(columns, _LINES)
        stream = pyte.ByteStream(shown)
        deadline = time.monotonic() + PATIENCE
        try:
            while chunk := os.read(ours, 65536):
                stream.feed(chunk)
                assert time.monotonic() < deadline, "\n".join(shown.display).strip()
                if stop_at and any(stop_at in line for line in shown.display):
                    stop_at = ""
                    os.kill(child, signal.SIGINT)
        except OSError:
            pass  # how Linux tells that the last writer is gone
        os.close(ours)
        os.waitpid(child, 0)
        assert not stop_at, "what it was to be interrupted at never came"
        return [line.rstrip() for line in shown.display if line.strip()]

    return run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    for width in (320, 640):
        Image.new("RGB", (width, width // 2)).save(folder / f"a_{width}.webp")
    (folder / "index.html").write_text(
        '<img alt="A tower" src="a_320.webp" srcset="a_320.webp 320w, a_640.webp 800w" sizes="100vw">'
    )
    return folder


@pytest.mark.parametrize("columns", [50, 80, 100])
def test_the_first_line_of_a_verified_page_begins_at_the_left(
    screen: Screen, built: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.parent)
    lines = screen("verify", "dist", "--root", "dist", columns=columns)
    assert lines[0] == "dist/index.html:1  A tower"
    assert not any(sign in line for line in lines for sign in "━╌"), lines


@pytest.mark.parametrize("columns", [50, 80, 100])
def test_the_first_line_of_a_mirrored_text_begins_at_the_left(
    screen: Screen, site: Site, tmp_path: Path, columns: int
) -> None:
    lines = screen("mirror", SEED, "--to", str(tmp_path / "m"), *site.arguments(), columns=columns)
    assert lines[0].startswith(SEED[:40])
    assert not any(sign in line for line in lines for sign in "━╌"), lines


def test_on_a_narrow_terminal_the_end_of_each_key_is_on_the_line_of_its_row(
    screen: Screen, site: Site, tmp_path: Path
) -> None:
    lines = screen("mirror", SEED, "--to", str(tmp_path / "m"), *site.arguments(), columns=50)
    rows = [line for line in lines if " stored " in line and "×" in line]
    assert [row.rpartition("_")[2] for row in rows] == ["480.webp", "768.webp", "1280.webp", "1920.webp"]


def test_an_interrupted_run_says_once_how_it_went(screen: Screen, site: Site, tmp_path: Path) -> None:
    words = ("mirror", SEED, "--to", str(tmp_path / "m"), *site.arguments(), "--delay", "30")
    lines = screen(*words, columns=200, stop_at="/4 images")
    assert sum("Interrupted with" in line for line in lines) == 1, lines


def test_while_a_large_input_is_read_something_moves(screen: Screen, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slow.html")
    writer = os.open(tmp_path / "slow.html", os.O_RDWR)  # open for as long as the run, which waits for its end
    try:
        lines = screen("verify", str(tmp_path / "slow.html"), columns=80, stop_at="0 image sets so far")
    finally:
        os.close(writer)
    assert not any("so far" in line for line in lines), lines

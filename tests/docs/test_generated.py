"""Generated pages are what the code says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_command_page_is_up_to_date(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    words = ("-m", "typer", "mediamirror.cli.app", "utils", "docs", "--name", "mediamirror", "--title", "Commands")
    subprocess.run([sys.executable, *words, "--output", str(made)], cwd=ROOT, check=True, capture_output=True)
    assert made.read_text() == (ROOT / "docs/commands.md").read_text(), "run: make docs"

"""The Makefile's promises that can be seen without a network."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(*words: str) -> str:
    # An outer make hands its flags down; they must not leak into this one.
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        ["make", "-C", str(ROOT), *words], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def test_make_alone_lists_every_target() -> None:
    listed = make()
    targets = ("demo", "test", "lint", "fmt", "bench", "docs", "clean")
    assert [target for target in targets if f"make {target}" not in listed] == []


def test_the_demo_installs_the_demo_extra_only() -> None:
    planned = make("--dry-run", "--always-make", "demo")
    assert "-e '.[demo]'" in planned
    assert "lint]" not in planned


def test_tests_lint_first() -> None:
    planned = make("--dry-run", "test")
    assert planned.index("ruff check") < planned.index("pytest")

"""What docs/library.md shows runs, from its first block to its last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mediamirror

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")


def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "library.md", "exec"), names)
    assert names["keys"] == ["example.org/boat.webp"]


def test_the_page_says_what_each_promised_name_is_for() -> None:
    promised = PAGE[PAGE.index("## Stable API") :]
    assert [name for name in mediamirror.__all__ if f"`{name}`" not in promised] == []

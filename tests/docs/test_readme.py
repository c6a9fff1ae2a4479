"""What the README shows runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "news-by.txt").write_text("No picture today.")
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["summary"].exit_code == 0  # type: ignore[attr-defined]


def test_every_option_the_readme_names_exists() -> None:
    from mediamirror.cli.app import app

    commands = [app, *(app.get_command(None, name) for name in app.commands)]
    known = {name for c in commands for p in c.params for name in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r"--[a-z][a-z-]+", README)) - {"--help", "--install-completion"}
    assert named <= known, named - known


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[2] / target).exists(), target


@pytest.mark.parametrize("line", re.findall(r"^    (mediamirror mirror .*)$", README, re.MULTILINE))
def test_a_command_of_the_readme_is_understood(
    line: str, tmp_path: Path, mediamirror: Callable[..., CompletedProcess[str]]
) -> None:
    """Run it on an empty document in an empty folder: everything but the network is real."""
    (tmp_path / "news-by.txt").write_text("No picture today.")
    done = mediamirror(*shlex.split(line)[1:], cwd=tmp_path, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    assert "Usage" not in done.stderr
    assert done.returncode == (2 if "s3://" in line else 0), done.stderr

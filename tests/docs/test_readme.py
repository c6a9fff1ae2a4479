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
    from mediamirror.cli.command import Group

    found = [app.get_command(None, name) for name in app.commands]
    within = [c.get_command(None, name) for c in found if isinstance(c, Group) for name in c.commands]
    known = {name for c in (app, *found, *within) for p in c.params for name in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r"--[a-z][a-z-]+", README)) - {"--help", "--install-completion"}
    assert named <= known, named - known


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[2] / target).exists(), target


COMMANDS = re.findall(r"^    \.venv/bin/mediamirror (.*)$", README, re.MULTILINE)


def test_the_readme_shows_commands() -> None:
    assert [line.partition(" ")[0] for line in COMMANDS] == ["parse", "mirror"]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_is_understood(
    line: str, tmp_path: Path, mediamirror: Callable[..., CompletedProcess[str]]
) -> None:
    """Run it on an empty document of the same name: everything but the network is real."""
    (tmp_path / "fixtures" / "seed").mkdir(parents=True)
    (tmp_path / "fixtures" / "seed" / "news-by.txt").write_text("No picture today.")
    done = mediamirror(*shlex.split(line), cwd=tmp_path)
    assert "Usage" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_the_first_command_works_in_a_fresh_checkout(mediamirror: Callable[..., CompletedProcess[str]]) -> None:
    done = mediamirror(*shlex.split(COMMANDS[0]))
    assert done.returncode == 0
    assert "1 image set, 4 variants in 1 document." in done.stdout

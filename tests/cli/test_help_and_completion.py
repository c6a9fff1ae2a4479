"""What the command line says of itself: help by what options are about, suggestions, and completion in three shells."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path
from subprocess import CompletedProcess

import click
import pytest

from mediamirror.cli import app as completion
from mediamirror.cli.app import app, run
from mediamirror.cli.command import PANELS
from mediamirror.cli.config import Config
from mediamirror.errors import UsageError
from mediamirror.settings import (
    CheckOptions,
    CompareOptions,
    FetchOptions,
    JobOptions,
    ReadOptions,
    ReportOptions,
    SelectOptions,
    StoreOptions,
    SyncOptions,
)

Command = Callable[..., CompletedProcess[str]]


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["mirror", "verify"])
def test_help_begins_with_examples_that_can_be_copied_and_tells_options_by_what_they_are_about(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(name, capsys=capsys)
    headings = re.findall(r"^([A-Z][^\n]*):$", said, re.MULTILINE)
    assert headings[:2] == ["Examples", "Arguments"]
    assert [each for each in headings if each in PANELS] == [each for each in PANELS if each in headings]
    assert {"What to read", "Storage", "Which images", "Speed", "Limits", "Output"} <= set(headings)
    examples = said.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) > 5
    assert all(line.startswith(f"  mediamirror {name} ") for line in examples)


def test_an_option_that_has_to_be_given_stands_in_the_usage_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert help_of("mirror", capsys=capsys).startswith("Usage: mediamirror mirror [OPTIONS] --to DEST [INPUT...]\n")
    assert run(["mirror", "x"]) == 2
    assert "Missing option '--to'" in capsys.readouterr().err


def test_defaults_are_said_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(help_of("mirror", capsys=capsys).split())
    for default in ("[default: 256M]", "[default: 64K]", "[default: 160M]", "[default: 60]"):
        assert default in said
    assert "[default: 24h]" in " ".join(help_of("catalog", "gc", capsys=capsys).split())


@pytest.mark.parametrize(
    ("words", "suggested"),
    [
        (["mirror", "x", "--concurency", "3"], "--concurrency"),
        (["miror"], "'mirror'"),
        (["catalog", "rebild"], "'rebuild'"),
    ],
)
def test_a_mistyped_word_is_told_with_the_nearest_that_exists(
    words: list[str], suggested: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "Did you mean" in said
    assert suggested in said


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mir", "mirror"),
        ("mirror --concurr", "--concurrency"),
        ("mirror --layout ha", "hash"),
        ("catalog exp", "export"),
    ],
)
def test_a_shell_completes_commands_options_and_choices(mediamirror: Command, typed: str, offered: str) -> None:
    words = f"mediamirror {typed}"
    variables = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "_MEDIAMIRROR_COMPLETE": "bash_complete",
    }
    assert f"plain,{offered}" in mediamirror(**variables).stdout.splitlines()


def test_a_shell_completes_inputs_as_files(mediamirror: Command) -> None:
    variables = {"COMP_WORDS": "mediamirror parse pag", "COMP_CWORD": "2", "_MEDIAMIRROR_COMPLETE": "bash_complete"}
    assert mediamirror(**variables).stdout.splitlines() == ["file,pag"]


@pytest.mark.parametrize(
    ("shell", "script", "start"),
    [
        ("bash", ".bash_completions/mediamirror.sh", ".bashrc"),
        ("zsh", ".zfunc/_mediamirror", ".zshrc"),
        ("fish", ".config/fish/completions/mediamirror.fish", None),
    ],
)
def test_completion_is_installed_once_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, script: str, start: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(completion, "_shell", lambda: shell)
    if start is not None:
        (tmp_path / start).write_text("mine\n")
    for _ in range(2):
        assert str(tmp_path / script) in completion.install(app)
    assert f"_MEDIAMIRROR_COMPLETE={shell}_complete" in (tmp_path / script).read_text()
    if start is not None:
        told = (tmp_path / start).read_text()
        assert told.startswith("mine\n")
        assert told.count("completions" if shell == "bash" else "compinit; compinit") == 1


def test_a_shell_without_completion_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_shell", lambda: "tcsh")
    with pytest.raises(UsageError, match="bash, zsh and fish, and this shell is tcsh"):
        completion.script(app)


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        ("mirror x --to m", [ReadOptions, FetchOptions, CheckOptions, SelectOptions, StoreOptions, JobOptions]),
        ("verify x", [ReadOptions, FetchOptions, JobOptions]),
        ("parse x", [ReadOptions, FetchOptions, JobOptions]),
        ("sync a b", [SyncOptions, CompareOptions, StoreOptions]),
        ("check a b", [SyncOptions, CompareOptions, StoreOptions]),
        ("report a", [ReportOptions]),
    ],
)
def test_what_nobody_gives_is_what_the_option_groups_say(words: str, groups: list[type]) -> None:
    name, *rest = words.split()
    command = app.get_command(None, name)
    assert command is not None
    params = command.make_context(name, rest, parent=click.Context(app, obj=Config())).params
    options = {param.name for param in command.params if isinstance(param, click.Option)}
    given = {name: value for name, value in params.items() if name in options}
    for group in groups:
        fields = {field.name: field.default for field in dataclasses.fields(group)}
        named = {field: default for field, default in fields.items() if field in given and default is not MISSING}
        assert {field: given[field] for field in named} == named

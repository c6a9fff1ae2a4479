"""Completion of commands, options and files in bash, zsh and fish."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from mediamirror.errors import UsageError

_ZSH = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"


def script(app: click.Command) -> str:
    """Return what the current shell has to read. Raises `UsageError` for a shell that click has no completion for."""
    shell = _shell()
    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"Completion is there for bash, zsh and fish, and this shell is {shell or 'unknown'}.")
    return made(app, {}, "mediamirror", "_MEDIAMIRROR_COMPLETE").source().strip()


def install(app: click.Command) -> str:
    """Put it where the current shell reads it when it starts, and say where that is."""
    text, home = script(app), Path.home()
    path, start, line = {
        "bash": (home / ".bash_completions/mediamirror.sh", home / ".bashrc", ""),
        "zsh": (home / ".zfunc/_mediamirror", home / ".zshrc", _ZSH),
        "fish": (home / ".config/fish/completions/mediamirror.fish", None, ""),
    }[_shell()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    line = line or f"source '{path}'"
    if start is not None and line not in (start.read_text(encoding="utf-8") if start.is_file() else ""):
        with start.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    return f"Completion is installed in {path}. It begins with the next terminal."


def _shell() -> str:
    """Return the name of the shell that called us, or else of the user's own."""
    try:
        asked = ["ps", "-o", "comm=", "-p", str(os.getppid())]
        parent = subprocess.run(asked, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        parent = ""
    names = [Path(name.strip().lstrip("-")).name for name in (parent, os.environ.get("SHELL", ""))]
    return next((name for name in names if name in {"bash", "zsh", "fish"}), names[-1])

"""The command line: one application, its completion in bash, zsh and fish; each command is loaded when it is asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mediamirror.cli.command import PATH, Group, Option
from mediamirror.cli.config import nested, options_to_read, read
from mediamirror.cli.running import complain, ended, fail, print_traceback
from mediamirror.errors import MediamirrorError, UsageError

_ZSH = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"


def script(app: click.Command) -> str:
    """Return what the current shell has to read. Raises `UsageError` for a shell that click has no completion for."""
    from click.shell_completion import get_completion_class

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
    import subprocess

    try:
        asked = ["ps", "-o", "comm=", "-p", str(os.getppid())]
        parent = subprocess.run(asked, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        parent = ""
    names = [Path(name.strip().lstrip("-")).name for name in (parent, os.environ.get("SHELL", ""))]
    return next((name for name in names if name in {"bash", "zsh", "fish"}), names[-1])


COMMANDS = """
parse    parse    Print the image sets of the INPUTs.
mirror   mirror   Download, check, store and record every image of the INPUTs.
verify   verify   Check every image against its declared width and type, and every image set against good practice.
rewrite  rewrite  Make pages load their images from the mirror.
map      rewrite  Print a redirect map from old URLs to URLs of the mirror, for a web server or CDN.
sync     sync     Copy SRC to DEST.
check    sync     Compare SRC and DEST by sha256 and change nothing; exit 1 on any difference.
report   report   Make an HTML report of a mirror: contact sheets of the stored images, and their findings.
simulate simulate Print which file a browser loads on each screen, its size, and how many of its pixels that screen can't show.
rules    rules    Explain the lint rules: meaning, reason, and how to fix a finding.
catalog  catalog  Query and repair the catalog: where each file came from, its format and size, and where it is stored.
"""
"""Each command, the module of this room that holds it, and how its help begins."""


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from mediamirror import __version__

        print(f"mediamirror {__version__}")
        context.exit()


def _completion(context: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        print(install(app) if param.name == "install_completion" else script(app))
        context.exit()


def _flag(name: str, text: str, callback: object) -> Option:
    return Option([name], is_flag=True, is_eager=True, expose_value=False, callback=callback, help=text)


def root(config: Path | None) -> None:
    """Read what is configured."""
    context = click.get_current_context()
    try:
        found = read(options_to_read(context.command, context.invoked_subcommand, config), config)
    except MediamirrorError as error:
        fail(error)
    for path in found.passed:
        complain(f"{path} belongs to another user and is not read; if you trust it, name it with --config.")
    context.default_map, context.obj = nested(found.defaults), found


app = Group(
    "mediamirror",
    COMMANDS,
    callback=root,
    help="Mirror responsive images: find every image candidate, download it, check its width and format, store the verified file.",
    params=[
        Option(["--config"], type=PATH, metavar="FILE", help="Read this instead of the nearest mediamirror.toml."),
        _flag("--version", "Print the version and exit.", _show_version),
        _flag("--install-completion", "Install completion for the current shell (bash, zsh or fish).", _completion),
        _flag("--show-completion", "Show completion for the current shell, to copy it or change it.", _completion),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)


def main() -> None:
    """Run the command line."""
    sys.excepthook = print_traceback
    if instruction := os.environ.get("_MEDIAMIRROR_COMPLETE"):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(app, {}, "mediamirror", "_MEDIAMIRROR_COMPLETE", instruction))
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command line and return its exit code."""

    def invoke() -> None:
        with app.make_context("mediamirror", words) as context:
            app.invoke(context)

    return ended(invoke)

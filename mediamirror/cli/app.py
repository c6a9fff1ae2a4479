"""The command line: one typer application; each command has a file of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mediamirror.cli.config import nested, options_to_read, read
from mediamirror.cli.running import EXIT_CODES, fail, print_traceback
from mediamirror.errors import MediamirrorError

EPILOG = "Exit codes:\n\n" + "\n\n".join(EXIT_CODES.splitlines())

COMMANDS = ("parse", "mirror", "verify", "sync", "check", "report", "simulate", "rules", "catalog")


Load = Callable[[str], Any]
"""Makes a command by its name."""


class LateCommands(MutableMapping[str, Any]):
    """Commands by name, in the order they are listed; each is made once, at its first use."""

    def __init__(self, names: tuple[str, ...], load: Load) -> None:
        self._load = load
        self._made: dict[str, Any] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            self._made[name] = self._load(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def group_of(names: tuple[str, ...], load: Load) -> type[TyperGroup]:
    """Return the class of a group that has these commands."""

    class LateGroup(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = LateCommands(names, load)

    return LateGroup


def _load(name: str) -> Any:
    """Make the command of a file in this folder."""
    module = import_module(f"mediamirror.cli.{'sync' if name == 'check' else name}")
    alone = typer.Typer(callback=lambda: None, rich_markup_mode=None, pretty_exceptions_enable=False)
    if name == "catalog":
        alone.add_typer(module.app, epilog=EPILOG)
    else:
        alone.command(name=name, epilog=None if name == "rules" else EPILOG)(
            module.check_command if name == "check" else module.command
        )
    group: Any = typer.main.get_command(alone)
    return group.commands[name]


app = typer.Typer(
    name="mediamirror",
    cls=group_of(COMMANDS, _load),
    help="Mirror responsive images: find every candidate, fetch it, check its real pixels, store verified bytes.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from mediamirror import __version__

        print(f"mediamirror {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Read this instead of the nearest mediamirror.toml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Mirror responsive images: find every candidate, fetch it, check its real pixels, store verified bytes."""
    del version
    try:
        configured = read(options_to_read(context.command, context.invoked_subcommand, config), config)
    except MediamirrorError as error:
        fail(error)
    context.default_map, context.obj = nested(configured.defaults), configured.per_path


def main() -> None:
    """Run the command line."""
    sys.excepthook = print_traceback
    app()

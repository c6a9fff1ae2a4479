"""The command line: one typer application; each command has a file of its own."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from mediamirror.cli.config import nested, options_to_read, read
from mediamirror.cli.late import group_of
from mediamirror.cli.logs import print_traceback
from mediamirror.cli.running import EXIT_CODES, fail
from mediamirror.errors import MediamirrorError

EPILOG = "Exit codes:\n\n" + "\n\n".join(EXIT_CODES.splitlines())

COMMANDS = ("parse", "mirror", "verify", "sync", "check", "report", "simulate", "rules", "catalog")


def _load(name: str) -> Any:
    """Make the command of a file in this folder."""
    module = import_module(f"mediamirror.cli.{name}")
    alone = typer.Typer(callback=lambda: None, rich_markup_mode=None, pretty_exceptions_enable=False)
    if name == "catalog":
        alone.add_typer(module.app, epilog=EPILOG)
    else:
        alone.command(name=name, epilog=None if name == "rules" else EPILOG)(module.command)
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

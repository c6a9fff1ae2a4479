"""The command line: one typer application; each command has a file of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mediamirror.cli import catalog, check, mirror, parse, report, rules, simulate, sync, verify
from mediamirror.cli.config import nested, options_of, read
from mediamirror.cli.logs import print_traceback
from mediamirror.cli.running import EXIT_CODES, fail
from mediamirror.errors import MediamirrorError

EPILOG = "Exit codes:\n\n" + "\n\n".join(EXIT_CODES.splitlines())

app = typer.Typer(
    name="mediamirror",
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
        configured = read(options_of(context.command), config)
    except MediamirrorError as error:
        fail(error)
    context.default_map, context.obj = nested(configured.defaults), configured.per_path


app.command(name="parse", epilog=EPILOG)(parse.command)
app.command(name="mirror", epilog=EPILOG)(mirror.command)
app.command(name="verify", epilog=EPILOG)(verify.command)
app.command(name="sync", epilog=EPILOG)(sync.command)
app.command(name="check", epilog=EPILOG)(check.command)
app.command(name="report", epilog=EPILOG)(report.command)
app.add_typer(catalog.app, epilog=EPILOG)
app.command(name="simulate", epilog=EPILOG)(simulate.command)
app.command(name="rules")(rules.command)


def main() -> None:
    """Run the command line."""
    sys.excepthook = print_traceback
    app()

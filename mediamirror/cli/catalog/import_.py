"""``mediamirror catalog import``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import options_from, store_options
from mediamirror.cli.catalog import common as c
from mediamirror.cli.catalog.output import MendOutput
from mediamirror.cli.running import run_with
from mediamirror.errors import InputMissing
from mediamirror.model import MendSummary
from mediamirror.settings import AdoptOptions


def command(
    dest: c.Dest = None,
    to: c.To = None,
    list_: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="JSON Lines with url, key and perhaps sha256; - is standard input."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Keys are paths under this URL.")
    ] = None,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    cacert: o.CaCert = None,
    format_: Annotated[
        Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """Take a directory or bucket that another tool filled into the catalog: every object hashed and looked at.

    Examples:

        mediamirror catalog import ./photos

        mediamirror catalog import s3://media/old --list urls.jsonl

        mediamirror catalog import ./www --base-url https://example.org/
    """
    given = locals()

    async def job(output: MendOutput) -> MendSummary:
        from mediamirror.jobs.catalog.adopt import take_in

        with ExitStack() as stack:
            file = None
            if list_ is not None:
                try:
                    file = sys.stdin.buffer if str(list_) == "-" else stack.enter_context(list_.open("rb"))
                except OSError as error:
                    raise InputMissing(f"The list {list_} can't be read ({error.strerror}).") from error
            options = options_from(AdoptOptions, given, store=store_options(given))
            return await take_in(c.needed(dest, to), list_=file, options=options, catalog=catalog, on_event=output)

    run_with(lambda: MendOutput(format_, quiet=quiet, verbose=verbose), job, verbose=verbose)

"""``mediamirror catalog rebuild``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import options_from, store_options
from mediamirror.cli.catalog import common as c
from mediamirror.cli.catalog.output import MendOutput
from mediamirror.cli.running import run_with
from mediamirror.model import MendSummary
from mediamirror.settings import AdoptOptions


def command(
    dest: c.Dest = None,
    to: c.To = None,
    force: Annotated[bool, typer.Option("--force", help="Also when the catalog is there and sound.")] = False,
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
    """Make a lost or damaged catalog anew from the store: from the bucket's manifest, else from metadata and bytes.

    The old file is kept beside the new one.

    Examples:

        mediamirror catalog rebuild s3://media/news

        mediamirror catalog rebuild ./mirror --catalog news.sqlite
    """
    given = locals()

    async def job(output: MendOutput) -> MendSummary:
        from mediamirror.jobs.catalog.adopt import rebuild

        options = options_from(AdoptOptions, given, store=store_options(given))
        return await rebuild(c.needed(dest, to), options=options, catalog=catalog, on_event=output)

    run_with(lambda: MendOutput(format_, quiet=quiet, verbose=verbose), job, verbose=verbose)

"""``mediamirror catalog gc``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import options_from, store_options
from mediamirror.cli.catalog import common as c
from mediamirror.cli.catalog.output import MendOutput
from mediamirror.cli.running import run_with
from mediamirror.cli.values import duration
from mediamirror.model import MendSummary
from mediamirror.settings import GcOptions


def command(
    dest: c.Dest = None,
    to: c.To = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove objects that no row names; without it they are only listed.")
    ] = False,
    max_delete: Annotated[
        int | None, typer.Option("--max-delete", metavar="N", min=0, help="Change nothing if more would be removed.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even when no object is named, or none that is named is there.")
    ] = False,
    older_than: Annotated[
        float,
        typer.Option(
            "--older-than",
            parser=duration,
            metavar="AGE",
            show_default="24h",
            help="Remove nothing from the store that is younger: another machine may be writing (0, 12h, 7d).",
        ),
    ] = 86_400.0,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    cacert: o.CaCert = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done; change nothing.")] = False,
    format_: Annotated[
        Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """Tidy up: drop rows without object, compact the manifest, remove leftovers; list or delete objects that no row names.

    Examples:

        mediamirror catalog gc ./mirror -n

        mediamirror catalog gc s3://media/news --delete --max-delete 100
    """
    given = locals()

    async def job(output: MendOutput) -> MendSummary:
        from mediamirror.jobs.catalog.gc import collect_garbage

        options = options_from(GcOptions, given, store=store_options(given))
        return await collect_garbage(c.needed(dest, to), options=options, catalog=catalog, on_event=output)

    run_with(lambda: MendOutput(format_, quiet=quiet), job, verbose=verbose)

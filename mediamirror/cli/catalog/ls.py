"""``mediamirror catalog ls``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.catalog import common as c
from mediamirror.cli.running import run_with


def command(
    dest: c.Dest = None,
    to: c.To = None,
    host: c.Host = None,
    image_set: c.Set = None,
    width: c.Width = None,
    image_format: c.ImageFormat = None,
    status: c.Status = None,
    rule: c.Rule = None,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    format_: Annotated[
        Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    hide_secrets: o.HideSecrets = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """List what the catalog knows: a row for each variant, image sets together, then objects without a URL.

    Examples:

        mediamirror catalog ls s3://media/news

        mediamirror catalog ls ./mirror --status failed --status rejected

        mediamirror catalog ls ./mirror --host '*.example.org' --width '>=1280' --image-format webp --format jsonl

        mediamirror catalog ls ./mirror --set 'clock tower' --rule MM3
    """
    from mediamirror.cli.catalog.output import Listed, print_rows

    async def job(_: None) -> Listed:
        from mediamirror.jobs.catalog.catalogs import list_rows

        where = c.locate(c.one_dest(dest, to), catalog, endpoint_url)
        wanted = c.query(
            where, host=host, image_set=image_set, width=width, image_format=image_format, status=status, rule=rule
        )
        return await print_rows(list_rows(where, wanted), format_, quiet=quiet, hide=hide_secrets)

    run_with(nullcontext, job, verbose=verbose)

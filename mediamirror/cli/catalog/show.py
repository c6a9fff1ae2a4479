"""``mediamirror catalog show``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.catalog import common as c
from mediamirror.cli.catalog.output import Listed
from mediamirror.cli.running import run_with


def command(
    what: Annotated[
        str, typer.Argument(metavar="URL|KEY|SHA", help="A URL, a key, or a sha256 (its first 6 or more digits do).")
    ],
    dest: c.Dest = None,
    to: c.To = None,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    format_: Annotated[
        Literal["table", "json"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    verbose: o.Verbose = False,
) -> None:
    """Tell everything that is recorded of one picture: who named it, how it was fetched, what it is, where it lies.

    Examples:

        mediamirror catalog show https://example.org/a_480.webp ./mirror

        mediamirror catalog show example.org/a_480.webp --to s3://media/news

        mediamirror catalog show 3fa94c01 ./mirror --format json
    """

    async def job(_: None) -> Listed:
        from mediamirror.jobs.catalog.catalogs import tell
        from mediamirror.report.events import to_line
        from mediamirror.report.story import to_lines, to_object

        story = await tell(c.locate(c.one_dest(dest, to), catalog, endpoint_url), what)
        if format_ == "json":
            print(to_line(to_object(story)))
        else:
            print("\n".join(to_lines(story)))
        return Listed()

    run_with(nullcontext, job, verbose=verbose)

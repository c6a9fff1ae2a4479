"""``mediamirror report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import store_options
from mediamirror.cli.running import run
from mediamirror.settings import CheckOptions, ReviewOptions

_DEFAULT = ReviewOptions()


def command(
    destination: Annotated[
        str | None,
        typer.Argument(metavar="[DEST]", help="The mirror: a directory, or s3://bucket/prefix; or give --catalog."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write the report into.")
    ] = Path("report"),
    catalog: o.CatalogFile = None,
    no_thumbnails: Annotated[
        bool,
        typer.Option("--no-thumbnails", help="Read the catalog alone, no stored image: far quicker, without pictures."),
    ] = False,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    cacert: o.CaCert = None,
    workers: o.Workers = None,
    concurrency: o.Concurrency = _DEFAULT.concurrency,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    no_progress: o.NoProgress = False,
) -> None:
    """Make an HTML report of what was mirrored: contact sheets of the stored images, and what was found in them.

    The folder opens from disk without a network and can be sent to somebody. Nothing is fetched from the origins, and neither
    the mirror nor its catalog is changed. Exit code 1: a recorded object is missing, was changed or can't be decoded.

    Examples:

        mediamirror report ./mirror -o ./report

        mediamirror report s3://media/news --endpoint-url http://127.0.0.1:8333 -o ./report

        mediamirror report --catalog news.sqlite -o ./report --no-thumbnails
    """
    given = locals()
    from mediamirror.cli.output import Style
    from mediamirror.jobs.report import review

    options = ReviewOptions(
        store=store_options(given),
        check=CheckOptions(workers=workers),
        concurrency=min(concurrency, 64),
        thumbnails=not no_thumbnails,
    )
    style = Style(
        "none", quiet=quiet, progress=not no_progress, title=destination or f"Catalog {catalog}", report=output
    )
    run(lambda printed: review(destination, options=options, catalog=catalog, on_event=printed), style, verbose=verbose)

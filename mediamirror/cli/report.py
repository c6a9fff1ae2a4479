"""``mediamirror report``."""

from __future__ import annotations

from pathlib import Path

from mediamirror.cli import options as o
from mediamirror.cli.command import CHECKS, OUTPUT, Given, argument, command, option
from mediamirror.cli.running import run
from mediamirror.settings import CheckOptions, ReportOptions


@command(
    "report",
    argument(
        "destination", "[DEST]", "The mirror: a directory, or s3://bucket/prefix; or give --catalog.", required=False
    ),
    option("--output -o DIR", "The folder to write the report to.", panel=OUTPUT, default=Path("report")),
    option("--no-thumbnails", "Read only the catalog, not the images: much faster, no thumbnails.", panel=CHECKS),
    [o.CATALOG, *o.PLACE, o.CACERT, o.WORKERS, o.CONCURRENCY, o.QUIET, o.VERBOSE, o.NO_PROGRESS],
    defaults=ReportOptions,
)
def report_command(given: Given) -> None:
    """Make an HTML report of a mirror: contact sheets of the stored images, and their findings.

    The report works offline and can be sent to others. Nothing is requested from the origins, and neither the mirror nor its
    catalog is changed. Exit code 1: a recorded object is missing, was changed or can't be decoded.

    Examples:
        mediamirror report ./mirror -o ./report
        mediamirror report s3://media/news --endpoint-url http://127.0.0.1:8333 -o ./report
        mediamirror report --catalog news.sqlite -o ./report --no-thumbnails
    """
    from mediamirror.cli.output import Style
    from mediamirror.jobs.report import report

    options = ReportOptions(
        store=o.store_options(given),
        check=CheckOptions(workers=given.workers),
        concurrency=min(given.concurrency, 64),
        thumbnails=not given.no_thumbnails,
    )
    title = given.destination or f"Catalog {given.catalog}"
    run(
        lambda printed: report(given.destination, options=options, catalog=given.catalog, on_event=printed),
        Style("none", given.quiet, progress=not given.no_progress, title=title, report=given.output),
        verbose=given.verbose,
    )

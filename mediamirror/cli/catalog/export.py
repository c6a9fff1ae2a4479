"""``mediamirror catalog export``."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import store_options
from mediamirror.cli.catalog import common as c
from mediamirror.cli.catalog.output import Listed
from mediamirror.cli.running import complain, run_with
from mediamirror.errors import UsageError
from mediamirror.settings import StoreOptions

if TYPE_CHECKING:
    from mediamirror.catalog.listing import Query
    from mediamirror.jobs.catalog.catalogs import Where
    from mediamirror.model import Event


def command(
    dest: c.Dest = None,
    to: c.To = None,
    format_: Annotated[
        Literal["jsonl", "csv", "parquet", "warc"] | None,
        typer.Option("--format", help="What to write; by default what the name of FILE says, else jsonl."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here, not to standard output.")
    ] = None,
    host: c.Host = None,
    image_set: c.Set = None,
    width: c.Width = None,
    image_format: c.ImageFormat = None,
    status: c.Status = None,
    rule: c.Rule = None,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    cacert: o.CaCert = None,
    hide_secrets: o.HideSecrets = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """Write the catalog as one row a variant, image sets together; or, with --format warc, what is stored as a web archive.

    Examples:

        mediamirror catalog export ./mirror -o mirror.csv

        mediamirror catalog export s3://media/news -o news.parquet --status stored --width '>=640'

        mediamirror catalog export ./mirror -o mirror.warc.gz
    """
    given = locals()

    async def job(_: None) -> Listed:
        mirror = c.one_dest(dest, to)
        where = c.locate(mirror, catalog, endpoint_url)
        wanted = c.query(
            where, host=host, image_set=image_set, width=width, image_format=image_format, status=status, rule=rule
        )
        kind = format_ or _guess(output)
        if kind != "warc":
            return await _table(where, wanted, kind, output, quiet=quiet, hide=hide_secrets)
        if mirror is None:
            raise UsageError("--format warc reads the stored bytes too: give DEST beside --catalog.")
        return await _warc(mirror, where, wanted, output, store_options(given), quiet=quiet, hide=hide_secrets)

    run_with(nullcontext, job, verbose=verbose)


def _guess(output: Path | None) -> str:
    name = output.name.lower() if output else ""
    endings = {".csv": "csv", ".parquet": "parquet", ".warc": "warc", ".warc.gz": "warc"}
    return next((kind for ending, kind in endings.items() if name.endswith(ending)), "jsonl")


async def _table(where: Where, wanted: Query, kind: str, output: Path | None, *, quiet: bool, hide: bool) -> Listed:
    from mediamirror.cli.output import whole_file
    from mediamirror.jobs.catalog.catalogs import list_rows
    from mediamirror.report.events import plural
    from mediamirror.report.rows import writer_for

    if kind == "parquet" and output is None:
        raise UsageError("A Parquet file can't go to standard output: name it with -o FILE.")
    listed = Listed()
    rows = list_rows(where, wanted)
    first = await anext(rows, None)  # a catalog that can't be read is said before a file is begun
    with whole_file(output) as file, writer_for(kind, file, hide=hide) as writer:
        if first is not None:
            listed.add(first)
            writer.write(first)
        async for row in rows:
            listed.add(row)
            writer.write(row)
    if not quiet:
        print(f"{plural(listed.rows, 'row')} written{f' to {output}' if output else ''}.", file=sys.stderr)
    return listed


async def _warc(
    mirror: str, where: Where, wanted: Query, output: Path | None, options: StoreOptions, *, quiet: bool, hide: bool
) -> Listed:
    from mediamirror import __version__
    from mediamirror.cli.output import whole_file
    from mediamirror.jobs.catalog.warc_export import export_warc, sentence
    from mediamirror.model import Problem

    def tell(event: Event) -> None:
        if isinstance(event, Problem):
            complain(event.message)

    file: IO[bytes]
    with whole_file(output) as file:
        done = await export_warc(
            mirror,
            where,
            wanted,
            file,
            options=options,
            software=f"mediamirror/{__version__}",
            compressed=output is not None and output.name.lower().endswith(".gz"),
            hide=hide,
            on_event=tell,
        )
    if not quiet:
        print(sentence(done), file=sys.stderr)
    return Listed(exit_code=done.exit_code, rows=done.responses)

"""``mediamirror sync``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import sync_options
from mediamirror.cli.running import run_with
from mediamirror.settings import SyncOptions

_DEFAULT = SyncOptions()


def command(
    source: o.Source,
    destination: o.Destination,
    checksum: o.Checksum = False,
    size_only: o.SizeOnly = False,
    attributes: o.Attributes = False,
    ignore_existing: Annotated[
        bool,
        typer.Option(
            "--ignore-existing", rich_help_panel=o.COMPARE, help="Leave what DEST has already, whatever it is."
        ),
    ] = False,
    include: o.IncludeKey = None,
    exclude: o.ExcludeKey = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove from DEST what SRC does not have (excluded keys stay).")
    ] = False,
    max_delete: Annotated[
        int | None, typer.Option("--max-delete", metavar="N", min=0, help="Change nothing if more would be removed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --delete remove everything that DEST holds.")] = False,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    source_endpoint_url: o.SourceEndpoint = None,
    source_region: o.SourceRegion = None,
    source_profile: o.SourceProfile = None,
    acl: o.Acl = None,
    cache_control: o.CacheControl = None,
    storage_class: o.StorageClass = None,
    create_bucket: o.CreateBucket = False,
    metadata: o.Metadata = None,
    concurrency: o.Concurrency = _DEFAULT.concurrency,
    cacert: o.CaCert = None,
    dry_run: o.DryRun = False,
    format_: Annotated[
        Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    no_progress: o.NoProgress = False,
) -> None:
    """Make DEST hold what SRC holds, told by sha256: what is the same there is not sent again.

    Examples:

        mediamirror sync ./mirror s3://media/news

        mediamirror sync s3://media/news s3://media/copy --delete --max-delete 100 -n

        mediamirror sync s3://media/news ./mirror --exclude '*.tmp'
    """
    given = locals()
    from mediamirror import sync
    from mediamirror.cli.objects import ObjectOutput

    options = sync_options(given)
    run_with(
        lambda: ObjectOutput(format_, quiet=quiet, verbose=verbose, progress=not no_progress),
        lambda output: sync(source, destination, options=options, catalog=catalog, on_event=output),
        verbose=verbose,
    )

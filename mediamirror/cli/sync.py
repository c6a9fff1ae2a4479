"""``mediamirror sync`` and ``mediamirror check``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Annotated, Literal, Self

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import sync_options
from mediamirror.cli.running import run_with
from mediamirror.errors import UsageError
from mediamirror.settings import SyncOptions

if TYPE_CHECKING:
    from mediamirror.cli.objects import ObjectOutput
    from mediamirror.model import Mark, SyncEvent

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


LISTS = "Lists of keys"


def _file(name: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        name, metavar="FILE", rich_help_panel=LISTS, help=f"Write {what} into this file."
    )
    return option


def check_command(
    source: o.Source,
    destination: o.Destination,
    download: Annotated[
        bool, typer.Option("--download", rich_help_panel=o.COMPARE, help="Read the bytes of both sides again.")
    ] = False,
    checksum: o.Checksum = False,
    size_only: o.SizeOnly = False,
    attributes: o.Attributes = False,
    one_way: Annotated[
        bool, typer.Option("--one-way", rich_help_panel=o.COMPARE, help="What only DEST has is no difference.")
    ] = False,
    include: o.IncludeKey = None,
    exclude: o.ExcludeKey = None,
    combined: Annotated[Path | None, _file("--combined", "every key with its mark")] = None,
    missing_on_dst: Annotated[Path | None, _file("--missing-on-dst", "the keys that only SRC has")] = None,
    missing_on_src: Annotated[Path | None, _file("--missing-on-src", "the keys that only DEST has")] = None,
    differ: Annotated[Path | None, _file("--differ", "the keys that differ")] = None,
    match: Annotated[Path | None, _file("--match", "the keys that are the same")] = None,
    error: Annotated[Path | None, _file("--error", "the keys that could not be read")] = None,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    source_endpoint_url: o.SourceEndpoint = None,
    source_region: o.SourceRegion = None,
    source_profile: o.SourceProfile = None,
    concurrency: o.Concurrency = _DEFAULT.concurrency,
    cacert: o.CaCert = None,
    format_: Annotated[
        Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    no_progress: o.NoProgress = False,
) -> None:
    """Compare SRC and DEST by sha256 and change nothing; exit 1 on any difference.

    Marks: = the same, + only in SRC, - only in DEST, * different, ! could not be read.

    Examples:

        mediamirror check ./mirror s3://media/news

        mediamirror check ./mirror s3://media/news --download --combined marks.txt
    """
    given = locals()
    from mediamirror import check
    from mediamirror.cli.objects import ObjectOutput
    from mediamirror.model import Mark

    options = sync_options(given)
    lists = {
        Mark.NOT_IN_DEST: missing_on_dst,
        Mark.NOT_IN_SRC: missing_on_src,
        Mark.DIFFERS: differ,
        Mark.SAME: match,
        Mark.ERROR: error,
    }
    printed = ObjectOutput(format_, quiet=quiet, verbose=verbose, progress=not no_progress)
    run_with(
        lambda: _Lists(printed, combined, {mark: path for mark, path in lists.items() if path}),
        lambda output: check(source, destination, options=options, catalog=catalog, on_event=output),
        verbose=verbose,
    )


class _Lists:
    """Writes keys into the files asked for, and hands every event on. Keys are written as they are, one a line."""

    def __init__(self, printed: ObjectOutput, combined: Path | None, lists: dict[Mark, Path]) -> None:
        self._printed = printed
        self._stack = ExitStack()
        self._paths = (combined, lists)
        self._combined: IO[str] | None = None
        self._files: dict[Mark, IO[str]] = {}

    def __enter__(self) -> Self:
        """Open every file, before anything is compared."""
        combined, lists = self._paths
        try:
            self._combined = self._open(combined) if combined else None
            self._files = {mark: self._open(path) for mark, path in lists.items()}
        except OSError as problem:
            self._stack.close()
            raise UsageError(f"{problem.filename} can't be written ({problem.strerror}).") from problem
        self._stack.enter_context(self._printed)
        return self

    def _open(self, path: Path) -> IO[str]:
        return self._stack.enter_context(path.open("w", encoding="utf-8", errors="surrogateescape"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every file."""
        self._stack.close()

    def __call__(self, event: SyncEvent) -> None:
        """Take one event."""
        from mediamirror.model import Compared

        if isinstance(event, Compared):
            if self._combined is not None:
                self._combined.write(f"{event.mark.value} {event.key}\n")
            if event.mark in self._files:
                self._files[event.mark].write(f"{event.key}\n")
        self._printed(event)

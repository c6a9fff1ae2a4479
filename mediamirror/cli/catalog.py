"""``mediamirror catalog``: ask and mend the catalog."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, aclosing, nullcontext
from typing import TYPE_CHECKING, Any

from mediamirror.cli import options as o
from mediamirror.cli.command import PATH, ROWS, WHAT, WHERE, Given, Group, argument, command, option
from mediamirror.cli.config import absolute_url, glob, width_range
from mediamirror.cli.objects import Listed, ObjectOutput, print_rows
from mediamirror.cli.running import run_with
from mediamirror.errors import InputMissing, UsageError
from mediamirror.settings import AdoptOptions, GcOptions

if TYPE_CHECKING:
    from mediamirror.catalog.listing import Query
    from mediamirror.jobs.catalog.catalogs import Where
    from mediamirror.model import MendSummary


_STANDINGS = ("stored", "rejected", "failed", "skipped", "gone")
"""How a variant stands in a store; ``gone`` was stored, and is no more."""

catalog_command = Group(
    "catalog",
    """
ls      catalog List the catalog: one row per variant, the image sets together, then objects without a URL.
show    catalog Print everything recorded about one image: the documents that contain it, its requests, its properties, its key.
export  export  Write the catalog as a table with one row per variant; or the stored images, as a web archive or as training samples.
gc      catalog Clean up: remove rows without object and unfinished uploads, compact the manifest; list or delete unknown objects.
rebuild catalog Make a new catalog, if it is lost or damaged, from the store: from its manifest, else from metadata and bytes.
import  catalog Add the objects of a directory or bucket that another tool wrote to the catalog; each is hashed and its header read.
""",
    help="Query and repair the catalog: where each file came from, its format and size, and where it is stored.",
)

WHICH_MIRROR = [
    argument("dest", "[DEST]", "The mirror whose catalog is used: a directory, or s3://bucket/prefix.", required=False),
    option("--to DEST", "The same as the argument DEST.", panel=WHERE),
    o.CATALOG,
]
STORE = [*o.PLACE, o.CACERT]
WHICH_ROWS = [
    option("--host HOST", "Only URLs of this host (or glob).", panel=ROWS, type=glob),
    option(
        "--set WORD",
        "Only sets with this number or id, or with this text in document name, context or alt text.",
        panel=ROWS,
        name="image_set",
    ),
    option("--width PX", "Only images of this width: 480, 480-1280, '>=1280', '<480'.", panel=ROWS, type=width_range),
    option("--image-format NAME", "Only this format: webp, jpeg, avif, …", panel=ROWS),
    option("--status", "Only rows with this status (may be repeated).", panel=ROWS, choices=_STANDINGS, multiple=True),
    option("--rule RULE", "Only with a finding of this rule: a code, a name, or MM3.", panel=ROWS, multiple=True),
]


def one_dest(given: Given) -> str | None:
    """Return the DEST, however it was given. Raises `UsageError` for two."""
    if given.dest is not None and given.to is not None and given.dest != given.to:
        raise UsageError(f"DEST was given twice, as {given.dest} and as --to {given.to}. Give it once.")
    found: str | None = given.to if given.dest is None else given.dest
    return found


def _needed(given: Given) -> str:
    """Return the DEST of a command that works on a store. Raises `UsageError` without one."""
    found = one_dest(given)
    if found is None:
        raise UsageError("Which mirror? Give DEST: a directory, or s3://bucket/prefix.")
    return found


def asked(given: Given) -> tuple[Where, Query]:
    """Find the catalog, and build the question from what was typed."""
    from mediamirror.catalog.listing import Query
    from mediamirror.jobs.catalog.catalogs import locate
    from mediamirror.lint.suppress import codes_of

    where = locate(one_dest(given), given.catalog, o.store_options(given))
    kind = given.image_format and given.image_format.lower()
    return where, Query(
        store=where.identity,
        host=given.host,
        image_set=given.image_set,
        widths=given.width,
        format={"jpg": "jpeg"}.get(kind, kind),
        statuses=given.status,
        rules=tuple(sorted(codes_of(given.rule))) if given.rule else (),
    )


@command("ls", [*WHICH_MIRROR, *STORE, *WHICH_ROWS, o.TABLE_OR_JSON, o.HIDE_SECRETS, o.QUIET, o.VERBOSE], prints=True)
def ls_command(given: Given) -> None:
    """List the catalog: one row per variant, the image sets together, then objects without a URL.

    Examples:
        mediamirror catalog ls s3://media/news
        mediamirror catalog ls ./mirror --status failed --status rejected
        mediamirror catalog ls ./mirror --host '*.example.org' --width '>=1280' --image-format webp --format jsonl
        mediamirror catalog ls ./mirror --set 'clock tower' --rule MM3
    """

    async def job(_: None) -> Listed:
        from mediamirror.jobs.catalog.catalogs import list_rows

        # Closed here, and not left to the loop: a full disk ends this while the catalog is open.
        async with aclosing(list_rows(*asked(given))) as rows:
            return await print_rows(rows, given.format_, quiet=given.quiet, hide=given.hide_secrets)

    run_with(nullcontext, job, verbose=given.verbose)


@command(
    "show",
    argument("what", "URL|KEY|SHA", "A URL, a key, or a sha256 (or at least its first 6 digits)."),
    [*WHICH_MIRROR, *STORE, o.format_of("table", "json"), o.VERBOSE],
    prints=True,
)
def show_command(given: Given) -> None:
    """Print everything recorded about one image: the documents that contain it, its requests, its properties, its key.

    Examples:
        mediamirror catalog show https://example.org/a_480.webp ./mirror
        mediamirror catalog show example.org/a_480.webp --to s3://media/news
        mediamirror catalog show 3fa94c01 ./mirror --format json
    """

    async def job(_: None) -> Listed:
        from mediamirror.jobs.catalog.catalogs import locate, tell
        from mediamirror.report.events import to_line
        from mediamirror.report.story import to_lines, to_object

        story = await tell(locate(one_dest(given), given.catalog, o.store_options(given)), given.what)
        print(to_line(to_object(story)) if given.format_ == "json" else "\n".join(to_lines(story)))
        return Listed()

    run_with(nullcontext, job, verbose=given.verbose)


@command(
    "gc",
    WHICH_MIRROR,
    option("--delete", "Delete unknown objects; without it they are only listed.", GcOptions, panel=WHERE),
    option(
        "--unreferenced",
        "Also list (with --delete: delete) images that no document references any more.",
        GcOptions,
        panel=WHERE,
    ),
    option(
        "--unread-for AGE",
        "Like --unreferenced, but ignore documents that no run has read for this time (30d).",
        GcOptions,
        panel=WHERE,
    ),
    o.MAX_DELETE,
    option(
        "--force",
        "Go on even if all objects would be deleted, or if no object of the catalog exists.",
        GcOptions,
        panel=WHERE,
    ),
    option(
        "--older-than AGE",
        "Delete no younger object: another machine may be writing it (0, 12h, 7d).",
        GcOptions,
        panel=WHERE,
    ),
    option(
        "--keep-runs N", "Keep the history of only the last N runs in the catalog.", GcOptions, panel=WHERE, least=1
    ),
    STORE,
    o.DRY_RUN,
    o.PRINTING,
)
def gc_command(given: Given) -> None:
    """Clean up: remove rows without object and unfinished uploads, compact the manifest; list or delete unknown objects.

    Examples:
        mediamirror catalog gc ./mirror -n
        mediamirror catalog gc ./mirror --unreferenced
        mediamirror catalog gc ./mirror --unreferenced --delete --max-delete 500
        mediamirror catalog gc s3://media/news --delete --max-delete 100
    """

    from mediamirror.jobs.catalog.gc import collect_garbage

    _mend(given, collect_garbage, GcOptions, verbose=True)


def _mend(given: Given, job: Callable[..., Coroutine[Any, Any, MendSummary]], group: Any, *, verbose: bool) -> None:
    """Run a job that works on a store and its catalog."""

    async def run(output: ObjectOutput) -> MendSummary:
        options = o.options_from(group, given, store=o.store_options(given))
        return await job(_needed(given), options=options, catalog=given.catalog, on_event=output)

    printed = ObjectOutput(given.format_, quiet=given.quiet, verbose=verbose, routine="record")
    run_with(lambda: printed, run, verbose=given.verbose)


@command(
    "rebuild",
    WHICH_MIRROR,
    option("--force", "Replace an existing, intact catalog too.", AdoptOptions, panel=WHERE),
    [*STORE, *o.PRINTING],
)
def rebuild_command(given: Given) -> None:
    """Make a new catalog, if it is lost or damaged, from the store: from its manifest, else from metadata and bytes.

    The old file is kept beside the new one.

    Examples:
        mediamirror catalog rebuild s3://media/news
        mediamirror catalog rebuild ./mirror --catalog news.sqlite
    """

    from mediamirror.jobs.catalog.adopt import rebuild

    _mend(given, rebuild, AdoptOptions, verbose=given.verbose)


@command(
    "import",
    WHICH_MIRROR,
    option(
        "--list FILE",
        "JSON Lines with url, key and optionally sha256; - is standard input.",
        panel=WHAT,
        name="list_",
        type=PATH,
    ),
    option("--base-url URL", "Keys are paths under this URL.", AdoptOptions, panel=WHAT, type=absolute_url),
    [*STORE, *o.PRINTING],
)
def import_command(given: Given) -> None:
    """Add the objects of a directory or bucket that another tool wrote to the catalog; each is hashed and its header read.

    Examples:
        mediamirror catalog import ./photos
        mediamirror catalog import s3://media/old --list urls.jsonl
        mediamirror catalog import ./www --base-url https://example.org/
    """

    async def job(dest: str, **more: Any) -> MendSummary:
        from mediamirror.jobs.catalog.adopt import import_

        with ExitStack() as stack:
            file = None
            if given.list_ is not None:
                try:
                    is_stdin = str(given.list_) == "-"
                    file = sys.stdin.buffer if is_stdin else stack.enter_context(given.list_.open("rb"))
                except OSError as error:
                    raise InputMissing(
                        f"The list {given.list_} can't be read ({error.strerror}): name another."
                    ) from error
            return await import_(dest, list_=file, **more)

    _mend(given, job, AdoptOptions, verbose=given.verbose)

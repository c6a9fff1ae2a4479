"""``mediamirror sync`` and ``mediamirror check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediamirror.cli import options as o
from mediamirror.cli.command import COMPARE, OUTPUT, PATH, WHERE, Given, Option, command, option
from mediamirror.cli.running import run_with
from mediamirror.settings import CompareOptions, SyncOptions

if TYPE_CHECKING:
    from mediamirror.cli.objects import ObjectOutput

_BETWEEN = [o.SOURCE, o.DESTINATION, *o.COMPARING, o.CATALOG, *o.PLACE, *o.SOURCE_PLACE, o.CONCURRENCY, o.CACERT]


@command(
    "sync",
    _BETWEEN,
    option("--ignore-existing", "Don't overwrite what DEST already has.", SyncOptions, panel=COMPARE),
    option("--delete", "Delete from DEST what SRC does not have (excluded keys are kept).", SyncOptions, panel=WHERE),
    o.MAX_DELETE,
    option("--force", "Let --delete delete all objects in DEST.", SyncOptions, panel=WHERE),
    [*o.WRITE, o.DRY_RUN, *o.PRINTING, o.NO_PROGRESS],
    defaults=SyncOptions,
)
def sync_command(given: Given) -> None:
    """Copy SRC to DEST. Objects with the same sha256 are not copied again.

    Examples:
        mediamirror sync ./mirror s3://media/news
        mediamirror sync s3://media/news s3://media/copy --delete --max-delete 100 -n
        mediamirror sync s3://media/news ./mirror --exclude '*.tmp'
    """
    from mediamirror import sync

    options = o.sync_options(given)
    run_with(
        lambda: _printed(given),
        lambda output: sync(given.source, given.destination, options=options, catalog=given.catalog, on_event=output),
        verbose=given.verbose,
    )


def _printed(given: Given) -> ObjectOutput:
    from mediamirror.cli.objects import ObjectOutput

    return ObjectOutput(given.format_, quiet=given.quiet, verbose=given.verbose, progress=not given.no_progress)


def _list(name: str, text: str) -> Option:
    return option(
        f"--{name} FILE", f"{text} into this file; - is standard output.", panel=OUTPUT, written=True, type=PATH
    )


@command(
    "check",
    _BETWEEN,
    option("--download", "Read the bytes of both sides again.", CompareOptions, panel=COMPARE),
    option("--one-way", "Don't count keys that only DEST has as differences.", CompareOptions, panel=COMPARE),
    _list("combined", "Write every key with its mark"),
    _list("missing-on-dst", "Write the keys that only SRC has"),
    _list("missing-on-src", "Write the keys that only DEST has"),
    _list("differ", "Write the keys that differ"),
    _list("match", "Write the keys that are the same"),
    _list("error", "Write the keys that could not be read"),
    [*o.PRINTING, o.NO_PROGRESS],
    defaults=SyncOptions,
)
def check_command(given: Given) -> None:
    """Compare SRC and DEST by sha256 and change nothing; exit 1 on any difference.

    Marks: = the same, + only in SRC, - only in DEST, * different, ! could not be read.

    Examples:
        mediamirror check ./mirror s3://media/news
        mediamirror check ./mirror s3://media/news --download --combined marks.txt
    """
    from mediamirror import check
    from mediamirror.cli.files import KeyLists
    from mediamirror.model import Mark

    options = o.sync_options(given)
    lists = {
        Mark.NOT_IN_DEST: given.missing_on_dst,
        Mark.NOT_IN_SRC: given.missing_on_src,
        Mark.DIFFERS: given.differ,
        Mark.SAME: given.match,
        Mark.ERROR: given.error,
    }
    run_with(
        lambda: KeyLists(_printed(given), given.combined, {mark: path for mark, path in lists.items() if path}),
        lambda output: check(given.source, given.destination, options=options, catalog=given.catalog, on_event=output),
        verbose=given.verbose,
    )

"""``mediamirror rewrite`` and ``mediamirror map``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING

from mediamirror.cli import options as o
from mediamirror.cli.command import OUTPUT, PATH, SPEED, WHERE, WHICH, Given, argument, command, option
from mediamirror.cli.objects import Listed
from mediamirror.cli.running import complain, run_with
from mediamirror.errors import UsageError
from mediamirror.rewrite.maps import FORMATS
from mediamirror.settings import RewriteOptions

if TYPE_CHECKING:
    from mediamirror.cli.objects import ObjectOutput
    from mediamirror.jobs.rewrite.page import Show


@command(
    "rewrite",
    argument("inputs", "INPUT...", "A page, a folder of pages, or a glob.", nargs=-1, required=True),
    [each for each in o.READ if each.name in {"as_", "base_url"}],
    option(
        "--to OUT", "Write the pages to this folder, with all other files of an INPUT folder.", panel=WHERE, type=PATH
    ),
    option("--in-place", "Change the pages themselves.", RewriteOptions, panel=WHERE),
    option("--undo", "Restore the original bytes of rewritten pages.", RewriteOptions, panel=WHERE),
    option("--mirror DEST", "The mirror to load from: a directory, or s3://bucket/prefix.", panel=WHERE),
    [o.CATALOG, *o.PLACE, o.CACERT],
    o.PUBLIC_URL,
    option("--map FILE", "A CSV of old and new URLs, instead of a mirror.", RewriteOptions, panel=WHERE),
    option("--dry-run -n", "Print what would be done; write nothing.", panel=WHERE),
    option(
        "--strict",
        "If a URL of a page is not in the mirror, leave the page unchanged and exit 1.",
        RewriteOptions,
        panel=WHICH,
    ),
    option(
        "--fix",
        "Also correct the markup from the real files: wrong width descriptors, missing width and height. Each is listed.",
        RewriteOptions,
        panel=WHICH,
    ),
    option("--partial-sets", "Also rewrite the available URLs of incomplete image sets.", RewriteOptions, panel=WHICH),
    option(
        "--workers N",
        "Processes that read pages (default: one per core if there are more than 24 MiB of pages).",
        RewriteOptions,
        panel=SPEED,
        most=256,
    ),
    option("--stdout", "Print the rewritten page (of one INPUT page); write nothing.", panel=OUTPUT),
    option("--diff", "Print what would change, line by line; write nothing.", panel=OUTPUT),
    [*o.PRINTING, o.NO_PROGRESS],
)
def rewrite_command(given: Given) -> None:
    """Make pages load their images from the mirror. Only the URLs change; an image set is rewritten completely or not at all.

    Examples:
        mediamirror rewrite site/ --to out/ --mirror s3://media/news --public-url https://media.example.org/
        mediamirror rewrite page.html --mirror ./mirror --diff
        mediamirror rewrite site/ --in-place --catalog news.sqlite --public-url https://media.example.org/
        mediamirror rewrite site/ --undo
    """

    async def job(output: ObjectOutput) -> object:
        from mediamirror.jobs.rewrite import job as rewriting

        options = o.options_from(RewriteOptions, given, read=o.read_options(given), store=o.store_options(given))
        return await rewriting.rewrite(
            given.inputs, options=options, catalog=given.catalog, show=_show(given), on_event=output
        )

    run_with(lambda: _printed(given), job, verbose=given.verbose)  # type: ignore[arg-type]


def _printed(given: Given) -> ObjectOutput:
    from mediamirror.cli.objects import ObjectOutput

    prints = given.stdout or given.diff
    style = "table" if prints else given.format_
    return ObjectOutput(style, quiet=given.quiet or prints, verbose=given.verbose, progress=not given.no_progress)


def _show(given: Given) -> Show | None:
    if given.stdout and len(given.inputs) != 1:
        raise UsageError("--stdout prints one page: give one INPUT, or a folder with --to.")
    if given.stdout and given.diff:
        raise UsageError("--stdout prints a page, and --diff what would change in it: give one of them.")
    return _print_page if given.stdout else _print_diff if given.diff else None


def _print_page(name: str, before: bytes, after: bytes) -> None:
    del name, before
    sys.stdout.flush()
    sys.stdout.buffer.write(after)
    sys.stdout.buffer.flush()


def _print_diff(name: str, before: bytes, after: bytes) -> None:
    import os
    from difflib import unified_diff

    from mediamirror.markup.places.source import decode
    from mediamirror.report.escape import clean

    if before == after:
        return
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    old, new = (decode(data, markup=True).text.splitlines() for data in (before, after))
    for line in unified_diff(old, new, name, f"{name} (rewritten)", lineterm=""):
        colour = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m"}.get(line[:1], "") if coloured else ""
        print(f"{colour}{clean(line)}{chr(27)}[0m" if colour else clean(line))


@command(
    "map",
    argument("dest", "[DEST]", "The mirror: a directory, or s3://bucket/prefix.", required=False),
    [o.CATALOG, *o.PLACE, o.CACERT],
    option("--public-url URL", "The URL at which browsers find the mirror's keys.", panel=WHERE),
    option("--format", "The format, by target.", panel=OUTPUT, name="format_", choices=FORMATS, default="csv"),
    o.OUTPUT_FILE,
    [o.QUIET, o.VERBOSE],
    prints=True,
)
def map_command(given: Given) -> None:
    """Print a redirect map from old URLs to URLs of the mirror, for a web server or CDN. Rejected images are left out.

    Examples:
        mediamirror map ./mirror --public-url https://media.example.org/ -o map.csv
        mediamirror map s3://media/news --public-url https://media.example.org/ --format nginx -o mediamirror.map.conf
    """

    async def job(_: None) -> Listed:
        from mediamirror.cli.files import whole_file
        from mediamirror.jobs.rewrite.targets import addresses_in
        from mediamirror.report.events import plural
        from mediamirror.rewrite.maps import MapWriter

        writer, listed, left = MapWriter(given.format_), Listed(), 0
        # Closed here, and not left to the loop: a full disk ends this while the catalog is open.
        async with aclosing(addresses_in(given.dest, given.catalog, o.store_options(given), given.public_url)) as pairs:
            first = await anext(pairs, None)  # a catalog that can't be read is said before a file is begun
            with whole_file(given.output) as file:
                file.write(writer.head.encode())
                async for old, new in _chained(first, pairs):
                    row = writer.row(old, new)
                    file.write((row or "").encode())
                    listed.rows += row is not None
                    left += row is None
                file.write(writer.tail.encode())
        if not given.quiet:
            print(
                f"{plural(listed.rows, 'URL')} written{f' to {given.output}' if given.output else ''}.", file=sys.stderr
            )
        if left:
            listed.exit_code = 1
            complain(f"{plural(left, 'URL')} left out, because {writer.limit}.")
        return listed

    run_with(nullcontext, job, verbose=given.verbose)


async def _chained(
    first: tuple[str, str] | None, rest: AsyncIterator[tuple[str, str]]
) -> AsyncIterator[tuple[str, str]]:
    if first is not None:
        yield first
    async for pair in rest:
        yield pair

"""``mediamirror catalog export``."""

from __future__ import annotations

import sys
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mediamirror.cli import options as o
from mediamirror.cli.catalog import STORE, WHICH_MIRROR, WHICH_ROWS, asked, one_dest
from mediamirror.cli.command import OUTPUT, Given, command, option
from mediamirror.cli.objects import Listed
from mediamirror.cli.running import complain, run_with
from mediamirror.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediamirror.catalog.listing import Query
    from mediamirror.jobs.catalog.catalogs import Where
    from mediamirror.jobs.catalog.warc_export import Archived
    from mediamirror.model import Problem

T = TypeVar("T")


@command(
    "export",
    WHICH_MIRROR,
    option(
        "--format",
        "The format; by default that of the extension of FILE, else jsonl.",
        panel=OUTPUT,
        name="format_",
        choices=("jsonl", "csv", "parquet", "warc", "wacz", "webdataset"),
    ),
    option(
        "--rungs",
        "For samples. ends: the narrowest and the widest image of each set (small, large); all: every image (w480, …).",
        panel=OUTPUT,
        choices=("ends", "all"),
        default="ends",
    ),
    option(
        "--shard-size SIZE",
        "Begin the next part at this size: the next FILE, whose name must contain a number pattern, as in "
        "news-%06d.tar; or the next archive in a WACZ.",
        panel=OUTPUT,
        default=1 << 30,
    ),
    o.OUTPUT_FILE,
    [*WHICH_ROWS, *STORE, o.HIDE_SECRETS, o.QUIET, o.VERBOSE],
    prints=True,
)
def export_command(given: Given) -> None:
    """Write the catalog as a table with one row per variant; or the stored images, as a web archive or as training samples.

    A web archive of the catalog has only images, since a mirror keeps no pages. One that can replay the pages is written by
    `mirror INPUT --to DEST --archive FILE`; it downloads no stored image again.

    Examples:
        mediamirror catalog export ./mirror -o mirror.csv
        mediamirror catalog export s3://media/news -o news.parquet --status stored --width '>=640'
        mediamirror catalog export ./mirror -o mirror.warc.gz
        mediamirror catalog export ./mirror -o mirror.wacz
        mediamirror catalog export ./mirror -o 'pairs-%06d.tar' --image-format webp
    """

    async def job(_: None) -> Listed:
        kind = _kind(given.format_, given.output)
        where, wanted = asked(given)
        if kind == "parquet" and given.output is None:
            raise UsageError("A Parquet file can't go to standard output: name it with -o FILE.")
        if kind == "webdataset":
            return await _samples(given, where, wanted)
        return await (
            _warc(given, where, wanted, kind) if kind in {"warc", "wacz"} else _table(given, where, wanted, kind)
        )

    run_with(nullcontext, job, verbose=given.verbose)


_ENDINGS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".warc": "warc", ".warc.gz": "warc",
    ".wacz": "wacz", ".tar": "webdataset",
}  # fmt: skip


def _kind(wanted: str | None, output: Path | None) -> str:
    """Return what is written: what was asked for, else what the file's name says. Raises `UsageError` where that says something else.

    | --format | name        | written |
    |----------|-------------|---------|
    | csv      | x.csv, or x | csv     |
    | csv      | x.parquet   | refused |
    |          | x.csv       | csv     |
    |          | x.xlsx      | refused |
    |          | x, or none  | jsonl   |
    """
    name = output.name.lower() if output else ""
    told = next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)
    if wanted and told and wanted != told:
        raise UsageError(f"{output} is named like {told}, and --format says {wanted}: change one of them.")
    if not wanted and not told and output is not None and output.suffix:
        raise UsageError(
            f"{output}: {output.suffix} is not an extension that a catalog can have: use "
            f"{', '.join(_ENDINGS)}, or give --format."
        )
    return wanted or told or "jsonl"


async def _table(given: Given, where: Where, wanted: Query, kind: str) -> Listed:
    from mediamirror.cli.files import whole_file
    from mediamirror.jobs.catalog.catalogs import list_rows
    from mediamirror.report.events import plural
    from mediamirror.report.rows import writer_for

    listed = Listed()
    # Closed here, and not left to the loop: a full disk ends this while the catalog is open.
    async with aclosing(list_rows(where, wanted)) as rows:
        first = await anext(rows, None)  # a catalog that can't be read is said before a file is begun
        with whole_file(given.output) as file, writer_for(kind, file, hide=given.hide_secrets) as writer:
            if first is not None:
                listed.add(first)
                writer.write(first)
            async for row in rows:
                listed.add(row)
                writer.write(row)
    if not given.quiet:
        print(f"{plural(listed.rows, 'row')} written{f' to {given.output}' if given.output else ''}.", file=sys.stderr)
    return listed


def _with_bytes(given: Given, kind: str) -> str:
    """Return DEST. Raises `UsageError` where only the catalog was named."""
    mirror = one_dest(given)
    if mirror is None:
        raise UsageError(f"--format {kind} reads the stored bytes too: give DEST beside --catalog.")
    return mirror


def _teller(given: Given, sentence: Callable[[T], str]) -> Callable[[Problem | T], None]:
    """Return what prints problems, and how it ended."""
    from mediamirror.model import Problem

    def tell(event: Problem | T) -> None:
        if isinstance(event, Problem):
            complain(event.message)
        elif not given.quiet:
            print(sentence(event), file=sys.stderr)

    return tell


async def _warc(given: Given, where: Where, wanted: Query, kind: str) -> Listed:
    from mediamirror import __version__
    from mediamirror.cli.files import Files
    from mediamirror.jobs.catalog.warc_export import ABOUT, export_warc
    from mediamirror.jobs.run.archive import Target

    mirror = _with_bytes(given, kind)
    is_compressed = given.output is not None and given.output.name.lower().endswith(".gz")
    files = Files(given.output or Path("-"))
    files.check()
    done = await export_warc(
        mirror,
        where,
        wanted,
        Target(
            "wacz" if kind == "wacz" else "warc.gz" if is_compressed else "warc",
            files,
            f"mediamirror/{__version__}",
            ABOUT,
            part_size=given.shard_size,
            numbered=files.are_numbered,
            only_pictures=True,
            hide=given.hide_secrets,
        ),
        options=o.store_options(given),
        on_event=_teller(given, _archived),
    )
    return Listed(exit_code=done.exit_code, rows=done.responses)


def _archived(done: Archived) -> str:
    """Say in one line what was written, and what could not be."""
    from mediamirror.report.events import plural

    parts = [plural(done.responses, "response")]
    parts += [plural(done.redirects, "redirect")] if done.redirects else []
    parts += [f"{plural(done.resources, 'resource')} whose exchange is not recorded"] if done.resources else []
    line = f"{', '.join(parts)} written; no pages, which `mirror --archive` writes."
    if done.interrupted:
        line += " Interrupted: the archive is not whole. Run the same command again."
    if done.without_url:
        line += f" {plural(done.without_url, 'object')} left out for which no URL is recorded."
    if done.stripped:
        line += (
            f" {done.stripped:,} objects were stripped of their metadata before they were stored (--strip-metadata): the bytes "
            "that came are not kept, so they were left out."
        )
    if done.hops_unknown:
        line += (
            f" {done.hops_unknown:,} were fetched before redirects were recorded: they stand under their final URL alone; "
            "mirror them again to have the redirects."
        )
    if done.failed:
        line += f" {done.failed:,} could not be read or are not what was recorded."
    return line


async def _samples(given: Given, where: Where, wanted: Query) -> Listed:
    from mediamirror.cli.files import Files, whole_file
    from mediamirror.jobs.catalog.samples import export_samples, sentence

    mirror = _with_bytes(given, "webdataset")
    files = Files(given.output or Path())
    files.check()
    done = await export_samples(
        mirror,
        where,
        wanted,
        files if given.output else lambda _: whole_file(None),
        rungs=given.rungs,
        shard_size=given.shard_size if files.are_numbered else None,
        options=o.store_options(given),
        hide=given.hide_secrets,
        on_event=_teller(given, sentence),
    )
    return Listed(exit_code=done.exit_code, rows=done.samples)

"""``mediamirror mirror``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mediamirror.cli import options as o
from mediamirror.cli.command import OUTPUT, PATH, SPEED, WHERE, WHICH, Given, argument, command, option, refuse
from mediamirror.cli.running import run_with
from mediamirror.first_use import replace
from mediamirror.settings import EngineOptions, JobOptions, MirrorOptions, RewriteOptions, SelectOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediamirror.jobs.run.archive import Target
    from mediamirror.model import Event, Summary

    Printing = Callable[[Event], None]


@command(
    "mirror",
    argument("inputs", "[INPUT...]", f"{o.INPUTS.help} None is needed with --retry-failed.", nargs=-1),
    [o.TO, o.LAYOUT, o.TRUE_ENDINGS, o.CATALOG, *o.PLACE, *o.WRITE, *o.WRITE_SETS],
    option("--dry-run -n", "Print what would be done; read the pages, download no images, store nothing.", panel=WHERE),
    option(
        "--rewrite-to OUT",
        "Afterwards write the INPUTs to this folder, rewritten to load from DEST, as rewrite does.",
        panel=WHERE,
        type=PATH,
    ),
    o.PUBLIC_URL,
    option(
        "--archive FILE",
        "Also write all requests and responses to this web archive (.wacz, .warc.gz, .warc), complete enough to replay the pages.",
        panel=WHERE,
        written=True,
    ),
    option(
        "--archive-size SIZE",
        "Begin the next part of the archive at this size: in a WACZ, or in the next FILE, whose name contains a number pattern, "
        "as in site-%05d.warc.gz.",
        panel=WHERE,
        default=1 << 30,
    ),
    [*o.READ, *o.ARCHIVES, o.FAIL_EMPTY],
    o.SELECT,
    option(
        "--retry-failed",
        "Retry only the images that failed last time: those of the INPUTs, or of all of DEST if there is no INPUT.",
        SelectOptions,
        panel=WHICH,
    ),
    [*o.CHECK, *o.KEEP, o.NO_SANDBOX],
    [*o.ASKING, o.CREDENTIALS_FOR, o.ROBOTS_TAG],
    [*o.LOAD, *o.PACE, *o.ENGINE],
    option(
        "--max-time TIME",
        "End after this time (30s, 6h) as if interrupted, with the state saved: the same command resumes. Exit code 130.",
        JobOptions,
        panel=SPEED,
    ),
    [o.MAX_SIZE, *o.ANSWER_LIMITS, *o.READ_LIMITS, *o.IMAGE_LIMITS],
    option(
        "--error-file FILE",
        "Write the URL of each failed variant, and the reason, to this file; it can be an INPUT (--as urls); - is standard output.",
        panel=OUTPUT,
        written=True,
        type=PATH,
    ),
    option(
        "--metrics-port N",
        "Serve metrics of the run for Prometheus at http://127.0.0.1:N/metrics.",
        panel=OUTPUT,
        most=65535,
    ),
    [o.FAIL_ON, o.format_of("table", "json", "jsonl", "summary"), o.QUIET, o.VERBOSE, o.HIDE_SECRETS, o.NO_PROGRESS],
)
def mirror_command(given: Given) -> None:
    """Download, check, store and record every image of the INPUTs.

    Examples:
        mediamirror mirror news-by.txt --to ./mirror
        mediamirror mirror page.html --to s3://media/news --endpoint-url http://127.0.0.1:8333
        mediamirror mirror pages/ --to ./dataset --layout hash --rungs largest --min-width 640
        mediamirror mirror urls.txt --as urls --to ./mirror --fresh-for 20h --format jsonl
        mediamirror mirror https://example.org/ --depth 2 --delay 1 --to ./mirror
        mediamirror mirror page.html --to s3://public/news --strip-metadata
        mediamirror mirror site/ --to ./mirror --rewrite-to out/ --public-url https://media.example.org/
        mediamirror mirror urls.parquet --to s3://media/x --engine processes --workers 8
        mediamirror mirror --retry-failed --to ./mirror --error-file failed.txt
    """
    from mediamirror import mirror
    from mediamirror.cli.output import Output, Style

    if not given.inputs and not given.retry_failed:
        refuse("mirror needs an INPUT (or --retry-failed): `mediamirror mirror --help` has examples.")
    # A config file may say where to: what is not made, or not read, is not rewritten.
    rewrites = given.rewrite_to is not None and bool(given.inputs) and not given.dry_run
    if rewrites:
        _check_rewriting(given)
    options = MirrorOptions(
        read=o.read_options(given),
        fetch=o.fetch_options(given),
        check=o.check_options(given),
        select=o.options_from(SelectOptions, given),
        store=o.store_options(given),
        job=o.options_from(
            JobOptions,
            given,
            tell_found=given.format_ in {"json", "jsonl"},
            tell_sets=given.format_ in {"table", "summary"},
            command="mirror",
        ),
        engine=o.options_from(EngineOptions, given),
    )
    style = Style(
        given.format_,
        quiet=given.quiet,
        progress=not given.no_progress,
        summary_above=o.summary_above(given),
        hide=given.hide_secrets,
    )

    writes = given.archive is not None and bool(given.inputs) and not given.dry_run
    archive = _archive(given) if writes else None

    async def job(output: Printing) -> Summary:
        with _counted(given.metrics_port, output) as told:
            summary = await mirror(
                given.inputs,
                to=given.to,
                options=options,
                catalog=given.catalog,
                stdin=sys.stdin.buffer,
                on_event=told,
                archive=archive,
            )
        if given.engine != "in-process":
            from mediamirror.jobs.mirror.results import place_of

            print(f"What became of each image: {place_of(given.to)}", file=sys.stderr)
        return await _rewritten(given, summary) if rewrites else summary

    def printed() -> AbstractContextManager[Printing]:
        if given.error_file is None or given.dry_run:
            return Output(style)
        from mediamirror.cli.files import ErrorFile

        return ErrorFile(given.error_file, Output(style), hide=given.hide_secrets)

    run_with(printed, job, verbose=given.verbose)


def _counted(port: int | None, output: Printing) -> AbstractContextManager[Printing]:
    """What takes the events of the run, which are counted for Prometheus where a port is given."""
    if port is None:
        return nullcontext(output)
    from mediamirror.cli.metrics import served

    return served(port, output)


def _archive(given: Given) -> Target:
    """Say where the archive goes, and how. Raises `UsageError` for a name that says something else."""
    from mediamirror import __version__
    from mediamirror.cli.files import Files
    from mediamirror.jobs.run.archive import Target, kind_of

    kind, files = kind_of(given.archive), Files(given.archive)
    files.check()
    return Target(
        kind,
        files,
        software=f"mediamirror/{__version__}",
        about="Answers as they came, but for transfer codings, which are undone, and header fields with secrets.",
        part_size=given.archive_size,
        numbered=files.are_numbered,
        sources=tuple(Path(each).name for each in given.inputs if "://" not in each and each != "-"),
        hide=given.hide_secrets,
    )


def _check_rewriting(given: Given) -> None:
    """End the command before it begins where the pages can't be rewritten after it."""
    from mediamirror.jobs.rewrite.files import files_of
    from mediamirror.jobs.rewrite.targets import addresses_of

    addresses_of(given.to, given.public_url)
    for _ in files_of(given.inputs, given.rewrite_to):
        pass  # what no page can be written for is said now


async def _rewritten(given: Given, mirrored: Summary) -> Summary:
    """Rewrite the INPUTs, and say on standard error how it went; the exit code is the graver one. Not when time was up."""
    if mirrored.exit_code == 130:
        return mirrored
    from mediamirror.cli.objects import ObjectOutput
    from mediamirror.jobs.rewrite.job import rewrite
    from mediamirror.report.objects import mend_summary_line

    options = RewriteOptions(
        read=o.read_options(given),
        store=o.store_options(given),
        to=given.rewrite_to,
        mirror=given.to,
        public_url=given.public_url,
    )
    with ObjectOutput("table", quiet=True, verbose=False) as told:
        done = await rewrite(given.inputs, options=options, catalog=given.catalog, on_event=told)
    print(mend_summary_line(done), file=sys.stderr)
    return replace(mirrored, exit_code=max(mirrored.exit_code, done.exit_code))

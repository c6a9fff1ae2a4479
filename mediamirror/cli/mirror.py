"""``mediamirror mirror``."""

from __future__ import annotations

import sys

from mediamirror.cli import options as o
from mediamirror.cli.command import OUTPUT, WHICH, Given, argument, command, option, refuse
from mediamirror.cli.running import run_with
from mediamirror.settings import JobOptions, MirrorOptions, SelectOptions


@command(
    "mirror",
    argument("inputs", "[INPUT...]", f"{o.INPUTS.help} None is needed with --retry-failed.", nargs=-1),
    [o.TO, o.LAYOUT, o.TRUE_ENDINGS, o.CATALOG, *o.PLACE, *o.WRITE, *o.WRITE_SETS, o.DRY_RUN],
    [*o.READ, o.OFFLINE, o.FAIL_EMPTY],
    o.SELECT,
    option(
        "--retry-failed",
        "Fetch only what failed last time: of the INPUTs, or without INPUT of everything that was mirrored to DEST.",
        SelectOptions,
        panel=WHICH,
    ),
    [*o.CHECK, *o.KEEP, o.NO_SANDBOX],
    [*o.ASKING, o.CREDENTIALS_FOR, o.ROBOTS_TAG],
    [*o.LOAD, *o.PACE, o.WORKERS],
    [o.MAX_SIZE, *o.ANSWER_LIMITS, *o.READ_LIMITS, *o.IMAGE_LIMITS],
    option(
        "--error-file FILE",
        "Write the URL of each variant that failed, and why, into this file; it can be an INPUT (--as urls).",
        panel=OUTPUT,
    ),
    [o.FAIL_ON, *o.PRINTING, o.HIDE_SECRETS, o.NO_PROGRESS],
)
def mirror_command(given: Given) -> None:
    """Fetch, check, store and remember every image variant that the inputs name.

    Examples:
        mediamirror mirror news-by.txt --to ./mirror
        mediamirror mirror page.html --to s3://media/news --endpoint-url http://127.0.0.1:8333
        mediamirror mirror pages/ --to ./dataset --layout hash --rungs largest --min-width 640
        mediamirror mirror urls.txt --as urls --to ./mirror --fresh-for 24h --format jsonl
        mediamirror mirror https://example.org/ --depth 2 --delay 1 --to ./mirror
        mediamirror mirror page.html --to s3://public/news --strip-metadata
        mediamirror mirror --retry-failed --to ./mirror --error-file failed.txt
    """
    from mediamirror import mirror
    from mediamirror.cli.output import ErrorFile, Output, Style

    if not given.inputs and not given.retry_failed:
        refuse("mirror wants an INPUT (or --retry-failed): `mediamirror mirror --help` has examples.")
    options = MirrorOptions(
        read=o.read_options(given),
        fetch=o.fetch_options(given),
        check=o.check_options(given),
        select=o.options_from(SelectOptions, given),
        store=o.store_options(given),
        job=o.options_from(JobOptions, given, tell_sets=given.format_ == "table", command="mirror"),
    )
    style = Style(given.format_, quiet=given.quiet, progress=not given.no_progress, hide=given.hide_secrets)
    run_with(
        lambda: ErrorFile(given.error_file, Output(style), hide=given.hide_secrets),
        lambda output: mirror(
            given.inputs, to=given.to, options=options, catalog=given.catalog, stdin=sys.stdin.buffer, on_event=output
        ),
        verbose=given.verbose,
    )

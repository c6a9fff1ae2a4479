"""``mediamirror parse``."""

from __future__ import annotations

import sys
from functools import partial

from mediamirror.cli import options as o
from mediamirror.cli.command import OUTPUT, SPEED, Given, command, option
from mediamirror.cli.running import run
from mediamirror.settings import JobOptions, ParseOptions


@command(
    "parse",
    o.INPUTS,
    [*o.READ, o.FAIL_EMPTY],
    o.ASKING,
    [
        *o.PACE,
        option(
            "--workers N",
            "Processes that read documents; the output is the same.",
            ParseOptions,
            panel=SPEED,
            most=256,
        ),
    ],
    [*o.ANSWER_LIMITS, *o.READ_LIMITS],
    o.TABLE_OR_JSON,
    option(
        "--explain", "Print in the table how each document was read, and which rule found each source.", panel=OUTPUT
    ),
    [o.HIDE_SECRETS, o.QUIET, o.VERBOSE],
    prints=True,
)
def parse_command(given: Given) -> None:
    """Print the image sets of the INPUTs. Downloads no images, only INPUT, and linked pages if you ask for them.

    Examples:
        mediamirror parse news-by.txt
        mediamirror parse page.html --base-url https://example.org/ --format jsonl
        mediamirror parse https://example.org/ --follow-sitemap --depth 1 --max-pages 200
        curl -s https://example.org/ | mediamirror parse - --as html --base-url https://example.org/
    """
    from mediamirror import parse
    from mediamirror.cli.output import Style
    from mediamirror.report.events import lines_of

    job = o.options_from(JobOptions, given, command="parse")
    options = ParseOptions(
        o.read_options(given), o.fetch_options(given), job, explain=given.explain, workers=given.workers
    )
    render = partial(lines_of, hide=given.hide_secrets) if given.format_ == "jsonl" else None
    run(
        lambda output: parse(given.inputs, options=options, stdin=sys.stdin.buffer, on_event=output, render=render),
        Style(given.format_, given.quiet, progress=False, sets=True, explain=given.explain, hide=given.hide_secrets),
        verbose=given.verbose,
    )

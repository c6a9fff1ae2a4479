"""``mediamirror simulate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mediamirror.cli import options as o
from mediamirror.cli.command import WHICH, Given, command, option
from mediamirror.cli.running import run
from mediamirror.settings import CheckOptions, VerifyOptions

if TYPE_CHECKING:
    from mediamirror.cli.output import Output
    from mediamirror.lint.simulate import Choice
    from mediamirror.model import Event, ImageSet


def _screen(text: str) -> Any:
    from mediamirror.lint import parse_screen

    return parse_screen(text)


@command(
    "simulate",
    o.INPUTS,
    option(
        "--viewport WxH@DPR", "A screen, such as 390x844@3 (may be repeated).", panel=WHICH, multiple=True, type=_screen
    ),
    option(
        "--browser",
        "The browser to simulate where browsers differ: JPEG XL, auto sizes, rare media features.",
        panel=WHICH,
        choices=("common", "chromium", "firefox", "safari"),
        default="common",
    ),
    [*o.READ[:2], o.ROOT, *o.ASKING, o.ROBOTS_TAG, *o.PACE[1:]],
    [o.format_of("table", "jsonl"), o.HIDE_SECRETS, o.VERBOSE],
    prints=True,
)
def simulate_command(given: Given) -> None:
    """Print which file a browser loads on each screen, its size, and how many of its pixels that screen can't show.

    If the server allows it, only the first bytes of each file are downloaded. Without --viewport, common devices are used.

    Examples:
        mediamirror simulate page.html --viewport 390x844@3 --viewport 1440x900@1
        mediamirror simulate dist/ --root dist/
    """
    from mediamirror.cli.output import Style
    from mediamirror.jobs.verify.job import simulate_screens
    from mediamirror.lint import DEVICES

    options = VerifyOptions(
        read=o.read_options(given),
        fetch=o.fetch_options(given),
        check=CheckOptions(check="header"),
        root=given.root,
        browser=given.browser,
    )
    show = partial(_as_lines, hide=given.hide_secrets) if given.format_ == "jsonl" else _as_table
    run(
        lambda output: simulate_screens(
            given.inputs,
            screens=given.viewport or DEVICES,
            options=options,
            stdin=sys.stdin.buffer,
            on_event=partial(_tell, output),
            on_set=show,
        ),
        Style("table", quiet=True),
        verbose=given.verbose,
    )


def _tell(output: Output, event: Event) -> None:
    """Say too, where the output is kept quiet, that there was nothing to choose from."""
    from mediamirror.model import Summary
    from mediamirror.report.events import summary_sentence

    output(event)
    if isinstance(event, Summary) and not event.variants:
        print(summary_sentence(event), file=sys.stderr)


def _as_lines(found: ImageSet, choices: Sequence[Choice], *, hide: bool) -> None:
    from dataclasses import asdict

    from mediamirror.report.events import to_line

    for choice in choices:
        row = {"type": "choice", "document": found.document, "line": found.line, **asdict(choice)}
        row["screen"] = str(choice.screen)
        print(to_line(row, hide=hide))


def _as_table(found: ImageSet, choices: Sequence[Choice]) -> None:
    from mediamirror.report.table import choices_table, print_block, standard

    print_block(standard(sys.stdout), choices_table(found, choices))

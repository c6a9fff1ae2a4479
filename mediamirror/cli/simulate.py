"""``mediamirror simulate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mediamirror.cli import options as o
from mediamirror.cli.build import fetch_options, read_options
from mediamirror.cli.running import fail, run
from mediamirror.errors import MediamirrorError
from mediamirror.settings import CheckOptions, VerifyOptions

if TYPE_CHECKING:
    from mediamirror.cli.output import Output
    from mediamirror.lint.simulate import Choice
    from mediamirror.model import Event, ImageSet


def command(
    inputs: o.Inputs,
    viewport: Annotated[
        list[str] | None,
        typer.Option("--viewport", metavar="WxH@DPR", help="A screen, such as 390x844@3 (may be repeated)."),
    ] = None,
    as_: o.As = "auto",
    base_url: o.BaseUrl = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", metavar="DIR", rich_help_panel=o.READ, help="Read the site's own URLs from this folder."
        ),
    ] = None,
    header: o.Header = None,
    user_agent: o.UserAgent = None,
    contact: o.Contact = None,
    connect_to: o.ConnectTo = None,
    cacert: o.CaCert = None,
    proxy: o.Proxy = None,
    ignore_robots: o.NoRobots = False,
    respect_x_robots_tag: o.RobotsTag = False,
    allow_private: o.AllowPrivate = False,
    allow_host: o.AllowHost = None,
    timeout: o.Timeout = 60.0,
    retries: o.Retries = 4,
    format_: Annotated[
        Literal["table", "jsonl"], typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")
    ] = "table",
    hide_secrets: o.HideSecrets = False,
    verbose: o.Verbose = False,
) -> None:
    """Say which file each screen would load, its real pixels and bytes, and what of it that screen can't use.

    Only the first bytes of each file are fetched, where the server allows that. Without --viewport, common devices.

    Examples:

        mediamirror simulate page.html --viewport 390x844@3 --viewport 1440x900@1

        mediamirror simulate dist/ --root dist/
    """
    given = locals()
    from mediamirror.cli.output import Style
    from mediamirror.jobs.verify.job import simulate_screens
    from mediamirror.lint import DEVICES, parse_screen

    try:
        screens = tuple(parse_screen(text) for text in viewport or ()) or DEVICES
    except MediamirrorError as error:
        fail(error)
    options = VerifyOptions(
        read=read_options(given), fetch=fetch_options(given), check=CheckOptions(check="header"), root=root
    )
    show = partial(_as_lines, hide=hide_secrets) if format_ == "jsonl" else _as_table
    run(
        lambda output: simulate_screens(
            inputs,
            screens=screens,
            options=options,
            stdin=sys.stdin.buffer,
            on_event=partial(_tell, output),
            on_set=show,
        ),
        Style("table", quiet=True),
        verbose=verbose,
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
    from mediamirror.report.blocks import print_block
    from mediamirror.report.table import choices_table, console_for

    width = None if sys.stdout.isatty() else 250
    print_block(console_for(sys.stdout, terminal_width=width), choices_table(found, choices))

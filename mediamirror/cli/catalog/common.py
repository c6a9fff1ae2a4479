"""How every subcommand is told which catalog is meant, and which of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediamirror.errors import UsageError

if TYPE_CHECKING:
    from mediamirror.catalog.listing import Query
    from mediamirror.jobs.catalog.catalogs import Where

WHICH = "Which rows"


class Standing(StrEnum):
    """How a variant stands in a store; ``gone`` was stored, and is no more."""

    STORED = "stored"
    REJECTED = "rejected"
    FAILED = "failed"
    SKIPPED = "skipped"
    GONE = "gone"


Dest = Annotated[
    str | None,
    typer.Argument(metavar="[DEST]", help="The mirror: a directory, or s3://bucket/prefix. Its catalog is meant."),
]
To = Annotated[str | None, typer.Option("--to", metavar="DEST", help="The same as DEST, as mirror calls it.")]
Host = Annotated[
    str | None, typer.Option("--host", metavar="HOST", rich_help_panel=WHICH, help="Only URLs of this host (or glob).")
]
Set = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar="WORD",
        rich_help_panel=WHICH,
        help="Only sets with this number or id, or this text in their document's name, context or alt text.",
    ),
]
Width = Annotated[
    str | None,
    typer.Option(
        "--width", metavar="PX", rich_help_panel=WHICH, help="Only pictures so wide: 480, 480-1280, '>=1280', '<480'."
    ),
]
ImageFormat = Annotated[
    str | None,
    typer.Option("--image-format", metavar="NAME", rich_help_panel=WHICH, help="Only this format: webp, jpeg, avif, …"),
]
Status = Annotated[
    list[Standing] | None,
    typer.Option("--status", rich_help_panel=WHICH, help="Only what ended so (may be repeated)."),
]
Rule = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="RULE",
        rich_help_panel=WHICH,
        help="Only with a finding of this rule: a code, a name, or MM3.",
    ),
]


def one_dest(dest: str | None, to: str | None) -> str | None:
    """Return the DEST, however it was given. Raises `UsageError` for two."""
    if dest is not None and to is not None and dest != to:
        raise UsageError(f"DEST was given twice, as {dest} and as --to {to}. Give it once.")
    return to if dest is None else dest


def needed(dest: str | None, to: str | None) -> str:
    """Return the DEST of a command that works on a store. Raises `UsageError` without one."""
    found = one_dest(dest, to)
    if found is None:
        raise UsageError("Which mirror? Give DEST: a directory, or s3://bucket/prefix.")
    return found


def locate(dest: str | None, catalog: Path | None, endpoint_url: str | None) -> Where:
    """Find the catalog."""
    from mediamirror.jobs.catalog.catalogs import locate as find

    return find(dest, catalog, endpoint_url)


def query(
    where: Where,
    *,
    host: str | None,
    image_set: str | None,
    width: str | None,
    image_format: str | None,
    status: Sequence[str] | None,
    rule: list[str] | None,
) -> Query:
    """Build the question from what was typed."""
    from mediamirror.catalog.listing import Query
    from mediamirror.cli.values import width_range
    from mediamirror.lint import choose_codes

    try:
        widths = None if width is None else width_range(width)
    except typer.BadParameter as error:
        raise UsageError(f"--width: {error.message}") from error
    return Query(
        store=where.identity,
        host=host,
        image_set=image_set,
        widths=widths,
        format=None if image_format is None else {"jpg": "jpeg"}.get(image_format.lower(), image_format.lower()),
        statuses=tuple(status or ()),
        rules=tuple(sorted(choose_codes(tuple(rule), ()))) if rule else (),
    )

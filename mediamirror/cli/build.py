"""Option groups from what was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mediamirror.cli.running import fail
from mediamirror.cli.values import pair
from mediamirror.errors import MediamirrorError
from mediamirror.settings import FetchOptions


def fetch_options(
    *, header: list[str] | None, connect_to: list[str] | None, cacert: Path | None, **plain: Any
) -> FetchOptions:
    """Build the fetch options; a malformed header, rule or file ends the command with its sentence."""
    from mediamirror.fetch import parse_connect_to, parse_header

    try:
        return FetchOptions(
            headers=tuple(parse_header(text) for text in header or ()),
            connect_to=tuple(parse_connect_to(text) for text in connect_to or ()),
            cacert=cacert,
            **plain,
        )
    except MediamirrorError as error:
        fail(error)


def metadata_pairs(values: list[str] | None) -> tuple[tuple[str, str], ...]:
    """Read every ``--metadata k=v``."""
    return tuple(pair(text) for text in values or ())

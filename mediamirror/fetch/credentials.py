"""Headers of the user's own (``-H``), and who may see the secret ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mediamirror.errors import UsageError
from mediamirror.fetch.urls import Target

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
_OURS = {
    "host": "use --connect-to to reach a name at another address",
    "accept-encoding": "images are asked for as they are stored",
    "range": "whole files are mirrored",
    "if-none-match": "a second run asks on its own whether a file has changed",
    "if-modified-since": "a second run asks on its own whether a file has changed",
    **dict.fromkeys(
        ("content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "keep-alive"),
        "the connection's own headers can't be chosen",
    ),
}


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value`` (and curl's ``Name;`` for an empty value). Raises `UsageError`; never shows the value."""
    name, colon, value = text.partition(":")
    if not colon:
        name, colon, rest = text.partition(";")
        if not colon or rest.strip():
            raise UsageError("-H wants 'Name: value'.")
    name, value = name.strip(" "), value.strip(" \t")
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"-H got {name[:40]!r}, which can't be a header's name; it wants 'Name: value'.")
    if _BAD_VALUE.search(value):
        raise UsageError(f"-H {name}: the value holds a character that can't be in a header, such as a line break.")
    if (reason := _OURS.get(name.lower())) is not None:
        raise UsageError(f"-H {name} can't be set: {reason}.")
    return name, value


def may_see_secrets(target: Target, hosts: Iterable[str]) -> bool:
    """Say whether a URL is meant by ``hosts``: each an origin, ``host`` (any port) or ``host:port``, IPv6 in brackets."""
    bare = f"[{target.host}]" if ":" in target.host else target.host
    names = {target.origin, target.host, bare, f"{bare}:{target.port}"}
    return any(host.lower() in names for host in hosts)

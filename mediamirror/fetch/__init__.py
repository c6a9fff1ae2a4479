"""URL to bytes, politely and safely. The only owner of the HTTP client.

Names load on first use, so that parsing ``-H`` and ``--connect-to`` does not import the HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediamirror.fetch.guard import parse_allow_host, parse_connect_to
    from mediamirror.fetch.open import OpenFetcher, Transport, open_fetcher
    from mediamirror.fetch.request import Fetcher, Request, discard, parse_header

__all__ = [
    "Fetcher",
    "OpenFetcher",
    "Request",
    "Transport",
    "discard",
    "open_fetcher",
    "parse_allow_host",
    "parse_connect_to",
    "parse_header",
]

_HOMES = {
    "Fetcher": "request",
    "OpenFetcher": "open",
    "Request": "request",
    "Transport": "open",
    "discard": "request",
    "open_fetcher": "open",
    "parse_allow_host": "guard",
    "parse_connect_to": "guard",
    "parse_header": "request",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

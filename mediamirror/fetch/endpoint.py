"""Connections to a server that the user named, such as an S3 endpoint: no guard, no robots, no politeness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from mediamirror.errors import UsageError
from mediamirror.fetch.guard import Guard, allow_all
from mediamirror.fetch.transport import AiohttpTransport, make_ssl_context
from mediamirror.settings import Rewired


@asynccontextmanager
async def open_transport(
    cacert: Path | None, *, limit: int, connect_to: Sequence[Rewired] = (), proxy: str | None = None
) -> AsyncIterator[httpx2.AsyncBaseTransport]:
    """Open up to ``limit`` connections for one run, and close them after it. Raises `UsageError` for a bad ``cacert``."""
    try:
        context = make_ssl_context(str(cacert)) if cacert else None
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"--cacert {cacert} can't be used: {error.strerror or error}.") from error
    # The endpoint is the user's own choice, and often a private address. Its connections are its own: a page that
    # names the same address meets the guard of the fetchers.
    async with AiohttpTransport(
        guard=Guard(allow_all), connect_to=connect_to, ssl_context=context, proxy=proxy, limit=limit
    ) as transport:
        yield transport

"""Connections to a server that the user named, such as an S3 endpoint: no guard, no robots, no politeness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mediamirror.settings import Rewired

if TYPE_CHECKING:
    import httpx2


@asynccontextmanager
async def open_transport(
    cacert: Path | None, *, limit: int, connect_to: Sequence[Rewired] = (), proxy: str | None = None
) -> AsyncIterator[httpx2.AsyncBaseTransport]:
    """Open up to ``limit`` connections for one run, and close them after it. Raises `UsageError` for a bad ``cacert``."""
    # Half of a start's time goes into loading the HTTP client: it is loaded where there is something to connect to.
    from mediamirror.fetch.guard import Guard, allow_all  # noqa: PLC0415
    from mediamirror.fetch.transport import CurlTransport  # noqa: PLC0415

    # The endpoint is the user's own choice, and often a private address. Its connections are its own: a page that
    # names the same address meets the guard of the fetchers.
    async with CurlTransport(
        guard=Guard(allow_all), connect_to=connect_to, cacert=cacert, proxy=proxy, limit=limit
    ) as transport:
        yield transport


@asynccontextmanager
async def open_transport_to(
    places: Sequence[str],
    cacert: Path | None,
    *,
    limit: int,
    connect_to: Sequence[Rewired] = (),
    proxy: str | None = None,
) -> AsyncIterator[httpx2.AsyncBaseTransport | None]:
    """Open a transport if one of the places is a bucket; yield None for directories."""
    if not any(place[:3].lower() == "s3:" for place in places):
        yield None
        return
    async with open_transport(cacert, limit=limit, connect_to=connect_to, proxy=proxy) as transport:
        yield transport

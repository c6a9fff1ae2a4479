"""The fetcher of a run and the transport to a bucket, put together when needed: a run that asks nobody loads no HTTP client.

The transport is to a server that the user named: no guard, no robots, no politeness.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mediamirror.fetch.hosts import NOW, KnownHost, Outlook
from mediamirror.fetch.request import Request, check_options
from mediamirror.model import Download
from mediamirror.settings import FetchOptions, Rewired

if TYPE_CHECKING:
    from mediamirror.fetch.open import OpenFetcher
    from mediamirror.wire import Carrier, Transport


@asynccontextmanager
async def open_transport(
    cacert: Path | None, *, limit: int, connect_to: Sequence[Rewired] = (), proxy: str | None = None
) -> AsyncIterator[Carrier]:
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
) -> AsyncIterator[Carrier | None]:
    """Open a transport if one of the places is a bucket; yield None for directories."""
    if not any(place[:3].lower() == "s3:" for place in places):
        yield None
        return
    async with open_transport(cacert, limit=limit, connect_to=connect_to, proxy=proxy) as transport:
        yield transport


class LateFetcher:
    """What `open.open_fetcher` opens, opened when it is first needed. Use as an async context manager.

    Raises `UsageError` for options that can't be kept as soon as it is made or entered, whether anything is asked or not.
    """

    def __init__(
        self,
        options: FetchOptions,
        *,
        spool_dir: Path,
        own_hosts: frozenset[str] = frozenset(),
        transport: Transport | None = None,
    ) -> None:
        check_options(options)
        self._options = options
        self._spool_dir = spool_dir
        self._own_hosts = own_hosts
        self._transport = transport
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._fetcher: OpenFetcher | None = None

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL: guard, politeness, robots.txt, redirects and retries included."""
        return await (self._fetcher or await self._opened()).fetch(request)

    def outlook(self, authority: str) -> Outlook:
        """Return when the next request to a ``host`` or ``host:port`` may start."""
        return NOW if self._fetcher is None else self._fetcher.outlook(authority)

    def known(self, names: Iterable[str]) -> dict[str, KnownHost]:
        """Return what was learnt of hosts, for another process that asks them next."""
        return {} if self._fetcher is None else self._fetcher.known(names)

    async def learn(self, known: Mapping[str, KnownHost]) -> None:
        """Go on with what another process has learnt of hosts."""
        if known:
            (self._fetcher or await self._opened()).learn(known)

    async def sitemaps(self, origin: str) -> tuple[str, ...] | None:
        """Return the sitemaps that an origin's cached robots.txt names; None with ``--ignore-robots``."""
        return await (self._fetcher or await self._opened()).sitemaps(origin)

    async def _opened(self) -> OpenFetcher:
        async with self._opening:
            if self._fetcher is None:
                from mediamirror.fetch.open import open_fetcher  # noqa: PLC0415 -- start-up time

                stack = open_fetcher(
                    self._options, spool_dir=self._spool_dir, own_hosts=self._own_hosts, transport=self._transport
                )
                self._fetcher = await self._stack.enter_async_context(stack)
        return self._fetcher

    async def __aenter__(self) -> Self:
        """Enter. Certificates that can't be read, and what is to be warned of, are told before the first item."""
        if self._options.cacert is not None or not self._options.robots:
            await self._opened()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        """Close every connection, if there are any."""
        await self._stack.__aexit__(*raised)

"""What every job needs: someone to tell, the inputs' documents, a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mediamirror.fetch import OpenFetcher, Request
from mediamirror.model import Download, Event

Emit = Callable[[Event], None]
"""Called with each event of a job, in order; must not block."""

_DOCUMENTS = "text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.7"


def nobody_listens(event: Event) -> None:
    """Take an event and do nothing."""
    del event


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def own_hosts(inputs: Sequence[str]) -> frozenset[str]:
    """Return the hosts of the inputs that are URLs: they may see the credentials that the user gave."""
    urls = (each for each in inputs if each.startswith(("http://", "https://")))
    return frozenset(host for host in (_host(url) for url in urls) if host)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def document_fetcher(fetcher: OpenFetcher, max_size: int) -> Callable[[str], object]:
    """Return the function that `read_inputs` calls for an INPUT that is a URL."""

    async def fetch(url: str) -> Download:
        return await fetcher.fetch(Request(url, accept=_DOCUMENTS, max_size=max_size, allow_empty=True))

    return fetch

"""Images out of the web archives among the inputs, before the network is asked."""

from __future__ import annotations

from dataclasses import replace

from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.errors import NotArchived
from mediamirror.fetch import Fetcher, Request, discard
from mediamirror.model import Download


class ArchiveFirst:
    """A fetcher that answers from the archives what they hold, and asks another for the rest.

    With ``offline`` nothing is asked of the network, and what no archive holds is `NotArchived`. A conditional request for
    what the archive still holds unchanged is answered like 304, without a body.
    """

    def __init__(self, archive: WarcArchive, network: Fetcher, *, offline: bool) -> None:
        self._archive = archive
        self._network = network
        self._offline = offline

    async def fetch(self, request: Request) -> Download:
        """Keep the contract of `fetch.request.Fetcher`."""
        found = await self._archive.lookup(request.url) if self._archive.count else None
        if found is not None:
            return _answer(found, request)
        if self._offline:
            raise NotArchived(f"{request.url} is in none of the archives; leave --offline away to fetch it.")
        return await self._network.fetch(request)


def _answer(found: Download, request: Request) -> Download:
    same_tag = request.etag is not None and request.etag == found.header("etag")
    same_time = request.etag is None and request.last_modified == found.header("last-modified")
    if request.conditional and (same_tag or same_time) and found.body is not None:
        discard(found.body)
        return replace(found, http_status=304, body=None)
    return found

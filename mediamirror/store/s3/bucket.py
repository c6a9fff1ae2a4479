"""The bucket as a whole: whether it is there, making it, and its pages of keys."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import quote

from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreError, StoreRefused
from mediamirror.model import Body
from mediamirror.store.s3 import listing as s3_listing
from mediamirror.store.s3.connection import DEFAULT_REGION
from mediamirror.store.s3.errors import not_s3
from mediamirror.store.s3.exchange import Call, Exchange

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


async def prove(exchange: Exchange, prefix: str, name: str) -> None:
    """List one key: proves endpoint, credentials, region and bucket at once. Raises `StoreError`."""
    query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='~')}"
    answer = await exchange.call(Call("GET", "", name, query), retries=1)
    if b"ListBucketResult" not in answer.body:
        raise not_s3(exchange.where(name))


async def prove_or_make(exchange: Exchange, prefix: str, name: str, *, may_make: bool, create: bool) -> None:
    """Prove that the bucket can be used.

    | it is there | ``may_make`` (--create-bucket) | ``create`` (no dry run) |                                     |
    |-------------|--------------------------------|-------------------------|-------------------------------------|
    | yes         |                                |                         | nothing to do                       |
    | no          | yes                            | yes                     | it is made                          |
    | no          | yes                            | no                      | `DestinationMissing`: holds nothing |
    | no          | no                             | yes                     | refused; the option is named        |
    | no          | no                             | no                      | refused                             |
    """
    try:
        await prove(exchange, prefix, name)
    except NoSuchBucket as error:
        where = exchange.where(name)
        if not may_make:
            hint = " --create-bucket makes it." if create else ""
            raise StoreRefused(f"{error.message}{hint}") from error
        if not create:
            raise DestinationMissing(f"There is no bucket {where.bucket} at {where.endpoint} yet.") from error
        await _make(exchange)
        await prove(exchange, prefix, name)


async def _make(exchange: Exchange) -> None:
    """Make the bucket. Another run may have made it just now: whoever calls proves it again."""
    where = exchange.where("")
    try:
        await exchange.call(Call("PUT", "", f"the bucket {where.bucket}", body=_configuration(where.region)))
    except StoreError as error:
        raise StoreRefused(f"The bucket {where.bucket} could not be made: {error.message}") from error


def _configuration(region: str) -> Body:
    """Outside the default region a bucket is made only where the request names the region."""
    inner = f"<LocationConstraint>{region}</LocationConstraint>"
    text = f'<CreateBucketConfiguration xmlns="{_XMLNS}">{inner}</CreateBucketConfiguration>'
    data = b"" if region == DEFAULT_REGION else text.encode()
    return Body(len(data), hashlib.sha256(data).hexdigest(), data=data)


class Pages:
    """The listing of a bucket, page by page, in the server's own order. Keys are told without ``own``, the store's prefix."""

    def __init__(self, exchange: Exchange, name: str, *, own: str, size: int) -> None:
        self._exchange = exchange
        self._name = name
        self._own = own
        self._size = size

    async def page(self, prefix: str, following: str | None) -> s3_listing.Page:
        """Ask for one page."""
        query = s3_listing.page_query(self._own + prefix, self._size, following)
        answer = await self._exchange.call(Call("GET", "", self._name, query, longest=s3_listing.LONGEST_PAGE))
        try:
            return s3_listing.read_page(answer.body, self._own)
        except s3_listing.BadListing as error:
            raise StoreError(f"{self._name} could not be listed: the answer makes no sense ({error}).") from error

    async def all(self, prefix: str) -> AsyncIterator[s3_listing.Page]:
        """Yield every page. While one is looked at, the next is on its way."""
        asked: asyncio.Task[s3_listing.Page] | None = asyncio.create_task(self.page(prefix, None))
        try:
            while asked is not None:
                page = await asked
                asked = asyncio.create_task(self.page(prefix, page.following)) if page.following else None
                yield page
        finally:
            if asked is not None:
                asked.cancel()
                await asyncio.wait({asked})
                # Seen here: nobody else will ask how it ended.
                _ = asked.cancelled() or asked.exception()

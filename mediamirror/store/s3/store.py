"""A bucket as a store: any server that speaks S3.

Single objects and listings go the fast path: signed over the sha256 that is known already, sent over an async transport.
boto3 finds credentials, region and endpoint where flags and environment leave them open, and uploads large bodies in parts;
it is imported only then.
"""

from __future__ import annotations

import asyncio
import builtins
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from mediamirror.errors import DestinationMissing, ObjectCorrupt, ObjectMissing, StoreError, StoreRefused
from mediamirror.first_use import replace
from mediamirror.model import Body, StoredObject
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Entry, LeftOut, ObjectAttributes, Page, Store
from mediamirror.store.keys import checked_key, reason_against, visible
from mediamirror.store.ordering import Listing
from mediamirror.store.s3 import bucket as s3_bucket
from mediamirror.store.s3 import headers as s3_headers
from mediamirror.store.s3 import listing as s3_listing
from mediamirror.store.s3.bucket import connect
from mediamirror.store.s3.errors import explain, read_client_error, unreachable
from mediamirror.store.s3.exchange import Answer, Backoff, Call, Exchange

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from mediamirror.store.s3.multipart import MultipartUploads

T = TypeVar("T")

_SAME_SERVICE = ("endpoint_url", "region", "profile", "no_sign_request")
_THREADS = 8


class S3Store(Store):
    """Objects in ``bucket``, all under ``prefix``. See `store.base.Store` for the contract.

    ``transport`` sends single objects and is not closed here; without one nothing is sent. Attributes that are
    absent come from ``options``. `list` leaves out objects of others whose key this contract does not allow.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        options: StoreOptions | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        backoff: Backoff | None = None,
        chance: random.Random | None = None,
        page_size: int = 1000,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._options = options or StoreOptions()
        self._transport = transport
        self._backoff = backoff or Backoff()
        self._chance = chance or random.Random()  # noqa: S311 - jitter
        self._page_size = page_size
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mediamirror-s3")
        self._opening = asyncio.Lock()
        self._exchange: Exchange | None = None
        self._uploads: MultipartUploads | None = None
        self._to_be_made = False
        """Only after the check of a dry run: there is no bucket, so it holds nothing."""

    @property
    def name(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    async def check(self, *, create: bool = False, writes: bool = True) -> None:  # noqa: ARG002 - proved by a listing
        """Prove endpoint, credentials, region and bucket at once; with ``create`` and the option, make it. Raises `StoreRefused`."""
        may_make = self._options.create_bucket
        try:
            exchange = await self._open()
            await s3_bucket.prove_or_make(exchange, self._prefix, self.name, may_make=may_make, create=create)
        except DestinationMissing:
            self._to_be_made = True
            raise
        except StoreError as error:
            raise StoreRefused(error.message) from error

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        """Store a body under a key, whole or not at all."""
        whole = checked_key(key, prefix=self._prefix)
        wanted = s3_headers.with_defaults(attributes, self._options, body)
        send = self._put_parts if body.size > self._options.multipart_over else self._put_once
        token = await send(whole, body, wanted)
        return StoredObject(
            key=key,
            size=body.size,
            sha256=body.sha256,
            content_type=wanted.content_type,
            token=token,
            metadata=wanted.metadata,
        )

    async def head(self, key: str) -> StoredObject | None:
        """Return what is known of one object."""
        answer = await self._head(checked_key(key, prefix=self._prefix))
        return s3_headers.row_from_head(key, answer.headers) if answer else None

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes."""
        whole = checked_key(key, prefix=self._prefix)
        exchange = await self._open()
        async with aclosing(exchange.stream(Call("GET", whole, self._shown(whole)))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix``, sorted.

        AWS lists in this order and is streamed; other servers may not, so there the whole listing is sorted first.
        """
        pages = self.pages(prefix)
        with Listing() as listing:
            if not (await self._open()).connection.aws:
                pages = (await listing.fill(pages)).pages()
            async for page in pages:
                for entry in page:
                    yield s3_listing.as_object(entry)

    async def pages(self, prefix: str = "", *, left_out: LeftOut | None = None) -> AsyncIterator[Page]:
        """Yield the listing as the server gives it."""
        if self._to_be_made:
            return
        async for page in (await self._pages()).all(prefix):
            yield [entry for entry in page.entries if self._is_content(entry, prefix, left_out)]

    async def is_empty(self) -> bool:
        """Whether the first page of the listing holds no content; unlike `list`, it asks for no other page then."""
        if self._to_be_made:
            return True
        pages, following = await self._pages(), None
        while True:
            page = await pages.page("", following)
            if any(self._is_content(entry, "") for entry in page.entries):
                return False
            if page.following is None:
                return True
            following = page.following

    async def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        whole = checked_key(key, prefix=self._prefix)
        await (await self._open()).call(Call("DELETE", whole, self._shown(whole)))

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:
        """Return the uploads in parts that were begun before that moment and never finished. See `store.base.Store`."""
        return [f"{self._shown(key)} (upload {upload[:12]})" for key, upload in await self._unfinished(before)]

    async def sweep(self, *, before: datetime) -> int:
        """Abort them."""
        uploads = await self._unfinished(before)
        client = await self._client()
        for key, upload in uploads:
            abort = partial(client.abort_multipart_upload, Bucket=self._bucket)
            await self._blocking(partial(abort, Key=key, UploadId=upload), self._shown(key))
        return len(uploads)

    async def _unfinished(self, before: datetime) -> builtins.list[tuple[str, str]]:
        from mediamirror.store.s3.multipart import unfinished  # noqa: PLC0415 - start-up time

        client = await self._client()
        return await self._blocking(partial(unfinished, client, self._bucket, self._prefix, before), self.name)

    async def _client(self) -> S3Client:
        return await asyncio.to_thread((await self._open()).connection.client)

    async def _blocking(self, call: Callable[[], T], what: str) -> T:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except (ClientError, BotoCoreError) as error:
            raise self._mapped(error, await self._open(), what) from error

    def copies_from(self, other: Store) -> bool:
        """Whether ``other`` is a bucket of the same service, reached as the same user. See `store.base.Store`."""
        if not isinstance(other, S3Store):
            return False
        return all(getattr(self._options, name) == getattr(other._options, name) for name in _SAME_SERVICE)

    async def copy_from(self, other: Store, found: StoredObject, sha256: str | None) -> StoredObject:
        """Let the server copy an object of ``other`` to the same key here."""
        if not isinstance(other, S3Store):
            raise TypeError("only a bucket can be copied from")
        source = checked_key(found.key, prefix=other._prefix)
        whole = checked_key(found.key, prefix=self._prefix)
        seen = await other._head(source)
        if seen is None or s3_headers.etag(seen.headers) != found.token:
            raise ObjectMissing(
                f"{other._shown(source)} was removed or replaced meanwhile. Run the same command again."
            )
        was = s3_headers.row_from_head(found.key, seen.headers)
        sha256 = was.sha256 or sha256
        renewed = s3_headers.renewed(seen.headers, was, self._options, sha256)
        given = ObjectAttributes("", acl=self._options.acl, storage_class=self._options.storage_class)
        headers = s3_headers.copy_headers(other._bucket, source, found, renewed, given)
        answer = await (await self._open()).call(Call("PUT", whole, self._shown(whole), headers=headers))
        return replace(was, sha256=sha256, token=s3_headers.token_in(answer.body), modified=None)

    async def aclose(self) -> None:
        """Release threads; the transport is its owner's to close."""
        self._exchange = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _open(self) -> Exchange:
        """Find the bucket's address and our credentials, once."""
        if self._exchange is not None:
            return self._exchange
        if self._transport is None:
            raise StoreRefused(f"{self.name} was opened without a transport, and can't be reached.")
        async with self._opening:
            if self._exchange is None:
                renew: Callable[[], Any] = lambda: connect(self._bucket, self._options)  # noqa: E731
                connection = await asyncio.to_thread(renew)
                self._exchange = Exchange(
                    connection,
                    self._transport,
                    renew,
                    self._options,
                    backoff=self._backoff,
                    chance=self._chance,
                )
            return self._exchange

    async def _put_once(self, whole: str, body: Body, wanted: ObjectAttributes) -> str | None:
        headers = s3_headers.put_headers(wanted)
        exchange = await self._open()

        async def settled() -> Answer | None:
            try:
                found = await self._head(whole, retries=0)
            except StoreError:
                return None
            return found if found and s3_headers.holds(found.headers, headers, body) else None

        is_secure = exchange.connection.base_url.startswith("https:")
        sent = headers if is_secure else {**headers, "content-md5": await s3_headers.content_md5(body)}
        answer = await exchange.call(Call("PUT", whole, self._shown(whole), headers=sent, body=body), settled=settled)
        return s3_headers.etag(answer.headers)

    async def _put_parts(self, whole: str, body: Body, wanted: ObjectAttributes) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        exchange = await self._open()
        uploads = await self._multipart(exchange)
        headers = s3_headers.put_headers(wanted)
        failure: Exception | None = None
        try:
            await uploads.upload(whole, body, s3_headers.as_boto3(wanted), part_size=self._options.part_size)
        except (ClientError, BotoCoreError) as error:
            failure = error
        # Also after a success: not every server answers with the ETag that it shows later.
        found = await self._head(whole)
        if found is not None and s3_headers.holds(found.headers, headers, body):
            return s3_headers.etag(found.headers)
        if failure is not None:
            raise self._mapped(failure, exchange, self._shown(whole), "s3:PutObject") from failure
        raise ObjectCorrupt(
            f"{self._shown(whole)} is not there as it was sent, although the server said so. Try again."
        )

    async def _multipart(self, exchange: Exchange) -> MultipartUploads:
        """Make boto3's client when the first large body comes: most runs have none."""
        from mediamirror.store.s3.multipart import MultipartUploads  # noqa: PLC0415

        async with self._opening:
            if self._uploads is None:
                client = await asyncio.to_thread(exchange.connection.client)
                self._uploads = MultipartUploads(client, self._bucket, self._pool)
            return self._uploads

    async def _head(self, whole: str, *, retries: int | None = None) -> Answer | None:
        if self._to_be_made:
            return None
        exchange = await self._open()
        answer = await exchange.call(Call("HEAD", whole, self._shown(whole)), retries=retries)
        return None if answer.status == 404 else answer

    async def _pages(self) -> s3_listing.Pages:
        return s3_listing.Pages(await self._open(), self.name, own=self._prefix, size=self._page_size)

    def _is_content(self, entry: Entry, prefix: str, left_out: LeftOut | None = None) -> bool:
        key, size = entry[:2]
        if not visible(key, prefix):
            return False
        reason = reason_against(key, prefix=self._prefix)
        # An empty object "a/" (or the prefix itself) is how consoles draw a folder: nobody's content.
        if reason is not None and left_out is not None and (size or key[-1:] not in {"", "/"}):
            left_out(key, reason)
        return reason is None

    def _mapped(self, error: Exception, exchange: Exchange, what: str, needs: str | None = None) -> StoreError:
        where = exchange.where(what, needs)
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return explain(read_client_error(response), where, datetime.now(UTC))
        return unreachable(error, where)

    def _shown(self, whole: str) -> str:
        return f"s3://{self._bucket}/{whole}"

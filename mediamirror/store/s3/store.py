"""A bucket as a store: any server that speaks S3.

Single objects and listings go the fast path: signed over the sha256 that is known already, sent over an async transport.
boto3 finds credentials, region and endpoint where flags and environment leave them open, and uploads large bodies in parts;
it is imported only then.
"""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from mediamirror.errors import DestinationMissing, NoSuchBucket, ObjectCorrupt, ObjectMissing, StoreError, StoreRefused
from mediamirror.first_use import replace
from mediamirror.model import Body, StoredObject
from mediamirror.settings import StoreOptions, inherited_environment
from mediamirror.store.base import Entry, LeftOut, ObjectAttributes, Page, Store, checked_key, reason_against, visible
from mediamirror.store.ordering import Listing
from mediamirror.store.s3 import headers as s3_headers
from mediamirror.store.s3 import listing as s3_listing
from mediamirror.store.s3.errors import explain, not_s3, read_client_error, unreachable
from mediamirror.store.s3.exchange import Answer, Backoff, Call, Exchange
from mediamirror.store.s3.headers import AWS_DOMAINS, DEFAULT_REGION, Connection, FixedCredentials, Keys
from mediamirror.wire import Carrier

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
        transport: Carrier | None = None,
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
        self._compares: bool | None = None
        """Whether the server compares ``x-amz-checksum-sha256``; None while it was not asked."""
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
            await _prove_or_make(exchange, self._prefix, self.name, may_make=may_make, create=create)
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

        call = Call("PUT", whole, self._shown(whole), headers=headers, body=body)
        if exchange.connection.base_url.startswith("https:"):
            answer = await exchange.call(call, settled=settled)
        else:
            answer = await self._put_in_the_clear(exchange, call, body, settled)
        return s3_headers.etag(answer.headers)

    async def _put_in_the_clear(
        self, exchange: Exchange, call: Call, body: Body, settled: Callable[[], Awaitable[Answer | None]]
    ) -> Answer:
        """Send a body over plain http, where it may change on its way, with a digest that the server compares.

        Not every server compares the sha256 that a request is signed with. One that answers with the checksum that it was sent
        has compared that, which costs us nothing; every other gets a Content-MD5.
        """
        checksum = s3_headers.checksum(body)
        if self._compares is not False:
            md5 = {} if self._compares else {"content-md5": await s3_headers.content_md5(body)}
            probe = replace(call, headers={**call.headers, **checksum, **md5})
            try:
                answer = await exchange.call(probe, settled=settled)
            except StoreError as error:
                if self._compares or type(error) is not StoreError:  # a refusal of its own kind has another reason
                    raise
                self._compares = False
            else:
                self._compares = self._compares or checksum.items() <= answer.headers.items()
                return answer
        md5 = {"content-md5": await s3_headers.content_md5(body)}
        return await exchange.call(replace(call, headers={**call.headers, **md5}), settled=settled)

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


_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_LOOK_CLOSER = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_SECURITY_TOKEN", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "BOTO_CONFIG"),
)
"""Variables that may change what the others mean: boto3 knows how."""


def connect(bucket: str, options: StoreOptions) -> Connection:
    """Find credentials, region and endpoint as the AWS tools do, flags first. Nothing is sent to the bucket. Blocks.

    Raises `StoreRefused` for an unknown profile, missing credentials or an endpoint that is no URL.
    """
    return plainly_said(bucket, options) or _by_boto3(bucket, options)


def plainly_said(bucket: str, options: StoreOptions) -> Connection | None:
    """Return the connection if flags and environment leave nothing open; None if it takes boto3 to find it.

    That is: an endpoint that is a plain URL and not AWS's, no profile, keys in the environment (or anonymous access), and a
    region by flag or variable, or no configuration file that could name one. It is what boto3 would find, a fifth of a second
    sooner: a test holds the two against each other.
    """
    given = inherited_environment((*_KEYS, *_LOOK_CLOSER, "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"))
    endpoint = options.endpoint_url
    if endpoint is None or options.profile is not None or not _plain(endpoint) or any(n in given for n in _LOOK_CLOSER):
        return None
    key, secret = (given.get(name, "") for name in _KEYS)
    if not options.no_sign_request and not (key and secret):
        return None
    region = options.region or given.get("AWS_DEFAULT_REGION")
    if not region and (Path.home() / ".aws" / "config").exists():
        return None
    keys = Keys(key, secret, given.get("AWS_SESSION_TOKEN") or None)
    return Connection(
        client=lambda: _by_boto3(bucket, options).client(),
        bucket=bucket,
        base_url=f"{endpoint.rstrip('/')}/{bucket}/",
        endpoint=endpoint,
        region=region or DEFAULT_REGION,
        aws=False,
        credentials=None if options.no_sign_request else FixedCredentials(keys),
    )


def _plain(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        known = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    named = host.isascii() and host.replace("-", "").replace(".", "").isalnum() and not host.endswith(AWS_DOMAINS)
    only = endpoint.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    return known and named and only and parts.scheme in {"http", "https"} and "@" not in parts.netloc


def _by_boto3(bucket: str, options: StoreOptions) -> Connection:
    # boto3 takes a tenth of a second to import, and a client as long to be made.
    from mediamirror.store.s3.session import connect_by_boto3  # noqa: PLC0415

    return connect_by_boto3(bucket, options)


async def _prove(exchange: Exchange, prefix: str, name: str) -> None:
    """List one key: proves endpoint, credentials, region and bucket at once. Raises `StoreError`."""
    query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='~')}"
    answer = await exchange.call(Call("GET", "", name, query), retries=1)
    if b"ListBucketResult" not in answer.body:
        raise not_s3(exchange.where(name))


async def _prove_or_make(exchange: Exchange, prefix: str, name: str, *, may_make: bool, create: bool) -> None:
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
        await _prove(exchange, prefix, name)
    except NoSuchBucket as error:
        where = exchange.where(name)
        if not may_make:
            hint = " --create-bucket makes it." if create else ""
            raise StoreRefused(f"{error.message}{hint}") from error
        if not create:
            raise DestinationMissing(f"There is no bucket {where.bucket} at {where.endpoint} yet.") from error
        await _make(exchange)
        await _prove(exchange, prefix, name)


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

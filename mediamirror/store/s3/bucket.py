"""The bucket as a whole: where it is and who we are there, whether it is there, and making it.

Flags and environment may say where it is; what they leave open, boto3 finds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote, urlsplit

from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreError, StoreRefused
from mediamirror.model import Body
from mediamirror.settings import StoreOptions, inherited_environment
from mediamirror.store.s3.connection import AWS_DOMAINS, DEFAULT_REGION, Connection, FixedCredentials, Keys
from mediamirror.store.s3.errors import not_s3
from mediamirror.store.s3.exchange import Call, Exchange

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

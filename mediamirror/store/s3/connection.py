"""Where a bucket is and who we are there. Flags and environment may say it all; what they leave open, boto3 finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mediamirror.settings import StoreOptions, inherited_environment
from mediamirror.store.s3.sign import Keys, Secrets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_LOOK_CLOSER = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_SECURITY_TOKEN", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "BOTO_CONFIG"),
)
"""Variables that may change what the others mean: boto3 knows how."""


class Credentials(Protocol):
    """Credentials that may grow old."""

    def stale(self) -> bool:
        """Whether they need a refresh, which blocks, before they are read."""
        ...

    def frozen(self) -> Secrets:
        """Return access key, secret and token as of now. Blocks when `stale`."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """Credentials that stay what they are."""

    keys: Keys

    def stale(self) -> bool:
        """Never."""
        return False

    def frozen(self) -> Secrets:
        """Return them."""
        return self.keys


@dataclass(frozen=True, slots=True)
class Connection:
    """A bucket's address, and the credentials for it; ``client`` makes a boto3 client, and blocks.

    ``base_url`` ends in a slash: a key's URL is ``base_url`` plus the encoded key. ``aws`` is False for any other server.
    """

    client: Callable[[], S3Client]
    bucket: str
    base_url: str
    endpoint: str
    region: str
    aws: bool
    credentials: Credentials | None = field(repr=False)

    def stale(self) -> bool:
        """Whether the credentials need a refresh, which blocks, before they are read."""
        return self.credentials is not None and self.credentials.stale()

    def frozen(self) -> Secrets | None:
        """Return access key, secret and token as of now; None for anonymous access. Blocks when `stale`."""
        return self.credentials.frozen() if self.credentials else None


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

"""A bucket's address, who we are there, and AWS Signature Version 4 over a body whose sha256 is known.

botocore takes a tenth of a millisecond a request for the same signature, and a tenth of a second to import; a test holds the
two against each other. Source: "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from mediamirror.first_use import dataclass

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_ALGORITHM = "AWS4-HMAC-SHA256"


class Secrets(Protocol):
    """What signs a request: botocore's frozen credentials are such a thing, and `Keys`."""

    @property
    def access_key(self) -> str:
        """The id that is sent."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret that is not."""
        ...

    @property
    def token(self) -> str | None:
        """The session token, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key with its secret, and the session token where there is one."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


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


def encoded_path(path: str) -> str:
    """Percent-encode as S3 signs: all but unreserved characters and the slash. The same spelling goes on the wire."""
    return quote(path, safe="/~", errors="strict")


def _now() -> datetime:
    return datetime.now(UTC)


class Signer:
    """Adds the headers of a signed request; none for anonymous access (no credentials)."""

    def __init__(self, region: str, *, clock: Callable[[], datetime] = _now) -> None:
        self._region = region
        self._clock = clock
        self._key_for = ("", "")
        self._key = b""

    def sign(
        self,
        credentials: Secrets | None,
        *,
        method: str,
        url: str,
        headers: dict[str, str],
        sha256: str,
    ) -> dict[str, str]:
        """Return ``headers`` (lower-case names, ``host`` among them) and those that sign the request.

        ``url`` is as it goes out: path encoded by `encoded_path`, query already sorted and encoded. ``sha256`` of the body
        becomes ``x-amz-content-sha256``, so the server refuses any other bytes.
        """
        if credentials is None:
            return headers
        moment = f"{self._clock():%Y%m%dT%H%M%SZ}"
        signed = {**headers, "x-amz-content-sha256": sha256, "x-amz-date": moment}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        request = _canonical_request(method, url, signed, names, sha256)
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = self._key_of(credentials.secret_key, moment[:8])
        signature = _hmac(key, f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key_of(self, secret: str, day: str) -> bytes:
        """Derive the key of a day; it is the same for every request of that day."""
        if self._key_for != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = _hmac(key, part)
            self._key_for, self._key = (secret, day), key
        return self._key


def _canonical_request(method: str, url: str, headers: dict[str, str], names: list[str], sha256: str) -> str:
    path, _, query = url.partition("://")[2].partition("?")
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    return f"{method}\n/{path.partition('/')[2]}\n{query}\n{lines}\n{';'.join(names)}\n{sha256}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

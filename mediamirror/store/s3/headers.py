"""What a request to S3 carries: attributes as headers, for a PUT, a HEAD and a copy that the server makes; and who we are.

A bucket's address, our credentials, and AWS Signature Version 4 over a body whose sha256 is known: botocore takes a tenth of
a millisecond a request for the same signature, and a tenth of a second to import; a test holds the two against each other.
Source: "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from mediamirror.errors import StoreError
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Body, StoredObject
from mediamirror.settings import StoreOptions
from mediamirror.store.base import SERVED, ObjectAttributes, clean_metadata, clean_value
from mediamirror.store.s3.errors import read_time

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


LARGEST = 2**63 - 1
"""Bytes that an object may be said to have at most: SQLite keeps no larger number."""

_SHA256 = pattern(r"[0-9a-f]{64}")
MOST_COPIED = 5 * 1024**3
"""Largest object that one copy request takes, in bytes."""

_ETAG = pattern(rb"<ETag>([^<]*)</ETag>")
_META = "x-amz-meta-"
_AS_BOTO3 = {
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "expires": "Expires",
}


def with_defaults(attributes: ObjectAttributes, options: StoreOptions, body: Body) -> ObjectAttributes:
    """Fill what ``attributes`` leave open from the options, and make the metadata of both fit to travel.

    The body's sha256 is always among it, whatever the caller called so; of one name, the object's own value counts.
    """
    return ObjectAttributes(
        content_type=clean_value(attributes.content_type),
        cache_control=attributes.cache_control
        or options.cache_control
        or dict(attributes.headers).get("cache-control"),
        headers=tuple((name, value) for name, value in attributes.headers if name in _AS_BOTO3),
        acl=attributes.acl or options.acl,
        storage_class=attributes.storage_class or options.storage_class,
        metadata=clean_metadata((*options.metadata, *attributes.metadata, ("sha256", body.sha256))),
    )


def put_headers(attributes: ObjectAttributes) -> dict[str, str]:
    """Return the headers of a PUT, names in lower case; ``attributes`` from `with_defaults`."""
    optional = {
        **dict(attributes.headers),
        "cache-control": attributes.cache_control,
        "x-amz-acl": attributes.acl,
        "x-amz-storage-class": attributes.storage_class,
    }
    headers = {"content-type": attributes.content_type}
    headers |= {name: clean_value(value) for name, value in optional.items() if value}
    return headers | {_META + name: value for name, value in attributes.metadata}


def as_boto3(attributes: ObjectAttributes) -> dict[str, Any]:
    """Return the same as arguments of boto3's create_multipart_upload."""
    optional = {
        **{_AS_BOTO3[name]: value for name, value in attributes.headers},
        "CacheControl": attributes.cache_control,
        "ACL": attributes.acl,
        "StorageClass": attributes.storage_class,
    }
    given = {name: clean_value(value) for name, value in optional.items() if value}
    return {"ContentType": attributes.content_type, "Metadata": dict(attributes.metadata), **given}


def holds(found: Mapping[str, str], wanted: Mapping[str, str], body: Body) -> bool:
    """Whether an object's HEAD shows exactly what a PUT with the headers ``wanted`` would have made."""
    asked = {name: value for name, value in wanted.items() if name.startswith((_META, "content-type", "cache-control"))}
    return found.get("content-length") == str(body.size) and all(
        found.get(name) == value for name, value in asked.items()
    )


def renewed(
    headers: Mapping[str, str], was: StoredObject, options: StoreOptions, sha256: str | None
) -> ObjectAttributes | None:
    """Return what a copy's attributes have to be, or None when they are the original's as they stand.

    ``headers`` and ``was`` are the original's HEAD. An option (``--cache-control``, ``--metadata``) counts before what it has.
    """
    if sha256 == was.sha256 and not options.cache_control and not options.metadata:
        return None
    own = [("sha256", sha256)] if sha256 else []
    return ObjectAttributes(
        content_type=clean_value(was.content_type or "application/octet-stream"),
        cache_control=options.cache_control or headers.get("cache-control"),
        acl=options.acl,
        storage_class=options.storage_class,
        metadata=clean_metadata((*was.metadata, *options.metadata, *own)),
        headers=tuple(pair for pair in was.headers if pair[0] in _AS_BOTO3),
    )


def etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without its quotes: HEAD and listings of one server don't always agree on them."""
    return headers.get("etag", "").strip('"') or None


def row_from_head(key: str, headers: Mapping[str, str]) -> StoredObject:
    """Read the answer to a HEAD. Raises `StoreError` for a length that is none."""
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= LARGEST):
        raise StoreError(f"{key}: the server's answer makes no sense: an object can't have {length[:40]} bytes.")
    sha256 = headers.get(f"{_META}sha256", "")
    metadata = tuple(
        sorted(
            (name.lower().removeprefix(_META), value)
            for name, value in headers.items()
            if name.lower().startswith(_META)
        )
    )
    return StoredObject(
        key=key,
        size=int(length),
        sha256=sha256 if _SHA256.fullmatch(sha256) else None,
        content_type=headers.get("content-type"),
        token=etag(headers),
        modified=read_time(headers.get("last-modified")),
        metadata=metadata,
        headers=tuple((name, headers[name]) for name in SERVED if headers.get(name)),
    )


def copy_headers(
    bucket: str, whole: str, found: StoredObject, renewed: ObjectAttributes | None, given: ObjectAttributes
) -> dict[str, str]:
    """Return the headers that copy ``bucket/whole``.

    ``renewed`` replaces all attributes; with None they stay as they are. Of ``given``, ACL and storage class count: they are
    never part of what is copied.
    """
    headers = {"x-amz-copy-source": encoded_path(f"/{bucket}/{whole}")}
    if found.token:
        headers["x-amz-copy-source-if-match"] = f'"{found.token}"'
    if renewed is not None:
        return headers | {"x-amz-metadata-directive": "REPLACE"} | put_headers(renewed)
    own = {"x-amz-acl": given.acl, "x-amz-storage-class": given.storage_class}
    return headers | {name: value for name, value in own.items() if value}


def token_in(answer: bytes) -> str | None:
    """Return the ETag of a CopyObjectResult, without its quotes."""
    found = _ETAG.search(answer)
    return unescape(found[1].decode()).strip('"') or None if found else None


def checksum(body: Body) -> dict[str, str]:
    """Return the header of S3's own checksum of a whole body: its sha256, which is known."""
    return {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(body.sha256)).decode("ascii")}


async def content_md5(body: Body) -> str:
    """Return the Content-MD5 of a whole body (RFC 1864); a spooled one is read in a thread."""
    digest = (
        await asyncio.to_thread(_md5_of_file, body.path) if body.data is None and body.path else _md5(body.data or b"")
    )
    return base64.b64encode(digest).decode("ascii")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _md5_of_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()

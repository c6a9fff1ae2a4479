"""Attributes <-> S3's headers, for a PUT, a HEAD and a copy that the server makes itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

from mediamirror.errors import StoreError
from mediamirror.first_use import pattern, replace
from mediamirror.model import Body, StoredObject
from mediamirror.settings import StoreOptions
from mediamirror.store.base import SERVED, ObjectAttributes, clean_metadata, clean_value
from mediamirror.store.s3.connection import encoded_path
from mediamirror.store.s3.errors import read_time

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
    return replace(
        attributes,
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


async def content_md5(body: Body) -> str:
    """Return the Content-MD5 of a whole body (RFC 1864); a spooled one is read in a thread.

    It is for plain http: there a body may change on the way, and not every server compares the sha256 it is signed with.
    """
    digest = (
        await asyncio.to_thread(_md5_of_file, body.path) if body.data is None and body.path else _md5(body.data or b"")
    )
    return base64.b64encode(digest).decode("ascii")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _md5_of_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()

"""DEST as people write it -> a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mediamirror.errors import BadDestination, BadKey
from mediamirror.first_use import pattern
from mediamirror.redact import redact_url
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Store, checked_key
from mediamirror.store.directory import DirectoryStore

if TYPE_CHECKING:
    from mediamirror.wire import Carrier

_SCHEME = pattern(r"([A-Za-z][A-Za-z0-9+.-]+):")
_BUCKET = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


def open_store(dest: str, options: StoreOptions, *, transport: Carrier | None = None) -> Store:
    """Return the store that ``dest`` names: a directory's path, or ``s3://bucket/prefix``. Nothing is contacted yet.

    ``transport`` carries the objects of S3; without one a bucket can only be named. Raises `BadDestination`.
    """
    if not dest.strip():
        raise BadDestination("DEST is empty. Give a directory, or s3://bucket/prefix.")
    scheme = _SCHEME.match(dest)
    if scheme is None:
        return _directory(dest)
    if scheme[1].lower() == "s3":
        return _bucket(dest, options, transport)
    if dest[scheme.end() :].startswith("//"):
        raise BadDestination(
            f"{_shown(dest)} can't be a DEST: give a directory's path, or s3://bucket/prefix with --endpoint-url."
        )
    return _directory(dest)


def _bucket(dest: str, options: StoreOptions, transport: Carrier | None) -> Store:
    check_endpoint(options.endpoint_url)
    if not dest[3:].startswith("//"):
        raise BadDestination(f"{_shown(dest)} lacks a slash or two: write s3://bucket/prefix.")
    bucket, _, prefix = dest[5:].partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise BadDestination(f"{_shown(dest)} names no valid bucket (3 characters at least): write s3://bucket/prefix.")
    if prefix:
        try:
            checked_key(prefix)
        except BadKey as error:
            raise BadDestination(f"{_shown(dest)} has a prefix that can't be used. {error.message}") from None
    # boto3 takes a third of a second to import; a directory needs none of it.
    from mediamirror.store.s3.store import S3Store  # noqa: PLC0415

    return S3Store(bucket, prefix, options=options, transport=transport)


def _directory(dest: str) -> Store:
    if "\0" in dest:
        raise BadDestination("DEST holds a NUL byte, so it can't be a directory's path.")
    path = Path(dest)
    try:
        path = path.expanduser()
        taken = next((each for each in (path, *path.parents) if each.exists()), path)
    except (OSError, ValueError, RuntimeError) as error:
        raise BadDestination(f"{_shown(dest)} can't be a directory's path ({error}).") from None
    if taken.exists() and not taken.is_dir():
        inside = "" if taken == path else f", so that {_shown(dest)} can't be made"
        raise BadDestination(f"{_shown(str(taken))} is a file{inside}. Give a directory, or s3://bucket/prefix.")
    # Whatever folder we run in and however it is spelled, one directory has one name: locks and catalogs go by it.
    return DirectoryStore(Path(os.path.realpath(path)))


def check_endpoint(url: str | None) -> None:
    """Raise `BadDestination` for an endpoint with a user name or password, which would name catalogs and stand in reports."""
    if url is not None and "@" in url:
        raise BadDestination(
            f"--endpoint-url {redact_url(url)} holds a user name or password: give the keys by AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or by --profile."
        )


def _shown(dest: str) -> str:
    return redact_url(dest, room=200)

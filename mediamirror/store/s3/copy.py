"""Copies that the server makes itself. Pure: the headers of the request, the token in the answer."""

from __future__ import annotations

import re
from html import unescape

from mediamirror.model import StoredObject
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.s3 import headers as s3_headers
from mediamirror.store.s3.sign import encoded_path

_ETAG = re.compile(rb"<ETag>([^<]*)</ETag>")


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
        return headers | {"x-amz-metadata-directive": "REPLACE"} | s3_headers.put_headers(renewed)
    own = {"x-amz-acl": given.acl, "x-amz-storage-class": given.storage_class}
    return headers | {name: value for name, value in own.items() if value}


def token_in(answer: bytes) -> str | None:
    """Return the ETag of a CopyObjectResult, without its quotes."""
    found = _ETAG.search(answer)
    return unescape(found[1].decode()).strip('"') or None if found else None

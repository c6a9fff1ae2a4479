"""Content-MD5, for plain http: there a body may change on the way, and not every server compares the sha256 it is signed with.

RFC 1864. Over TLS nothing can change, so nothing is spent on it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib

from mediamirror.model import Body


async def content_md5(body: Body) -> str:
    """Return the header's value for a whole body; a spooled one is read in a thread."""
    if body.path is not None and body.data is None:
        return await asyncio.to_thread(_of_file, body)
    return _spelled(hashlib.md5(body.data or b"", usedforsecurity=False).digest())


def _of_file(body: Body) -> str:
    assert body.path is not None  # noqa: S101 - said by the caller
    with body.path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return _spelled(digest.digest())


def _spelled(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")

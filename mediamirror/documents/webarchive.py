"""Web archives of Safari (``.webarchive``): a property list of a page, its frames, and what they were shown with.

WebKit, ``LegacyWebArchive``: each resource has its bytes, its address, its MIME type and its encoding.
"""

from __future__ import annotations

import io
import plistlib
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO
from xml.parsers.expat import ExpatError

from mediamirror.documents.json_stream import Malformed
from mediamirror.documents.warc.write import WarcWriter
from mediamirror.markup.places.urls import resolve

MAX_BYTES = 64 * 1024 * 1024
"""Largest web archive, in bytes: a property list is read at once."""
_MAX_FRAMES = 10_000
_NONE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
    ExpatError,
)
"""What plistlib raises for what is no property list, or a damaged one."""


def to_archive(stream: io.BufferedReader, out: BinaryIO, limit: int) -> Iterator[str]:
    """Write every resource to a WARC file, and yield what is wrong in a sentence part. Raises `Malformed` and `OSError`.

    A resource of more than ``limit`` bytes is left out.
    """
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Malformed(f"it is over the limit of {MAX_BYTES:,} bytes: save the page as MHTML, or with SingleFile")
    try:
        whole = plistlib.loads(data)
    except _NONE as error:
        raise Malformed("its property list is damaged") from error
    if not isinstance(whole, dict) or "WebMainResource" not in whole:
        raise Malformed("its property list holds no page")
    writer = WarcWriter(out, compressed=False, digests=False)
    for number, resource in enumerate(_resources(whole), 1):
        found = resource if isinstance(resource, dict) else {}
        body, url = found.get("WebResourceData"), resolve(str(found.get("WebResourceURL") or ""), None)
        if not isinstance(body, bytes) or not isinstance(url, str):
            yield f"resource {number} has no bytes, or no address on the web: it is left out"
        elif len(body) > limit:
            yield f"resource {number} is over the limit of {limit:,} bytes: it is left out"
        else:
            writer.resource(url, datetime.now(UTC), _media_type(found), io.BytesIO(body))


def _resources(archive: dict[str, Any]) -> Iterator[Any]:
    """The page and what belongs to it, then those of its frames. A damaged list may hold itself."""
    pending: list[Any] = [archive]
    for _ in range(_MAX_FRAMES):
        if not pending:
            return
        each = pending.pop(0)
        if isinstance(each, dict):
            yield each.get("WebMainResource")
            yield from _listed(each, "WebSubresources")
            pending += _listed(each, "WebSubframeArchives")


def _listed(archive: dict[str, Any], name: str) -> list[Any]:
    found = archive.get(name)
    return found if isinstance(found, list) else []


def _media_type(resource: dict[str, Any]) -> str:
    kind, encoding = (
        " ".join(str(resource.get(f"WebResource{name}") or "").split()) for name in ("MIMEType", "TextEncodingName")
    )
    return f"{kind}; charset={encoding}" if encoding and kind.startswith("text/") else kind

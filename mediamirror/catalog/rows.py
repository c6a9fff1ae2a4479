"""What goes into the catalog and comes out of it, as frozen rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mediamirror.model import Facts, Variant


@dataclass(frozen=True, slots=True)
class KnownObject:
    """Where a variant's bytes lie in this run's store, as recorded when they were put there."""

    key: str
    sha256: str
    size: int
    content_type: str | None
    token: str | None
    source_sha256: str | None = None
    """The origin's bytes that these were stripped from, or were found to need no stripping; None: stored as they came."""


@dataclass(frozen=True, slots=True)
class RecordedObject:
    """An object as it was recorded when it was put into a store."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class KnownFetch:
    """The newest exchange that gave this variant's bytes: validators, headers and the facts about those bytes.

    ``facts`` is None when the bytes were never a sound image.
    """

    fetched_at: datetime
    final_url: str
    http_status: int
    headers: tuple[tuple[str, str], ...]
    etag: str | None
    last_modified: str | None
    sha256: str
    size: int
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One variant of the current run, with what the catalog knows about it."""

    variant_id: int
    variant: Variant
    fetch: KnownFetch | None = None
    objects: tuple[KnownObject, ...] = ()
    sibling_widths: tuple[int, ...] = ()
    """The width descriptors of the other candidates in its sets, in pixels."""

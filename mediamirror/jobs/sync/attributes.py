"""Whether two objects of the same bytes are also served the same way. Pure."""

from __future__ import annotations

from mediamirror.settings import StoreOptions
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.keys import clean_metadata, clean_value

_OURS = "sha256"
"""Metadata that tells of the bytes, not of how they are served."""


def same_attributes(
    source: ObjectAttributes | None, destination: ObjectAttributes | None, given: StoreOptions, *, whole: bool
) -> bool:
    """Say whether DEST's object has the attributes that a copy would give it now.

    ``given`` are the options that replace or add some. A side with None keeps no attributes, so nothing can differ. Without
    ``whole`` the source (a directory) says nothing of metadata and headers, so what others added in DEST may stay.
    """
    if source is None or destination is None:
        return True
    if clean_value(source.content_type) != destination.content_type:
        return False
    wanted, there = _all(source, given), _all(destination, StoreOptions())
    return wanted == there if whole else wanted.items() <= there.items()


def _all(attributes: ObjectAttributes, given: StoreOptions) -> dict[str, str]:
    metadata = dict(clean_metadata((*attributes.metadata, *given.metadata)))
    metadata.pop(_OURS, None)
    headers = dict(attributes.headers)
    if given.cache_control or attributes.cache_control:
        headers["cache-control"] = given.cache_control or attributes.cache_control or ""
    return {f"x-amz-meta-{name}": value for name, value in metadata.items()} | headers

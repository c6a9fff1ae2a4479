"""What a place is called among all services, and what time it is: for every job, and cheap to import."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from mediamirror.store.open import check_endpoint


def identity_of(store_name: str, endpoint_url: str | None) -> str:
    """Name a DEST so that two runs that mean the same place agree, wherever they are started from.

    A directory is its real path; a bucket belongs to its endpoint. Raises `BadDestination` for one with a password.
    """
    if store_name.startswith("s3://"):
        check_endpoint(endpoint_url)
        return f"{store_name}@{endpoint_url.rstrip('/')}" if endpoint_url else store_name
    return str(Path(store_name).resolve())


def place_of_identity(identity: str) -> tuple[str, str | None]:
    """Undo `identity_of`: the DEST as `open_store` takes it, and the endpoint URL that belongs to it."""
    found = re.fullmatch(r"(s3://.*?)@(https?://.*)", identity)
    return (found[1], found[2]) if found else (identity, None)


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)

"""Whether DEST can be written to."""

from __future__ import annotations

from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreRefused
from mediamirror.store.base import Store


async def check_destination(store: Store, *, dry_run: bool) -> bool:
    """Prove that DEST can be used, and make it where that is wanted; say whether a dry run would have to make it.

    Raises `StoreRefused`, which names --create-bucket where that would help, in a dry run too.
    """
    try:
        await store.check(create=not dry_run)
    except DestinationMissing:
        if not dry_run:
            raise
        return True
    except StoreRefused as error:
        if dry_run and isinstance(error.__cause__, NoSuchBucket):
            raise StoreRefused(f"{error.message} --create-bucket makes it.") from error
        raise
    return False

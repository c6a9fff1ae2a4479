"""Which catalog a word means, and what can be asked of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mediamirror.catalog.catalog import Catalog, stores_named_in
from mediamirror.catalog.listing import CatalogRow, Query, choose, read_chosen
from mediamirror.catalog.story import Story, read_story
from mediamirror.errors import StoreError, UsageError
from mediamirror.fetch.late import open_transport_to
from mediamirror.first_use import dataclass
from mediamirror.jobs.run.destination import identity_of, place_of_identity
from mediamirror.jobs.run.manifest import has_manifest, take_in
from mediamirror.scratch import scratch_folder
from mediamirror.settings import StoreOptions, default_catalog, state_folder
from mediamirror.store.base import Store
from mediamirror.store.open import open_store

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Where:
    """A catalog's file, and the name that the DEST meant has in it (None: whatever is in the file)."""

    path: Path
    identity: str | None
    place: str | None = None
    """The directory or bucket meant, where no catalog was named: it may carry a record of its own."""
    how: StoreOptions = StoreOptions()
    """How that place is reached."""


def locate(dest: str | None, catalog: Path | None, how: StoreOptions | None) -> Where:
    """Find the catalog that belongs to DEST, or is named by its file. Raises `UsageError` when neither is given."""
    if dest is None and catalog is None:
        raise UsageError(f"Which catalog? Give the DEST of the mirror, or --catalog FILE.{_known()}")
    how = how or StoreOptions()
    identity = None if dest is None else identity_of(_name(dest), how.endpoint_url)
    place = dest if catalog is None else None
    return Where(catalog or default_catalog(identity or ""), identity, place, how)


@asynccontextmanager
async def reading(where: Where, *, writes: bool = False) -> AsyncIterator[Catalog]:
    """Open what is recorded of a place: its catalog, else what a mirror without one tells of itself, which is forgotten afterwards.

    Raises `CatalogError`, `InputMissing` where there is neither, and `ManifestDamaged`.
    """
    if not await tells_itself(where):
        async with await Catalog.open_existing(where.path, read_only=not writes) as catalog:
            yield catalog
        return
    with scratch_folder() as folder:
        async with _opened(where) as store, await Catalog.open(folder / "catalog.sqlite") as catalog:
            await take_in(catalog, store, where.identity or "")
            yield catalog


@asynccontextmanager
async def _opened(where: Where) -> AsyncIterator[Store]:
    """Open the place itself."""
    place = where.place or ""
    async with (
        open_transport_to([place], where.how.cacert, limit=16) as transport,
        open_store(place, where.how, transport=transport) as store,
    ):
        yield store


async def tells_itself(where: Where) -> bool:
    """Whether a place has no catalog here and carries a record: it was moved or copied, or comes from another machine.

    A bucket that can't be asked tells nothing. Nor is one asked that was mirrored from here to another server: that is meant.
    """
    if not _may_tell(where):
        return False
    try:
        async with _opened(where) as store:
            return await has_manifest(store)
    except (StoreError, UsageError):
        if not _is_bucket(where):
            raise
        return False


def _may_tell(where: Where) -> bool:
    if where.place is None or where.path.exists():
        return False
    return not endpoints_of(where.place) if _is_bucket(where) else Path(where.place).is_dir()


def _is_bucket(where: Where) -> bool:
    return (where.identity or "").startswith("s3://")


def _name(dest: str) -> str:
    if dest[:5].lower() == "s3://":  # as the store calls itself, without importing all that S3 needs
        bucket, _, prefix = dest[5:].partition("/")
        return f"s3://{bucket}/{prefix.strip('/')}".rstrip("/")
    return open_store(dest, StoreOptions()).name


def _known() -> str:
    paths = sorted((state_folder() / "catalogs").glob("*.sqlite"))
    if not paths:
        return ""
    more = f", and {len(paths) - _MOST_SHOWN} more" if len(paths) > _MOST_SHOWN else ""
    return f" There are: {', '.join(str(path) for path in paths[:_MOST_SHOWN])}{more}."


def endpoints_of(dest: str) -> list[str]:
    """Return the S3 servers that a bucket's prefix was mirrored to from here, by their catalogs in the state folder."""
    name = _name(dest)
    found = (
        place_of_identity(identity)
        for path in sorted((state_folder() / "catalogs").glob("*.sqlite"))
        for identity in stores_named_in(path)
    )
    return list(dict.fromkeys(endpoint for place, endpoint in found if place == name and endpoint is not None))


async def list_rows(where: Where, query: Query) -> AsyncGenerator[CatalogRow, None]:
    """Yield what the catalog says of each variant and object, image sets together. Raises `CatalogError`."""
    async with reading(where) as catalog:
        await catalog.read(choose, query)
        async for row in catalog.rows(read_chosen):
            yield row


async def tell(where: Where, word: str) -> Story:
    """Return all that is known of a URL, a key or a sha256. Raises `CatalogError`, and `UsageError` for what names nothing."""
    async with reading(where) as catalog:
        return await catalog.read(read_story, word, where.identity)

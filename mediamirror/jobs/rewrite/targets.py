"""Where the URLs of a page are to point: from the catalog of a mirror, or from a file that maps old addresses to new ones.

`addresses_in` gives the whole of a mirror as old and new addresses.
"""

from __future__ import annotations

import csv
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from mediamirror.catalog.catalog import Catalog, lock_beside
from mediamirror.catalog.ingest import find_store
from mediamirror.catalog.rewriting import (
    KnownDocument,
    Rewritten,
    Standing,
    put_rewritten,
    read_keys,
    read_known,
    read_moved,
    read_pictures,
    read_standings,
)
from mediamirror.catalog.stored_sets import store_names
from mediamirror.errors import InputMissing, UsageError
from mediamirror.jobs.catalog.catalogs import Where, locate, reading
from mediamirror.jobs.run.destination import hold
from mediamirror.markup.places.urls import resolve
from mediamirror.model import ImageSet
from mediamirror.rewrite.addresses import Addresses, BadAddress, as_target, means, under
from mediamirror.rewrite.document import UNKNOWN, Placed, Target
from mediamirror.rewrite.mend import Picture
from mediamirror.settings import RewriteOptions, StoreOptions, state_folder

_STORED = frozenset({"stored", "unchanged", "duplicate", "repaired", "checked", "failed", "skipped"})
"""How a variant with an object may stand: one that failed this time still has the verified bytes of an earlier run."""


_MOST_HOSTS = 3


class Targets:
    """What a rewrite asks before it decides: of files and pages nothing is known, and nothing is noted, unless a kind does so."""

    def __init__(
        self, name: str, *, host: str | None = None, is_relative: bool = False, path: str | None = None
    ) -> None:
        self.name = name
        """Where pages point then, in a word."""
        self.host = host
        """The origins that a Content-Security-Policy has to allow."""
        self.is_relative = is_relative
        self.path = path
        """The catalog's file."""

    async def of(self, sets: Iterable[Placed], folder: str) -> dict[str, Target]:
        """Return where each URL of a page in ``folder`` is to point. What is left out stays."""
        raise NotImplementedError

    async def pictures(self, sets: Iterable[ImageSet]) -> dict[str, Picture]:  # noqa: ARG002
        """Return what is known of the files of a page, by URL."""
        return {}

    async def known(self, name: str, sha256: str) -> KnownDocument | None:  # noqa: ARG002
        """Return what is known of a page."""
        return None

    async def note(self, pages: list[Rewritten]) -> None:
        """Write down what was rewritten."""


class FromCatalog(Targets):
    """The verified objects of one store."""

    def __init__(self, catalog: Catalog, path: Path | None, store: int, addresses: Addresses) -> None:
        self._catalog = catalog
        self._store = store
        self._addresses = addresses
        name, file = addresses.prefix or addresses.root or "", None if path is None else os.path.realpath(path)
        super().__init__(name, host=addresses.host, is_relative=addresses.prefix is None, path=file)

    async def of(self, sets: Iterable[Placed], folder: str) -> dict[str, Target]:
        """See `Targets`."""
        spellings = {url: raw for _, places in sets for url, raw, _, _ in places}
        standings = await self._catalog.read(read_standings, self._store, list(spellings))
        there = {url: key for url, raw in spellings.items() if (key := self._addresses.key_of(url, raw, folder))}
        keys = await self._catalog.read(read_keys, self._store, list(there.values())) if there else set()
        targets = {url: self._target(standing, folder) for url, standing in standings.items()}
        return targets | {url: Target(None, settled=True) for url, key in there.items() if key in keys}

    def _target(self, standing: Standing, folder: str) -> Target:
        if standing.key is not None and standing.status in _STORED:
            return Target(self._addresses.of(standing.key, folder))
        return Target(None, _REASONS.get(standing.status, UNKNOWN.reason))

    async def pictures(self, sets: Iterable[ImageSet]) -> dict[str, Picture]:
        """See `Targets`."""
        urls = list({c.url for image_set in sets for c in image_set.candidates})
        rows = await self._catalog.read(read_pictures, self._store, urls)
        return {url: Picture(*size, name, stored) for url, (size, name, stored) in rows.items()}

    async def known(self, name: str, sha256: str) -> KnownDocument | None:
        """See `Targets`."""
        return await self._catalog.read(read_known, name, sha256)

    async def note(self, pages: list[Rewritten]) -> None:
        """See `Targets`."""
        await self._catalog.write(put_rewritten, self._store, pages)


_REASONS = {
    "rejected": "it was rejected", "failed": "it failed", "skipped": "it was not selected",
    "stored": "its object is gone", "unchanged": "its object is gone", "duplicate": "its object is gone",
}  # fmt: skip


class FromFile(Targets):
    """Old and new addresses as somebody wrote them."""

    def __init__(self, rows: dict[str, str], name: str) -> None:
        super().__init__(name, host=_hosts(rows.values()))
        self._rows = rows
        self._new = frozenset(rows.values())

    async def of(self, sets: Iterable[Placed], folder: str) -> dict[str, Target]:
        """See `Targets`. Raises `BadAddress` for an address that can't stand in a page."""
        del folder
        found: dict[str, Target] = {}
        for url, raw, _, _ in (place for _, places in sets for place in places):
            new = self._rows.get(url)
            if new is not None:
                found[url] = Target(url if new == url else as_target(new))
            elif url in self._new or means(raw) in self._new:
                found[url] = Target(None, settled=True)
        return found


def _hosts(addresses: Iterable[str]) -> str | None:
    """The origins of new addresses, for a message; None where all are on the pages' own host."""
    origins = sorted({"/".join(each.split("/", 3)[:3]) for each in addresses if "://" in each})
    more = f" and {len(origins) - _MOST_HOSTS:,} more" if len(origins) > _MOST_HOSTS else ""
    return ", ".join(origins[:_MOST_HOSTS]) + more if origins else None


async def open_targets(
    options: RewriteOptions, catalog: Path | None, stack: AsyncExitStack, *, writes: bool
) -> Targets:
    """Open what says where URLs are to point. Raises `UsageError` and `CatalogError`."""
    if options.map is not None:
        if options.public_url is not None:
            raise UsageError("--map has complete URLs: omit --public-url.")
        if options.fix:
            raise UsageError("--fix needs the files of a mirror, and --map has none: give --mirror DEST instead.")
        return FromFile(_read_map(options.map), str(options.map))
    where = find_catalog(options.mirror, catalog, options.store)
    known = where.path.exists()  # else the mirror tells itself, and nothing is noted
    if writes and known:
        stack.enter_context(hold(lock_beside(where.path), thing=f"The catalog {where.path}", command="rewrite"))
    opened = await stack.enter_async_context(reading(where, writes=writes))
    store, addresses = await choose_store(opened, where, options.public_url)
    return FromCatalog(opened, where.path if known else None, store, addresses)


def find_catalog(mirror: str | None, catalog: Path | None, how: StoreOptions | None) -> Where:
    """Find the catalog of a mirror, or the one named, or the only one that there is. Raises `UsageError`."""
    if mirror is None and catalog is None:
        there = list((state_folder() / "catalogs").glob("*.sqlite"))
        catalog = there[0] if len(there) == 1 else None
    try:
        return locate(mirror, catalog, how)
    except UsageError as error:
        raise UsageError(error.message.replace("Give the DEST of the mirror,", "Give --mirror DEST,")) from None


async def choose_store(catalog: Catalog, where: Where, public_url: str | None) -> tuple[int, Addresses]:
    """Return the store of a catalog that is meant, and how its objects are addressed. Raises `UsageError`."""
    names = await catalog.read(store_names)
    name = where.identity or (names[0] if len(names) == 1 else None)
    if name is None:
        raise UsageError(
            f"The catalog {where.path} knows several mirrors: say which with --mirror: {', '.join(names)}."
        )
    store = await catalog.read(find_store, name)
    if store is None:
        raise UsageError(f"The catalog {where.path} knows nothing of {name}: mirror into it first.")
    return store, addresses_of(name, public_url)


def addresses_of(store_name: str, public_url: str | None) -> Addresses:
    """Return how the objects of a store are addressed. Raises `UsageError`."""
    if public_url is not None:
        try:
            return under(public_url)
        except BadAddress as error:
            raise UsageError(f"--public-url: {error}.") from None
    if store_name.startswith("s3://"):
        raise UsageError(f"Under which URL do browsers find what is in {store_name}? Give --public-url URL.")
    return Addresses(root=store_name)


def _read_map(path: Path) -> dict[str, str]:
    """Read the rows of a CSV: old address, new address. Raises `InputMissing` and `UsageError`."""
    rows: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                old = resolve(row[0], None) if row else None
                if len(row) < 2 and row:
                    raise UsageError(f"{path}:{number}: a row is an old URL, a comma, and a new one.")
                if isinstance(old, str):
                    rows[old] = old if row[0] == row[1] else row[1]
                elif row and number > 1:
                    raise UsageError(f"{path}:{number}: {row[0][:100]!r} is no absolute URL.")
    except OSError as error:
        raise InputMissing(f"The map {path} can't be read ({error.strerror}): name another with --map.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"The map {path} is no CSV in UTF-8 ({error}): write it again.") from error
    if not rows:
        raise UsageError(f"The map {path} has no URL: a row is an old one, a comma, and a new one.")
    return rows


async def addresses_in(
    dest: str | None, catalog: Path | None, how: StoreOptions | None, public_url: str | None
) -> AsyncGenerator[tuple[str, str], None]:
    """Yield every URL that a mirror holds verified bytes of, with its new address. Raises `UsageError` and `CatalogError`."""
    if public_url is None:
        raise UsageError("Under which URL do browsers find the mirror? Give --public-url URL.")
    where = find_catalog(dest, catalog, how)
    async with reading(where) as opened:
        store, addresses = await choose_store(opened, where, public_url)
        async for url, key in opened.rows(read_moved, store):
            yield url, addresses.of(key, "")

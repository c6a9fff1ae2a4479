"""A DEST: what it is called among all services, who may write to it now, and whether it can be written to.

One lock per DEST and per catalog, so that two runs never write to the same place. The lock is the kernel's (flock): released by
death, whatever kind of death, and not inherited by worker processes, since Python opens files close-on-exec. The file keeps the
holder's name for the one who is turned away.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mediamirror.catalog.catalog import lock_beside, refuse_other
from mediamirror.errors import (
    BadDestination,
    DestinationMissing,
    InputMissing,
    LockHeld,
    UsageError,
)
from mediamirror.first_use import replace
from mediamirror.settings import StoreOptions, state_folder
from mediamirror.store.base import RESERVED, Store
from mediamirror.store.open import check_endpoint


def identity_of(store_name: str, endpoint_url: str | None) -> str:
    """Name a DEST so that two runs that mean the same place agree, wherever they are started from.

    A directory is its real path; a bucket belongs to its endpoint. Raises `BadDestination` for one with a password.
    """
    if store_name.startswith("s3://"):
        check_endpoint(endpoint_url)
        return f"{store_name}@{endpoint_url.rstrip('/')}" if endpoint_url else store_name
    return os.path.realpath(store_name)


def place_of_identity(identity: str) -> tuple[str, str | None]:
    """Undo `identity_of`: the DEST as `open_store` takes it, and the endpoint URL that belongs to it."""
    found = re.fullmatch(r"(s3://[^@]*+(?:@(?!https?://)[^@]*+|(?!))*+)@(https?://.*)", identity)
    return (found[1], found[2]) if found else (identity, None)


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def hold_places(
    stack: AsyncExitStack | ExitStack, *, to: str, identity: str, catalog: Path, command: str, dry_run: bool
) -> None:
    """Hold a DEST and a catalog until ``stack`` closes. Raises `LockHeld`, `BadDestination` for a place inside what is ours, and
    `CatalogError` for a file that is something else than a catalog.

    A dry run writes to neither, but works in a transaction of the catalog: it holds that alone, and only where it is there.
    """
    if RESERVED.rstrip("/") in place_of_identity(identity)[0].split("/"):
        raise BadDestination(
            f"{to} lies inside {RESERVED}, where a mirror keeps its manifest and what was rejected. Give a place outside it."
        )
    refuse_other(catalog)
    if not dry_run:
        place = state_folder() / "locks" / lock_name(identity)
        stack.enter_context(hold(place, thing=f"The destination {to}", command=command))
    elif not catalog.exists():
        return
    stack.enter_context(hold(lock_beside(catalog), thing=f"The catalog {catalog}", command=command))


def hold_store(stack: AsyncExitStack, store: Store, *, to: str) -> None:
    """Hold the directory of a DEST itself; a bucket has nothing to hold. Raises `LockHeld`."""
    if store.local_root is not None:
        stack.enter_context(hold_folder(store.local_root, thing=f"The destination {to}"))


@contextmanager
def hold(path: Path, *, thing: str, command: str) -> Iterator[None]:
    """Hold the lock file ``path`` for ``thing``. Raises `LockHeld`, which says who holds it.

    The file stays, emptied; only a command that is refused takes with it what it made, unless the catalog beside is there by then.
    """
    new = not os.path.lexists(path)
    file = _locked(path, thing)
    with file:
        _name(file.fileno(), f"process {os.getpid()} ({command}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
        try:
            yield
        except UsageError:
            if new and not path.with_suffix("").exists():
                path.unlink(missing_ok=True)
            raise
        finally:
            _name(file.fileno(), "")


def _locked(path: Path, thing: str) -> TextIO:
    """Open and lock a file under its name: one that was removed after it was opened is opened anew."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not through a link: the file is emptied at the end.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise UsageError(f"The lock file {path} can't be opened ({why}): check its folder.") from error
        file = open(descriptor, "a+", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, which the caller closes
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return file
            file.close()
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read().strip() or "another run"
            raise LockHeld(f"{thing} is in use by {holder}: wait for it to end, then run this again.") from None


@contextmanager
def hold_folder(folder: Path, *, thing: str) -> Iterator[None]:
    """Hold a directory itself. Raises `LockHeld`; where the file system has no such locks, there is none."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockHeld(
                    f"{thing} is in use by a run of another user or with another state folder: wait for it to end, "
                    "then run this again."
                ) from None
        yield
    finally:
        os.close(descriptor)


def _name(descriptor: int, holder: str) -> None:
    """Write who holds the lock; on a full disk it is held all the same."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)


def lock_name(identity: str) -> str:
    """Return a file name for the lock of a DEST."""
    return hashlib.sha256(identity.encode()).hexdigest()[:24] + ".lock"


async def check_readable(store: Store, word: str) -> None:
    """Prove that a place is there and can be read, and write nothing. ``word`` is what the command calls it: SRC or DEST.

    Raises `InputMissing`, `DestinationMissing` or `StoreRefused`.
    """
    try:
        await store.check(writes=False)
    except DestinationMissing:
        missing = InputMissing if word == "SRC" else DestinationMissing
        raise missing(f"{store.name} is not there. Check the path of {word}.") from None


def refuse_overlap(source: tuple[Store, StoreOptions], destination: tuple[Store, StoreOptions]) -> None:
    """Raise `UsageError` when SRC and DEST are the same or one lies in the other."""
    (one, one_options), (other, other_options) = source, destination
    if (one.local_root is None) != (other.local_root is None):
        return
    ends = [(options.endpoint_url or "").rstrip("/") for options in (one_options, other_options)]
    if one.local_root is None and ends[0] != ends[1]:
        return
    a, b = f"{one.name}/".replace("//", "/"), f"{other.name}/".replace("//", "/")
    if a == b:
        raise UsageError(f"SRC and DEST are the same place, {one.name}. Give two places.")
    if a.startswith(b) or b.startswith(a):
        inner, outer = ("SRC", "DEST") if a.startswith(b) else ("DEST", "SRC")
        raise UsageError(
            f"{inner} lies inside {outer} ({one.name}, {other.name}). Give two places with neither inside the other."
        )


def source_options(store: StoreOptions) -> StoreOptions:
    """Return how to reach SRC the same way as DEST, without what is only for writing."""
    return replace(store, acl=None, cache_control=None, storage_class=None, metadata=(), create_bucket=False)

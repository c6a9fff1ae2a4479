"""Stored image sets as WebDataset samples in tar files: each set is one key, with its rungs and what is recorded of them.

A sample's name ends at the first dot, and what follows is the field, so a key has none. Neighbours of one key are one sample.
Readers that fix their fields by the first samples (`datasets`) drop what only a later one has: ``ends`` gives each sample the
same three.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import field
from datetime import datetime
from typing import IO, Any, Literal

from mediamirror.catalog.listing import CatalogRow, Query
from mediamirror.errors import StoreError
from mediamirror.first_use import dataclass
from mediamirror.jobs.catalog.catalogs import Where, list_rows
from mediamirror.jobs.run.archive import load_checked
from mediamirror.jobs.run.session import INTERRUPTED, Needs, open_run
from mediamirror.model import Problem
from mediamirror.redact import redact_values
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Store

Rungs = Literal["ends", "all"]
_IN_MEMORY = 1024 * 1024
_BLOCK = 512
_EXTENSIONS = {"jpeg": "jpg"}


@dataclass(slots=True)
class Sampled:
    """What was written. ``alone`` are image sets without two widths of one format, of which ``ends`` makes no pair."""

    samples: int = 0
    pictures: int = 0
    shards: int = 0
    alone: int = 0
    failed: int = 0
    fields: set[str] = field(default_factory=set)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """1 when a picture could not be read, or is not what was recorded: its sample is left out."""
        return INTERRUPTED if self.interrupted else int(self.failed > 0)


async def export_samples(
    dest: str,
    where: Where,
    query: Query,
    shard: Callable[[int], AbstractContextManager[IO[bytes]]],
    *,
    rungs: Rungs,
    shard_size: int | None,
    options: StoreOptions,
    hide: bool = False,
    on_event: Callable[[Problem | Sampled], None] = lambda _: None,
) -> Sampled:
    """Write the stored image sets that ``query`` chooses into tar files, the one after the other.

    ``shard`` opens the file of a number, from 0; the next one is begun before a sample with which it would be larger than
    ``shard_size`` bytes (None: all samples go into one). A sample is written whole or left out; one whose picture can't be
    read, or has other bytes than were recorded, is a `Problem`. With ``hide`` URLs lose their secrets. Raises `UsageError`,
    `CatalogError` and `StoreRefused`.
    """
    done = Sampled()

    def conclude(interrupted: bool) -> Sampled:
        done.interrupted = interrupted
        return done

    needs = Needs(command="catalog export", to=dest, store=options, catalog=where.path, existing=True, adopts=True)
    async with open_run(needs, conclude=conclude, emit=on_event) as session:
        tars = session.stack.enter_context(_Shards(shard, shard_size, done))
        async for rows in _sets(list_rows(where, query)):
            chosen = fields_of_set(rows, rungs)
            if not chosen:
                done.alone += 1
                continue
            with ExitStack() as stack:
                try:
                    bodies = [
                        (name, row, await _loaded(session.store, row, stack)) for name, row in sorted(chosen.items())
                    ]
                except StoreError as error:
                    done.failed += 1
                    on_event(Problem(error.code, error.message, document=rows[0].key or ""))
                    continue
                told = redact_values(_told(rows, chosen), whole_urls=not hide)
                tars.add(rows[0].set_id or "", bodies, json.dumps(told).encode())
    return done


async def _sets(rows: AsyncIterator[CatalogRow]) -> AsyncIterator[list[CatalogRow]]:
    """The stored rows of each image set, which stand together. What is in no set is left out."""
    together: list[CatalogRow] = []
    async for row in rows:
        if row.set_id is None or row.key is None or row.sha256 is None or row.status != "stored":
            continue
        if together and together[0].set_id != row.set_id:
            yield together
            together = []
        together.append(row)
    if together:
        yield together


def fields_of_set(rows: Iterable[CatalogRow], rungs: Rungs) -> dict[str, CatalogRow]:
    """Return which picture of an image set goes into which field of its sample; none where there is nothing to write.

    ``ends``: ``small`` and ``large``, the narrowest and the widest of the format that most rungs have, or the widest of several
    such. ``all``: ``w480.webp`` and so on, once for the same bytes; a second picture of a width and a format is ``w480-2.webp``.
    """
    sized = {row.sha256: row for row in rows if row.width and row.format}.values()
    if rungs == "all":
        return dict(_named(sorted(sized, key=lambda row: (row.format or "", row.width or 0, row.key or ""))))
    by_format: dict[str, dict[int, CatalogRow]] = defaultdict(dict)
    for row in sized:
        by_format[row.format or ""].setdefault(row.width or 0, row)
    widest = max(by_format.items(), key=lambda each: (len(each[1]), max(each[1]), each[0]), default=("", {}))
    name, widths = widest
    if len(widths) < 2:
        return {}
    extension = _EXTENSIONS.get(name, name)
    return {f"large.{extension}": widths[max(widths)], f"small.{extension}": widths[min(widths)]}


def _named(rows: Sequence[CatalogRow]) -> Iterator[tuple[str, CatalogRow]]:
    seen: dict[tuple[int | None, str | None], int] = defaultdict(int)
    for row in rows:
        seen[row.width, row.format] += 1
        number = seen[row.width, row.format]
        again = f"-{number}" if number > 1 else ""
        yield f"w{row.width}{again}.{_EXTENSIONS.get(row.format or '', row.format)}", row


async def _loaded(store: Store, row: CatalogRow, stack: ExitStack) -> IO[bytes]:
    body = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 -- the stack closes it
    await load_checked(store, row, body)
    body.seek(0)
    return body


def _told(rows: Sequence[CatalogRow], chosen: dict[str, CatalogRow]) -> dict[str, Any]:
    """What is recorded of a set and of each of its rungs; ``field`` is empty for one that is not in the sample.

    What is not known is empty or 0, never null: readers that take their types from the first samples could not hold a later value.
    """
    named = {row.sha256: name for name, row in chosen.items()}
    first = rows[0]
    texts, numbers = ("url", "key", "format", "sha256"), ("width", "height", "bytes")
    return {
        **{name: getattr(first, name) or "" for name in ("document", "alt", "context")},
        "set": first.set_id,
        "line": first.line or 0,
        "row": json.dumps(first.columns) if first.columns else "",
        "other_rows": json.dumps(first.other_columns) if first.other_columns else "",
        "rungs": [
            {
                "field": named.get(row.sha256, ""),
                "declared_width": max(row.declared_width, default=0),
                **{each: getattr(row, each) or "" for each in texts},
                **{each: getattr(row, each) or 0 for each in numbers},
            }
            for row in rows
        ],
    }


class _Shards:
    """Tar files, the one after the other; each appears under its name when the next one is begun, or at the end."""

    def __init__(
        self, shard: Callable[[int], AbstractContextManager[IO[bytes]]], most: int | None, done: Sampled
    ) -> None:
        self._shard, self._most, self._done = shard, most, done
        self._tar: tarfile.TarFile | None = None
        self._file = ExitStack()
        self._size = 0

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def add(self, key: str, bodies: Sequence[tuple[str, CatalogRow, IO[bytes]]], told: bytes) -> None:
        """Write one sample: its pictures by the names of their fields, then what is recorded of them."""
        size = sum(_room(row.bytes or 0) for _, row, _ in bodies) + _room(len(told))
        if self._tar is None or (self._most is not None and self._size and self._size + size > self._most):
            self._begin()
        for name, row, body in bodies:
            self._write(f"{key}.{name}", row.bytes or 0, body, row.stored_at)
        self._write(f"{key}.json", len(told), io.BytesIO(told), bodies[0][1].stored_at)
        self._size += size
        self._done.samples += 1
        self._done.pictures += len(bodies)
        self._done.fields.update(name for name, _, _ in bodies)

    def _begin(self) -> None:
        self._file.close()
        self._file = ExitStack()
        file = self._file.enter_context(self._shard(self._done.shards))
        self._tar = self._file.enter_context(tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT))  # noqa: SIM115
        self._size = 0
        self._done.shards += 1

    def _write(self, name: str, size: int, body: IO[bytes], stored_at: str | None) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        member.mtime = int(datetime.fromisoformat(stored_at).timestamp()) if stored_at else 0
        assert self._tar is not None  # noqa: S101 - begun by `add`
        self._tar.addfile(member, body)


def _room(size: int) -> int:
    """Bytes that a file of this size takes in a tar file."""
    return _BLOCK + -(-size // _BLOCK) * _BLOCK


def sentence(done: Sampled) -> str:
    """Say in one line what was written, and what was not."""
    files = "1 file" if done.shards == 1 else f"{done.shards:,} files"
    line = f"{done.samples:,} samples of {done.pictures:,} pictures written, in {files}."
    if done.interrupted:
        line += " Interrupted: the file that was being written is left out. Run the same command again."
    if done.alone:
        line += f" Image sets without two widths of one format, which --rungs all takes: {done.alone:,}."
    formats = sorted({name.rpartition(".")[2] for name in done.fields})
    if len(formats) > 1:
        line += (
            f" They are of several formats ({', '.join(formats)}): readers that fix their fields by the first samples miss some; "
            "choose one with --image-format."
        )
    if done.failed:
        line += (
            f" Samples that were left out, since a picture can't be read or is not what was recorded: {done.failed:,}."
        )
    return line

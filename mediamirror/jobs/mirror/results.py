"""Results of a run that several workers share, as Parquet files in DEST: what became of each image, for programs that read tables.

    _mediamirror/results/20261130T150242.118Z-3fa9c2-00001.parquet

One schema for all files and all time: a new column comes at the end, and the number in the files' metadata grows. A file has at
least one row, is whole or not there, and is never written again. docs/scale.md has the columns.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import io
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mediamirror.catalog.manifest import FACTS
from mediamirror.catalog.results import Record
from mediamirror.documents import apart
from mediamirror.errors import ObjectCorrupt, StoreError, UsageError
from mediamirror.model import Body, ImageFacts, Outcome, Problem
from mediamirror.processes import start
from mediamirror.redact import redact_text, redact_url
from mediamirror.store.base import RESERVED, ObjectAttributes, Store, bounded

RESULTS = f"{RESERVED}results/"
SCHEMA = 1
_TEXT, _WHOLE, _BOOL = "string", "int64", "bool"
COLUMNS: dict[str, str] = {
    **dict.fromkeys(("url", "host", "status", "key", "sha256"), _TEXT),
    **{"size": _WHOLE, "content_type": _TEXT, "token": _TEXT, "format": _TEXT, "width": _WHOLE, "height": _WHOLE},
    **{"decoded": _BOOL, "frames": _WHOLE, "mode": _TEXT, "alpha": _BOOL, "icc": _BOOL, "orientation": _WHOLE},
    **{"has_gps": _BOOL, "corrected_width": _WHOLE, "corrected_height": _WHOLE},
    **{"fetched_at": "timestamp", "http_status": _WHOLE, "final_url": _TEXT, "served_type": _TEXT, "etag": _TEXT},
    **{"last_modified": _TEXT, "asked": _TEXT, "seconds": "double", "received": _WHOLE, "sent": _WHOLE},
    **{"source_sha256": _TEXT, "source_size": _WHOLE, "error_code": _TEXT, "error_message": _TEXT},
    **{"findings": "texts", "promises": "promises"},
}
"""Each column and its type."""
_BATCH = 2_000
_ROWS = 50_000
"""Rows of a file: they are in memory until it is written, about 300 bytes each."""
_MEMORY = 512 * 1024 * 1024
"""Bytes that the process may take that reads a file."""


class Results:
    """Writes a run's results. ``at`` is when the run began, by which its files are named. Raises `UsageError` without pyarrow."""

    def __init__(self, store: Store, at: datetime) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            self._parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise UsageError(
                "The results of a run with an --engine are Parquet files, which need pyarrow: pip install 'mediamirror[parquet]'."
            ) from None
        self._store = store
        self._name = f"{RESULTS}{at:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"
        self._schema = self._arrow.schema([(name, self._type(kind)) for name, kind in COLUMNS.items()])
        self._schema = self._schema.with_metadata({"mediamirror.schema": str(SCHEMA)})
        self._records: list[Record] = []
        self._tables: list[Any] = []
        self._files = 0
        self.problem: Problem | None = None
        """Why some were not written."""

    def _type(self, kind: str) -> Any:
        arrow = self._arrow
        text, whole = arrow.string(), arrow.int64()
        promise = arrow.struct([("document", text), ("line", whole), ("width", whole), ("mime", text)])
        kinds = {
            "timestamp": arrow.timestamp("us", tz="UTC"),
            "texts": arrow.list_(text),
            "promises": arrow.list_(promise),
        }
        return kinds.get(kind) or {_TEXT: text, _WHOLE: whole, _BOOL: arrow.bool_(), "double": arrow.float64()}[kind]

    async def add(self, records: Sequence[Record]) -> None:
        """Add what became of some images; a file is written when there are enough."""
        self._records += records
        if len(self._records) >= _BATCH:
            await self._gather()
        if sum(table.num_rows for table in self._tables) >= _ROWS:
            await self.flush()

    async def flush(self) -> None:
        """Write what there is."""
        await self._gather()
        if not self._tables:
            return
        self._files += 1
        body = await asyncio.to_thread(self._body)
        try:
            await self._store.put(f"{self._name}-{self._files:05}.parquet", body, ObjectAttributes(_MEDIA_TYPE))
        except StoreError as error:
            self.problem = Problem(
                "results-not-written", f"Results in {self._store.name} were not written: {error.message}"
            )
        self._tables = []

    async def _gather(self) -> None:
        records, self._records = self._records, []
        if records:
            self._tables.append(await asyncio.to_thread(self._table, records))

    def _table(self, records: Sequence[Record]) -> Any:
        return self._arrow.Table.from_pylist([row_of(record) for record in records], schema=self._schema)

    def _body(self) -> Body:
        file = io.BytesIO()
        self._parquet.write_table(
            self._arrow.concat_tables(self._tables), file, compression="zstd", row_group_size=_ROWS
        )
        data = file.getvalue()
        return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[: 64 * 1024])


_MEDIA_TYPE = "application/vnd.apache.parquet"


def row_of(record: Record) -> dict[str, Any]:
    """Return the row of one image, its secrets redacted: who may read DEST was not given them."""
    outcome, stored = record.outcome, record.stored
    facts, source, error, url = outcome.facts, outcome.source, outcome.error, redact_url(outcome.variant.url, room=None)
    return {
        **{"url": url, "host": url.split("/", 3)[2:3][0] if "//" in url else None, "status": outcome.status.value},
        **{"key": outcome.key, "sha256": outcome.sha256, "size": outcome.size},
        "content_type": facts.content_type if facts else None,
        "token": stored.token if stored else None,
        **{name: getattr(facts, name, None) for name in ("format", "width", "height")},
        **(_facts(facts) if isinstance(facts, ImageFacts) else {}),
        **_exchange(outcome),
        **{"received": outcome.fetched_bytes, "sent": outcome.sent_bytes},
        **({"source_sha256": source.sha256, "source_size": source.size} if source else {}),
        **({"error_code": error.code, "error_message": redact_text(error.message)} if error else {}),
        "findings": [finding.rule for finding in outcome.findings],
        "promises": [
            {"document": redact_text(p.reference.document), "line": p.reference.line, "width": p.width, "mime": p.mime}
            for p in outcome.variant.promises
        ],
    }


def _facts(facts: ImageFacts) -> dict[str, Any]:
    corrected = facts.corrected or (None, None)
    told = {name: getattr(facts, name) for name in FACTS if not name.startswith("corrected")}
    return told | {"corrected_width": corrected[0], "corrected_height": corrected[1]}


def _exchange(outcome: Outcome) -> dict[str, Any]:
    download = outcome.download
    if download is None:
        return {"http_status": outcome.error.http_status if outcome.error else None}
    return {
        "fetched_at": download.fetched_at,
        "http_status": download.http_status,
        "final_url": redact_url(download.final_url, room=None),
        "served_type": download.header("content-type"),
        **{"etag": download.header("etag"), "last_modified": download.header("last-modified")},
        **{"asked": download.asked, "seconds": download.seconds},
    }


async def read_results(store: Store, scratch: Path) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the key of each file of results with some of its rows, oldest first.

    A file is read in a process of its own: whoever may write to a bucket could have put it there. Raises `ObjectCorrupt` for a
    damaged one, `UsageError` without pyarrow.
    """
    keys = [(found.key, found.size) async for found in store.list(RESULTS) if found.key.endswith(".parquet")]
    if keys and importlib.util.find_spec("pyarrow") is None:
        raise UsageError(
            f"{store.name} has results in Parquet, which need pyarrow: pip install 'mediamirror[parquet]'."
        )
    for key, size in keys:
        path = scratch / "results.parquet"
        with path.open("wb") as file:
            async for chunk in bounded(store.get(key), size, key):
                file.write(chunk)
        async for rows in _rows(path, f"{store.name}/{key}"):
            yield key, rows


async def _rows(path: Path, name: str) -> AsyncIterator[list[dict[str, Any]]]:
    with path.open("rb") as file:
        words = (str(_MEMORY), str(file.fileno()), name, "", "")
        process = await start("mediamirror.documents.parquet_process", *words, files=(file.fileno(),))
    try:
        while (answer := await apart.read(process)) is not None:
            if isinstance(answer, Problem):
                raise ObjectCorrupt(f"{answer.message.removesuffix('.')}: its rows were left out.")
            if isinstance(answer, list):
                yield [json.loads(text) for text in answer]
    except asyncio.IncompleteReadError:
        raise ObjectCorrupt(f"{name} ended the process that read it: its rows were left out.") from None
    finally:
        await apart.end(process)


def object_rows(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield those that tell of a stored object as rows of a manifest (`jobs.run.manifest`)."""
    for row in rows:
        if row.get("status") not in _STORED or not all(
            isinstance(row.get(name), str) for name in ("key", "sha256", "token")
        ):
            continue
        at = row.get("fetched_at")
        origin = {
            **{name: row.get(name) for name in ("url", "final_url", "etag", "last_modified", "source_sha256", "asked")},
            "fetched_at": datetime.fromisoformat(at).isoformat(timespec="seconds") if at else None,
            **{"status": row.get("http_status"), "content_type": row.get("served_type")},
            "source_size": row.get("source_size"),
        }
        yield {
            "type": "object",
            **{name: row.get(name) for name in ("key", "sha256", "size", "token", "content_type", "url", "format")},
            **{"width": row.get("width"), "height": row.get("height")},
            "facts": {name: int(v) if isinstance(v, bool) else v for name in FACTS if (v := row.get(name)) is not None},
            "origins": [{name: said for name, said in origin.items() if said is not None}],
        }


_STORED = {"stored", "unchanged", "duplicate"}


def place_of(dest: str) -> str:
    """Return where results lie, as other programs are told: they pass over what begins with ``_`` unless it is named."""
    return f"{dest if dest.startswith('s3://') else Path(dest).resolve()}/{RESULTS}*.parquet".replace("//_", "/_")

"""Rows of the catalog for people and as JSON, one by one: a list of any length in little memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mediamirror.catalog.listing import CatalogRow
from mediamirror.redact import redact_url
from mediamirror.report.escape import clean
from mediamirror.report.words import human_bytes

_LEFT = frozenset({"status", "format", "rules", "key or url"})


def to_variant(row: CatalogRow) -> dict[str, Any]:
    """Return the JSON object of a row: the fields of a `variant`, and what only a catalog knows."""
    error = {"code": row.error_code, "message": row.error_message} if row.error_code else None
    return {
        "type": "variant",
        "url": row.url,
        "final_url": row.final_url,
        "status": row.status,
        "key": row.key,
        "declared_width": list(row.declared_width),
        "width": row.width,
        "height": row.height,
        "format": row.format,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "findings": list(row.findings),
        "error": error,
        "store": row.store,
        "content_type": row.content_type,
        "token": row.token,
        "fetched_at": row.fetched_at,
        "http_status": row.http_status,
        "stored_at": row.stored_at,
        "set_number": row.set_number,
        "set_id": row.set_id,
        "sets": list(row.sets),
        "document": row.document,
        "line": row.line,
        "alt": row.alt,
        "context": row.context,
    }


class Lines:
    """Makes lines of rows, fitted to ``width`` characters (None: as long as they are), their columns fixed by the first ones."""

    def __init__(self, first: Iterable[CatalogRow], *, width: int | None) -> None:
        self._width = width
        cells = [_cells(row) for row in first]
        names = _cells(None)
        self._sizes = {
            name: max([len(text), *(len(row[name]) for row in cells)])
            for name, text in names.items()
            if name != "key or url"
        }
        for name in ("rules", "declared"):  # what no row has takes no room
            if not any(row[name] for row in cells):
                del self._sizes[name]
        self.heading = self._line(names)

    def line(self, row: CatalogRow) -> str:
        """Return one row's line."""
        return self._line(_cells(row))

    def _line(self, cells: dict[str, str]) -> str:
        parts = [
            f"{_cut(cells[name], size):{'<' if name in _LEFT else '>'}{size}}" for name, size in self._sizes.items()
        ]
        head = "  ".join(parts) + "  "
        last = cells["key or url"]
        if self._width is not None:
            last = _tail(last, max(16, self._width - len(head)))
        return head + last


def _cells(row: CatalogRow | None) -> dict[str, str]:
    if row is None:
        names = ("set", "declared", "real", "format", "bytes", "status", "rules", "key or url")
        return {name: name for name in names}
    return {
        "set": str(row.set_number or ""),
        "declared": ",".join(f"{width}w" for width in row.declared_width[:3])
        + ("…" if len(row.declared_width) > 3 else ""),
        "real": f"{row.width}×{row.height}" if row.width else "",
        "format": row.format or "",
        "bytes": human_bytes(row.bytes),
        "status": row.status,
        "rules": ",".join(row.findings[:3]) + ("…" if len(row.findings) > 3 else ""),
        "key or url": clean(row.key or redact_url(row.url or "", room=None)),
    }


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _tail(text: str, room: int) -> str:
    return text if len(text) <= room else "…" + text[-(room - 1) :]

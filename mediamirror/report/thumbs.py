"""Thumbnails on disk: each picture once, under a name made of its own bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"))
_NAME_LENGTH = 24


def kind(data: bytes) -> str | None:
    """The file extension of a raster picture that every browser shows, by its first bytes; None for all else (SVG, HTML)."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((extension for magic, extension in _MAGIC if data.startswith(magic)), None)


class Thumbs:
    """Keeps thumbnails in one folder. `keep` raises OSError when the disk does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()

    def keep(self, data: bytes) -> str | None:
        """Write a thumbnail unless it is there; return its address relative to the report, or None for no picture."""
        extension = kind(data)
        if extension is None:
            return None
        name = f"{hashlib.sha256(data).hexdigest()[:_NAME_LENGTH]}.{extension}"
        if name not in self._kept:
            self._folder.mkdir(exist_ok=True)
            (self._folder / name).write_bytes(data)
            self._kept.add(name)
        return f"{self._folder.name}/{name}"

    def drop_others(self) -> None:
        """Remove what an earlier report left: files of our naming that this report does not show."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            ours = len(path.stem) == _NAME_LENGTH and path.suffix in {".webp", ".png", ".jpg", ".gif"}
            if ours and path.name not in self._kept:
                path.unlink(missing_ok=True)

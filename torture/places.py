"""What lies in a directory, in a bucket and in a catalog, read by other means than the program's own."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OURS = "_mediamirror/"
SEGMENTS = f"{OURS}manifest/"


class Place(Protocol):
    """A DEST: its name as the command line takes it, what it holds, and what is half-written in it."""

    @property
    def dest(self) -> str:
        """The word for ``--to``."""
        ...

    def held(self) -> dict[str, str]:
        """Return sha256 by key, content alone."""
        ...

    def leftovers(self) -> list[str]:
        """Return what is neither content nor manifest."""
        ...

    def manifest(self) -> dict[str, str]:
        """Return what the manifest says last of each key and set: a sha256 or a word."""
        ...


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """A directory."""

    root: Path

    @property
    def dest(self) -> str:
        """Its path."""
        return str(self.root)

    def _files(self) -> list[tuple[str, Path]]:
        return [(path.relative_to(self.root).as_posix(), path) for path in self.root.rglob("*") if path.is_file()]

    def held(self) -> dict[str, str]:
        """Return the hash of every file that is content."""
        files = ((key, path) for key, path in self._files() if not key.startswith(OURS))
        return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in files}

    def leftovers(self) -> list[str]:
        """Return every file that is ours and no manifest segment."""
        return [key for key, _ in self._files() if key.startswith(OURS) and not key.startswith(SEGMENTS)]

    def manifest(self) -> dict[str, str]:
        """Return the newest row of each key and set."""
        return _newest(path.read_bytes() for key, path in sorted(self._files()) if key.startswith(SEGMENTS))


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """Everything under a prefix of a bucket."""

    client: S3Client
    bucket: str
    prefix: str

    @property
    def dest(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}"

    def _keys(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/").get("Contents", [])
        return [row["Key"].removeprefix(f"{self.prefix}/") for row in listed]

    def _bytes(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")["Body"].read()

    def held(self) -> dict[str, str]:
        """Return the hash of every object; one whose metadata say another hash counts as no hash at all."""
        found = {}
        for key in self._keys():
            if not key.startswith(OURS):
                answer = self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")
                digest = hashlib.sha256(answer["Body"].read()).hexdigest()
                found[key] = digest if answer["Metadata"].get("sha256") == digest else "not what its metadata say"
        return found

    def leftovers(self) -> list[str]:
        """Return what is ours and no manifest segment. Unfinished uploads go by age, and are not counted here."""
        return [key for key in self._keys() if key.startswith(OURS) and not key.startswith(SEGMENTS)]

    def manifest(self) -> dict[str, str]:
        """Return the newest row of each key and set."""
        return _newest(self._bytes(key) for key in sorted(self._keys()) if key.startswith(SEGMENTS))


def _newest(segments: Iterable[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for segment in segments:
        for line in gzip.decompress(segment).splitlines():
            row = json.loads(line)
            name = row.get("key") or row["id"]
            found[name] = row.get("sha256") or row.get("status") or row["type"]
    return {name: word for name, word in found.items() if word != "deleted"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a catalog says: by URL or key, and without what may differ between one run and two (times, ids, statuses)."""

    objects: frozenset[tuple[str, str, str, int]]
    """(store, key, sha256, size)"""
    fetched: frozenset[tuple[Any, ...]]
    """(url, sha256, etag, format, width, height) of the newest exchange that gave bytes"""
    planned: frozenset[tuple[Any, ...]]
    """(document, line, candidates) of each place"""

    def of(self, dest: str) -> list[tuple[str, str]]:
        """Return key and sha256 of each row of a DEST."""
        return [(key, sha256) for store, key, sha256, _ in self.objects if store.partition("@")[0] == dest]


def read_catalog(path: Path) -> Recorded:
    """Read a copy, so that looking changes nothing. Raises `sqlite3.DatabaseError` where it is not whole."""
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        for file in path.parent.glob(f"{path.name}*"):
            if file.suffix != ".lock":
                shutil.copy(file, folder)
        copy = Path(folder) / path.name
        if not copy.exists():
            return Recorded(frozenset(), frozenset(), frozenset())
        db = sqlite3.connect(copy)
        try:
            return _read(db)
        finally:
            db.close()


def _read(db: sqlite3.Connection) -> Recorded:
    if (verdict := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(f"integrity_check says {verdict}")
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    if "published" not in tables:  # killed while the file was being made
        return Recorded(frozenset(), frozenset(), frozenset())
    return Recorded(frozenset(db.execute(_OBJECTS)), frozenset(db.execute(_FETCHED)), frozenset(db.execute(_PLANNED)))


_OBJECTS = (
    "SELECT s.name, o.key, o.sha256, o.size FROM objects o JOIN stores s ON s.id = o.store_id "
    "UNION SELECT s.name, h.key, coalesce(h.sha256, ''), h.size FROM holdings h JOIN stores s ON s.id = h.store_id"
)
_FETCHED = (
    "SELECT v.url, f.sha256, f.etag, b.format, b.width, b.height FROM fetches f JOIN variants v ON v.id = f.variant_id "
    "JOIN blobs b ON b.sha256 = f.sha256 WHERE f.id IN (SELECT max(id) FROM fetches WHERE sha256 IS NOT NULL "
    "GROUP BY variant_id)"
)
_PLANNED = (
    "SELECT d.name, p.line, count(c.id) FROM places p JOIN documents d ON d.id = p.document_id "
    "JOIN candidates c ON c.place_id = p.id GROUP BY p.id"
)

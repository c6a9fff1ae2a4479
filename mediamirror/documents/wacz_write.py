"""Writing a WACZ (https://specs.webrecorder.net/wacz/1.1.1/): an archive, its index, its list of pages, and its list of files.

Everything is written once, in the order in which it stands in the ZIP file; memory does not grow with the records.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from html import unescape
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from mediamirror.documents.warc.write import Twins, WarcWriter, Written
from mediamirror.first_use import pattern

_SORTED_AT_ONCE = 20_000
_LINES_A_BLOCK = 3_000
_INDEX = "index.cdx.gz"
_TITLE = pattern(rb"<title[^>]{0,200}>([^<]{0,4000})", re.IGNORECASE)
_LONGEST_TITLE = 300
_TIME = struct.Struct("<HHBI")
_WWW = pattern(r"www[0-9]*\.")
_SLASHES = pattern(rb"/{2,}")
_BARE = "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"


class WaczWriter:
    """Writes one WACZ to ``file``, of which ``at`` is the time and ``software`` the maker. Ended with the block, it is whole.

    Its pages are those that it holds, or, where it holds ``only_pictures``, each of these.
    """

    def __init__(
        self, file: IO[bytes], scratch: Path, *, at: datetime, software: str, only_pictures: bool = False
    ) -> None:
        self._box = zipfile.ZipFile(file, "w", allowZip64=True)
        self._at = at
        self._software = software
        self._only_pictures = only_pictures
        self._parts = 0
        self._part = ""
        self._files: list[dict[str, Any]] = []
        self._index = _Sorted(scratch)
        self._pages = cast("IO[bytes]", tempfile.SpooledTemporaryFile(1024 * 1024, dir=str(scratch)))  # noqa: SIM115 - closed at the end
        self._pages.write(b'{"format": "json-pages-1.0", "id": "pages", "title": "All Pages"}\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
                self._box.close()
        finally:
            with suppress(OSError, ValueError):  # or it would try again when it is collected
                self._box.close()
            self._pages.close()
            self._index.close()

    @contextmanager
    def archive(self, twins: Twins) -> Iterator[WarcWriter]:
        """Open an archive in it: what is written there is indexed. One at a time."""
        self._parts += 1
        self._part = "data.warc.gz" if self._parts == 1 else f"data-{self._parts}.warc.gz"
        with self._member(f"archive/{self._part}") as out:
            yield WarcWriter(cast("IO[bytes]", out), compressed=True, twins=twins, note=self._note)

    def _note(self, written: Written) -> None:
        row = {
            "url": written.url,
            "mime": written.mime,
            **({"status": str(written.status)} if written.status else {}),
            **({"digest": written.digest} if written.digest else {}),
            "length": str(written.length),
            "offset": str(written.offset),
            "filename": self._part,
        }
        self._index.add(f"{sort_key(written.url)} {written.at:%Y%m%d%H%M%S} {json.dumps(row)}\n".encode())
        if written.status in {None, 200} and (written.head or self._only_pictures):
            # Where a row has nothing under the names of the first one, validators call it blank.
            name = hashlib.blake2b(written.url.encode("utf-8", "replace"), digest_size=12).hexdigest()
            title = _title(written.head) or written.url
            page = {"id": name, "url": written.url, "ts": f"{written.at:%Y-%m-%dT%H:%M:%SZ}", "title": title}
            self._pages.write(f"{json.dumps(page)}\n".encode())

    def _finish(self) -> None:
        with tempfile.SpooledTemporaryFile(1024 * 1024) as blocks:
            with self._member(f"indexes/{_INDEX}") as out:
                for line in self._blocks(out):
                    blocks.write(line)
            blocks.seek(0)
            self._copy("indexes/index.idx", cast("IO[bytes]", blocks))
        self._pages.seek(0)
        self._copy("pages/pages.jsonl", self._pages)
        package = {
            "profile": "data-package",
            "resources": self._files,
            "created": f"{self._at:%Y-%m-%dT%H:%M:%SZ}",
            "wacz_version": "1.1.1",
            "software": self._software,
        }
        text = json.dumps(package, indent=2).encode()
        digest = {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(text).hexdigest()}"}
        self._box.writestr(self._named("datapackage.json"), text)
        self._box.writestr(self._named("datapackage-digest.json"), json.dumps(digest).encode())

    def _blocks(self, out: _Hashed) -> Iterator[bytes]:
        """Write the index in blocks that are compressed each by itself, and yield the line of each for the index of blocks."""
        yield f'!meta 0 {{"format": "cdxj-gzip-1.0", "filename": "{_INDEX}"}}\n'.encode()
        lines: list[bytes] = []
        for line in chain(self._index.lines(), (b"",)):
            if lines and (not line or len(lines) >= _LINES_A_BLOCK):
                block = _compressed(b"".join(lines))
                key = lines[0].partition(b" {")[0].decode()
                about = {
                    "offset": out.size,
                    "length": len(block),
                    "digest": f"sha256:{hashlib.sha256(block).hexdigest()}",
                }
                out.write(block)
                yield f"{key} {json.dumps(about)}\n".encode()
                lines = []
            lines.append(line)

    def _copy(self, name: str, source: IO[bytes]) -> None:
        with self._member(name) as out:
            while chunk := source.read(256 * 1024):
                out.write(chunk)

    def _named(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self._at.timetuple()[:6])
        # The time in UTC, as unzip knows it. ReplayWeb.page takes a member without a further field in the list at the end for one
        # without any where it lies; there a member whose size is not known beforehand has one.
        info.extra = _TIME.pack(0x5455, 5, 1, int(self._at.timestamp()) & 0xFFFFFFFF)
        return info

    @contextmanager
    def _member(self, name: str) -> Iterator[_Hashed]:
        with self._box.open(self._named(name), "w", force_zip64=True) as raw:
            out = _Hashed(raw)
            yield out
        told = {"name": name.rpartition("/")[2], "path": name, "hash": out.hash, "bytes": out.size}
        self._files.append(told)


class _Hashed:
    """A file that is written to, its hash and its size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write on."""
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def hash(self) -> str:
        """The hash of what was written so far."""
        return f"sha256:{self._digest.hexdigest()}"


class _Sorted:
    """Lines in order, of which few are in memory at a time."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._waiting: list[bytes] = []
        self._runs: list[IO[bytes]] = []

    def add(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) >= _SORTED_AT_ONCE:
            run = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed by close()
            run.writelines(sorted(self._waiting))
            self._runs.append(run)
            self._waiting = []

    def lines(self) -> Iterator[bytes]:
        for run in self._runs:
            run.seek(0)
        return heapq.merge(*self._runs, sorted(self._waiting))

    def close(self) -> None:
        for run in self._runs:
            run.close()


def _title(head: bytes) -> str:
    """The title of a page, for people who choose among many."""
    found = _TITLE.search(head)
    return " ".join(unescape(found[1].decode("utf-8", "replace")).split())[:_LONGEST_TITLE] if found else ""


def _compressed(data: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def sort_key(url: str) -> str:
    """Return what a URL is looked up by in the indexes of web archives (SURT): ``com,example)/path?query`` in one spelling.

    Written here because the library `surt` is under the AGPL; sessions in URLs are kept.
    """
    parts = urlsplit(url)
    host = _WWW.sub("", (parts.hostname or ""), count=1) if _WWW.match(parts.hostname or "") else parts.hostname or ""
    turned = ",".join(reversed(host.split(".")))
    port = f":{parts.port}" if parts.port is not None else ""
    path = _spelled(_SLASHES.sub(b"/", _unescaped(parts.path))).lower() or "/"
    pairs = sorted(pair.split("=", 1) for pair in _spelled(_unescaped(parts.query)).lower().split("&"))
    query = "&".join("=".join(pair) for pair in pairs)
    return f"{turned}{port}){path if path == '/' else path.removesuffix('/')}{f'?{query}' if query else ''}"


def _unescaped(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    for _ in range(len(data)):
        before, data = data, unquote_to_bytes(data)
        if data == before:
            break
    return data


def _spelled(data: bytes) -> str:
    return quote_from_bytes(data, safe=_BARE)

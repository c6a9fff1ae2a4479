"""Bodies that are given out: in memory while they are small, else in files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from mediamirror.errors import BodyTooLarge
from mediamirror.model import Body

_PREFIX = 64 * 1024
_SUFFIX = ".part"


class Spool:
    """Takes bodies in. Those of more than ``over`` bytes are files in ``directory``, those of more than ``max_size`` are refused."""

    def __init__(self, directory: Path, over: int, max_size: int) -> None:
        self._directory = directory
        self._over = over
        self._max_size = max_size

    def take(self, chunks: Iterator[bytes], url: str) -> Body:
        """Take a body in: in memory while it is small, else in a file, which does not stay when something fails."""
        digest, held, size = hashlib.sha256(), bytearray(), 0
        for chunk in chunks:
            size += len(chunk)
            self._check(size, url)
            digest.update(chunk)
            held += chunk
            if size > self._over:
                return self._spooled(held, chunks, digest, url)
        data = bytes(held)
        return Body(size, digest.hexdigest(), data=data, prefix=data)

    def _spooled(self, held: bytearray, chunks: Iterator[bytes], digest: hashlib._Hash, url: str) -> Body:
        path = self._directory / f"{uuid4().hex}{_SUFFIX}"
        size, prefix = len(held), bytes(held[:_PREFIX])
        try:
            with path.open("xb") as file:
                file.write(held)
                for chunk in chunks:
                    size += len(chunk)
                    self._check(size, url)
                    digest.update(chunk)
                    prefix += chunk[: max(0, _PREFIX - len(prefix))]
                    file.write(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(size, digest.hexdigest(), path=path, prefix=prefix)

    def _check(self, size: int, url: str) -> None:
        if size > self._max_size:
            raise BodyTooLarge(
                f"{url} is larger than {self._max_size:,} bytes in the archive; raise --max-size to accept it."
            )

"""``--strip-metadata``: between the bytes that were fetched and those that are stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mediamirror.errors import ImageError, StoreFull
from mediamirror.fetch import discard
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.header import map_file, read_whole
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.imaging.strip import STRIPPED, LeftAlone, Piece, lost_picture, made, plan
from mediamirror.model import Body, Facts, OpaqueFacts, Problem, SourceBytes

_PREFIX = 64 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """Bytes as they go into the store, what they say, and what came from the origin."""

    body: Body
    facts: Facts
    source: SourceBytes


class Stripper:
    """Strips bodies, and counts what it had to leave as it is."""

    def __init__(self) -> None:
        self._formats: Counter[str] = Counter()
        self._odd: list[tuple[str, str]] = []
        self._lost: list[tuple[str, str]] = []

    @asynccontextmanager
    async def stripped(self, url: str, body: Body, facts: Facts) -> AsyncIterator[Ready]:
        """Give the body without its metadata; a file that was made for it is gone afterwards.

        A body that can't be stripped is given as it is, and told of by `problems`. Raises `StoreFull` when there is no room to
        make the file.
        """
        source = SourceBytes(body.sha256, body.size, facts)
        ready = Ready(body, facts, source)
        if facts.format not in STRIPPED:
            self._formats[facts.format] += 1
        else:
            try:
                # What is in memory is small: a thread would cost more than the work.
                made_, lost = _strip(body) if body.data is not None else await asyncio.to_thread(_strip, body)
                ready = Ready(made_, _facts(facts, made_, body), source)
                if lost is not None:
                    self._lost.append((url, lost))
            except LeftAlone as odd:
                self._odd.append((url, str(odd)))
        try:
            yield ready
        finally:
            if ready.body is not body:
                discard(ready.body)

    def add(self, other: Stripper) -> None:
        """Count what another one counted."""
        self._formats.update(other._formats)
        self._odd += other._odd
        self._lost += other._lost

    def taken(self) -> Stripper:
        """Return what was counted so far, and begin anew."""
        counted = Stripper()
        counted.add(self)
        self._formats, self._odd, self._lost = Counter(), [], []
        return counted

    def problems(self) -> Iterator[Problem]:
        """What was stored with whatever metadata it has: a sentence for the formats, and one for each odd file."""
        if self._formats:
            told = " and ".join(f"{count:,} {NAMES.get(name, name)}" for name, count in sorted(self._formats.items()))
            yield Problem(
                "metadata-kept", f"Stored as they are: {told}; --strip-metadata knows WebP, JPEG and PNG alone."
            )
        for url, why in self._odd:
            yield Problem("metadata-kept", f"{url} was stored with its metadata, if it has any: {why}")
        for url, what in self._lost:
            yield Problem("picture-dropped", f"{url} was stored without {what}, which stood behind its picture.")


def _facts(facts: Facts, stripped: Body, body: Body) -> Facts:
    return facts if stripped is body or isinstance(facts, OpaqueFacts) else replace(facts, has_gps=False)


def _strip(body: Body) -> tuple[Body, str | None]:
    """The body without its metadata, and what picture of its own it lost."""
    if body.data is not None:
        pieces = plan(body.data)
        if pieces == [(0, body.size)]:
            return body, None
        data = made(body.data, pieces)
        _check(body.data, data)
        stripped = Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data)
        return stripped, lost_picture(body.data, pieces)
    return _strip_file(body, Path(body.path or ""))


def _strip_file(body: Body, path: Path) -> tuple[Body, str | None]:
    beside = path.with_name(path.name + ".stripped")
    try:
        with path.open("rb") as file:
            whole = map_file(file)
        pieces = plan(whole)
        if pieces == [(0, body.size)]:
            return body, None
        stripped = _write(beside, whole, pieces)
        with beside.open("rb") as written:
            _check(whole, map_file(written))
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreFull(f"A stripped copy of {body.size:,} bytes can't be made ({error.strerror}).") from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return stripped, lost_picture(whole, pieces)


def _write(path: Path, whole: Octets, pieces: Sequence[Piece]) -> Body:
    digest, size, prefix = hashlib.sha256(), 0, b""
    with path.open("wb") as out:
        for chunk in _chunks(whole, pieces):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            prefix += chunk[: max(0, _PREFIX - len(prefix))]
    return Body(size, digest.hexdigest(), path=path, prefix=prefix)


def _chunks(whole: Octets, pieces: Sequence[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            for at in range(*piece, _CHUNK):
                yield whole[at : min(at + _CHUNK, piece[1])]


def _check(before: Octets, after: Octets) -> None:
    """Raise `LeftAlone` unless the stripped file is the same picture by its structure, and tells no place."""
    try:
        was, now = read_whole(before), read_whole(after)
    except ImageError as error:
        raise LeftAlone(f"without it the file would not be whole ({error.message})") from error
    if replace(was, has_gps=False, notes=()) != replace(now, notes=()):
        raise LeftAlone("without it the file would not say the same")

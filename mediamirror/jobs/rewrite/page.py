"""One page of a rewrite: read, its URLs looked up, their bytes replaced, and written whole or left alone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mediamirror.catalog.catalog import as_told
from mediamirror.catalog.rewriting import Rewritten
from mediamirror.documents.document import Document
from mediamirror.documents.reader import Reader, Unread
from mediamirror.first_use import dataclass, replace
from mediamirror.jobs.rewrite.files import NAME, Item, LeftAlone, Record, append, copy, put, read, read_page, sha256_of
from mediamirror.jobs.rewrite.targets import Targets
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.tally import CUT_SHORT
from mediamirror.lint import parse_tolerance
from mediamirror.markup.extract import PAGES
from mediamirror.model import ItemError, Problem
from mediamirror.rewrite.addresses import BadAddress
from mediamirror.rewrite.document import (
    Decision,
    Edit,
    Kept,
    Placed,
    Places,
    codec_for,
    decide,
    edits_for,
    has_base,
    has_policy,
    integrity_of,
    joined,
    placed,
    places_of,
    probed,
    reversed_edits,
    spliced,
    standing_in,
    unknown_encoding,
)
from mediamirror.rewrite.mend import Mend, mended
from mediamirror.settings import CheckOptions, RewriteOptions

Show = Callable[[str, bytes, bytes], None]
"""Takes a page's name, its bytes, and what they would become."""

_MOST_TOLD = 10
_MARKUP = frozenset({*PAGES, "feed"})


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one file. ``moved`` counts URLs, ``sets`` the image sets that they are in."""

    item: Item
    op: str
    reason: str = ""
    moved: int = 0
    kept: tuple[Kept, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: ItemError | None = None
    rewritten: Rewritten | None = None
    mended: int = 0


class Pages:
    """Handles the pages of one run, any number at once. Style sheets come last: what pages demand of them has to be known."""

    def __init__(self, options: RewriteOptions, targets: Targets, readers: Sequence[Reader], show: Show | None) -> None:
        self._options = options
        self._targets = targets
        self._show = show
        self._tolerance = parse_tolerance(CheckOptions().tolerance)
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._demanded: set[str] = set()
        self._records: dict[Path, dict[str, list[Record]]] = {}

    async def handle(self, item: Item) -> Done:
        """Rewrite one page, or copy a file that is none. Never raises for what is wrong with it.

        Files are read and written here and now, and no thread is asked, which costs more than most files do: meanwhile other
        pages are read in their processes, or nothing else is to be done. Only what has to wait for the disk does so in one.
        """
        try:
            if item.trouble is not None:
                return Done(item, "rewrite", error=item.trouble)
            if not item.is_page:
                return await self._copied(item, "copied as it is")
            return await self._page(item)
        except LeftAlone as left:
            # It is in OUT all the same, as it is: else links to it would lead nowhere. The first reason is the one to tell.
            with contextlib.suppress(LeftAlone):
                await self._copied(item, "")
            return Done(item, "rewrite", error=left.error)

    async def _copied(self, item: Item, reason: str) -> Done:
        if self._options.to is None or self._options.dry_run:
            return Done(item, "skip", reason)
        fresh = copy(item.path, item.output)
        return Done(item, "copy" if fresh else "skip", reason)

    async def _page(self, item: Item) -> Done:
        document = read_page(item, self._options.read)
        data = document.data
        assert isinstance(data, bytes)  # noqa: S101 - `read_page` holds the whole page
        document = await self._based(item, document)
        self._check(item, document.kind, data)
        sets, mends, problems = await self._sets(item, document, data)
        decision = await self._decided(item, data, sets)
        edits = await self._edits(item, document, data, decision)
        edits = sorted([*edits, *(edit for mend in mends for edit in mend.edits)])
        after = spliced(data, edits)
        if self._show is not None:
            self._show(item.name, data, after)
        problems = (*problems, *self._remarks(item, data, decision), *(_mend_told(item, mend) for mend in mends))
        if not edits:
            return replace(await self._copied(item, "nothing moves"), kept=decision.kept, problems=problems)
        done = Done(
            item, "rewrite", _told(decision, mends), len(decision.moves), decision.kept, problems, mended=len(mends)
        )
        if self._options.dry_run or self._show is not None:
            return done
        if item.output != item.path and _holds(item.output, after):
            return replace(done, op="skip", reason="rewritten already", moved=0, mended=0)
        record = Record(
            _below(item), sha256_of(data), sha256_of(after), tuple(reversed_edits(data, edits)), self._targets.path
        )
        if item.output == item.path:
            await asyncio.to_thread(_write, item, record, after)
        else:
            _write(item, record, after)
        return replace(done, rewritten=self._note(item, record, decision))

    def _note(self, item: Item, record: Record, decision: Decision) -> Rewritten:
        addresses = tuple({move.url: move.address for move in decision.moves}.items())
        at = now().isoformat(timespec="seconds")
        output = os.path.realpath(item.output)
        return Rewritten(item.name, output, record.before, record.after, self._targets.name, at, addresses)

    async def _based(self, item: Item, document: Document) -> Document:
        """The page with the base URL that it was mirrored with. Raises `LeftAlone` for one that changed since."""
        known = await self._targets.known(item.name, document.sha256)
        if known is None:
            return document
        if not known.same and not self._is_ours(item, document.sha256):
            raise LeftAlone(
                "page-changed",
                f"{item.path} changed since it was mirrored ({as_told(known.read_at)}): run mirror on it again first.",
            )
        return replace(document, base_url=document.base_url or known.base_url)

    def _is_ours(self, item: Item, digest: str) -> bool:
        """Whether a page's bytes are what an earlier rewrite made of it."""
        if item.root not in self._records:
            self._records[item.root] = read(item.root)
        return any(record.after == digest for record in self._records[item.root].get(_below(item), ()))

    def _check(self, item: Item, kind: str, data: bytes) -> None:
        """Raise `LeftAlone` for a page whose URLs can't be told, and for a style sheet that may not change."""
        label = unknown_encoding(data)
        if label is not None:
            raise LeftAlone(
                "unknown-encoding",
                f"{item.path} says that it is in {label!r}, which no browser knows: correct it to what it is.",
            )
        if kind in _MARKUP:
            self._demanded |= integrity_of(data)
        hashes = _hashes(data) if kind == "css" and self._demanded else {}
        if demanded := next((name for name, digest in hashes.items() if digest in self._demanded), None):
            raise LeftAlone(
                "integrity",
                f"{item.path} is loaded with integrity={demanded}-…, and browsers would block it after a change: remove that "
                "attribute from the pages, or leave the style sheet as it is.",
            )

    async def _sets(
        self, item: Item, document: Document, data: bytes
    ) -> tuple[Sequence[Placed], list[Mend], tuple[Problem, ...]]:
        places, mends = await (self._mended(document, data) if self._options.fix else self._found(document))
        cut = next((each for each in places.problems if each[0] in CUT_SHORT), None)
        if cut is not None:
            raise LeftAlone(cut[0], f"{item.path}: {cut[1]}")
        relative = sum(code == "relative-url-without-base" for code, _ in places.problems)
        if not relative:
            return places.sets, mends, ()
        message = (
            f"{item.path}: relative URLs ({relative:,}) are not rewritten: give the URL of the page with --base-url."
        )
        return places.sets, mends, (Problem("relative-url-without-base", message, document=item.name),)

    async def _found(self, document: Document) -> tuple[Places, list[Mend]]:
        reader = await self._readers.get()
        try:
            return await reader.places(document), []
        except Unread as stopped:
            return Places((), [(stopped.problem.code, stopped.problem.message)]), []
        finally:
            self._readers.put_nowait(reader)

    async def _mended(self, document: Document, data: bytes) -> tuple[Places, list[Mend]]:
        reader = await self._readers.get()
        try:
            parts = [part async for part in reader.look(document, merge=False)]
        finally:
            self._readers.put_nowait(reader)
        sets = [each for part in parts for each in part.sets]
        pictures = await self._targets.pictures(sets)
        after, mends = mended(sets, pictures, data, codec_for(data), self._tolerance.allows)
        return joined([places_of(part) for part in parts])._replace(sets=[placed(each) for each in after]), mends

    async def _decided(self, item: Item, data: bytes, sets: Sequence[Placed]) -> Decision:
        try:
            targets = await self._targets.of(sets, _folder(item))
        except BadAddress as error:
            raise LeftAlone(
                "bad-address", f"{item.path}: the map has a URL that can't be written there: {error}."
            ) from None
        decision = decide(sets, targets, is_there=standing_in(data), single=self._options.partial_sets)
        if self._options.strict and decision.kept:
            raise LeftAlone("not-in-mirror", _stays(item, decision.kept[0]).message)
        if self._targets.is_relative and decision.moves and has_base(data):
            raise LeftAlone(
                "page-has-base",
                f"{item.path} has a <base>, which relative paths would be resolved on: give --public-url.",
            )
        return decision

    async def _edits(self, item: Item, document: Document, data: bytes, decision: Decision) -> list[Edit]:
        changed = probed(data, decision.moves)
        seen = Places(()) if changed is None else (await self._found(replace(document, data=changed)))[0]
        try:
            return edits_for(data, decision.moves, seen.sets, is_text=document.kind == "text")
        except BadAddress as error:
            raise LeftAlone("bad-address", f"{item.path}: {error}.") from None

    def _remarks(self, item: Item, data: bytes, decision: Decision) -> Iterable[Problem]:
        yield from (_stays(item, kept) for kept in decision.kept[:_MOST_TOLD])
        if len(decision.kept) > _MOST_TOLD:
            message = f"{item.path}: {len(decision.kept) - _MOST_TOLD:,} more image sets keep their URLs."
            yield Problem("not-in-mirror", message, document=item.name)
        if decision.moves and self._targets.host is not None and has_policy(data):
            message = f"{item.path} has a Content-Security-Policy: its img-src must allow {self._targets.host} now."
            yield Problem("content-security-policy", message, document=item.name)


def _hashes(data: bytes) -> dict[str, str]:
    names = ("sha256", "sha384", "sha512")
    return {name: f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}" for name in names}


def _below(item: Item) -> str:
    """The page's path below the folder that keeps its record."""
    return os.path.relpath(item.output, item.root)


def _folder(item: Item) -> str:
    """The folder that a page's relative addresses are resolved in."""
    return os.path.realpath(item.output.parent)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _write(item: Item, record: Record, data: bytes) -> None:
    try:
        append(item.root, record, durable=item.output == item.path)
    except OSError as error:
        why = error.strerror or error
        raise LeftAlone(
            "output-unwritable", f"{item.root / NAME} can't be written ({why}): check its folder."
        ) from error
    put(item.output, data, item.path)


def _told(decision: Decision, mends: Sequence[Mend]) -> str:
    urls, sets = len(decision.moves), decision.sets
    fixed = f", {len(mends):,} fault{'s' * (len(mends) != 1)} fixed" if mends else ""
    return f"{urls:,} URL{'s' * (urls != 1)} in {sets:,} image set{'s' * (sets != 1)}{fixed}"


def _stays(item: Item, kept: Kept) -> Problem:
    url, reason = kept.blamed[0]
    more = f", and {len(kept.blamed) - 1} more" if len(kept.blamed) > 1 else ""
    message = (
        f"{item.path}:{kept.line}: an image set of {kept.urls} URL{'s' * (kept.urls != 1)} keeps its URLs: "
        f"{url} stays because {reason}{more}."
    )
    return Problem("not-in-mirror", message, kept.line, document=item.name)


def _mend_told(item: Item, mend: Mend) -> Problem:
    return Problem("fixed", f"{item.path}:{mend.line}: {mend.message}", mend.line, document=item.name)

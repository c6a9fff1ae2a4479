"""The decisions of sync and check as pure functions: about one key, about attributes, and which keys are looked at at all.

The sorted streams that they are about are joined here, key by key and in bounded memory: two listings, and beside each what is
recorded of it. Everything comes by the page: a million keys pass through here, and an await for each would cost more than the
comparison.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import unquote

from mediamirror.errors import StoreError, UsageError
from mediamirror.first_use import dataclass
from mediamirror.model import Held
from mediamirror.settings import CompareOptions, StoreOptions, SyncOptions
from mediamirror.store.base import Entry, ObjectAttributes, clean_metadata, clean_value

_KEY = itemgetter(0)


class Pair(NamedTuple):
    """One key, as either side has it."""

    key: str
    source: Held | None
    destination: Held | None


async def joined(pages: AsyncIterator[list[Entry]], holdings: AsyncIterator[list[Held]]) -> AsyncIterator[list[Held]]:
    """Give each listed object what is recorded of it, if size and token are still as recorded."""
    known: _Pages = _Pages(holdings)
    async for page in pages:
        if not page:
            continue
        listed = {entry[0]: entry for entry in page}
        found: dict[str, Held] = {}
        while await known.fill():
            for holding in known.until(page[-1][0]):
                entry = listed.get(holding.key)
                if entry is not None and entry[1] == holding.size and entry[2] == holding.token:
                    found[holding.key] = holding
            if known.left:
                break
        yield [_held(entry, found.get(entry[0])) for entry in page]


def joined_page(page: list[Held], rows: list[Held]) -> list[Held]:
    """Give the objects of a page whose sha256 is not known what ``rows`` say of exactly their state."""
    known = {(row.key, row.size, row.token): row.sha256 for row in rows if row.sha256 is not None}
    return [held if held.sha256 else _with(held, known.get((held.key, held.size, held.token or ""))) for held in page]


def _with(held: Held, sha256: str | None) -> Held:
    return held.knowing(sha256) if sha256 else held


def _held(entry: Entry, known: Held | None) -> Held:
    key, size, token, _ = entry
    return Held(key, known.sha256, size, token, known.twin) if known else Held(key, None, size, token)


async def paired(
    source: AsyncIterator[list[Held]], destination: AsyncIterator[list[Held]]
) -> AsyncIterator[list[Pair]]:
    """Merge both sides, in ascending order of the keys. Raises `StoreError` when one lists a key twice or is not sorted."""
    left: _Pages = _Pages(_in_order(source, "source"))
    right: _Pages = _Pages(_in_order(destination, "destination"))
    while True:
        more, also = await left.fill(), await right.fill()
        if not more and not also:
            return
        if not also:
            yield [Pair(held.key, held, None) for held in left.rest()]
        elif not more:
            yield [Pair(held.key, None, held) for held in right.rest()]
        else:
            yield _merged(left, right)


def _merged(left: _Pages, right: _Pages) -> list[Pair]:
    """Merge until one of the two pages is used up."""
    pairs: list[Pair] = []
    a, b = left.at, right.at
    one, other = left.page, right.page
    while a < len(one) and b < len(other):
        mine, theirs = one[a], other[b]
        if mine.key == theirs.key:
            pairs.append(Pair(mine.key, mine, theirs))
            a, b = a + 1, b + 1
        elif mine.key < theirs.key:
            pairs.append(Pair(mine.key, mine, None))
            a += 1
        else:
            pairs.append(Pair(theirs.key, None, theirs))
            b += 1
    left.at, right.at = a, b
    return pairs


async def _in_order(pages: AsyncIterator[list[Held]], side: str) -> AsyncIterator[list[Held]]:
    # A listing out of order would make present objects look missing, and delete others.
    last = ""
    async for page in pages:
        for held in page:
            if held.key <= last:
                raise StoreError(
                    f"The listing of the {side} is not in order ({held.key!r} after {last!r}): nothing was compared."
                )
            last = held.key
        yield page


class _Pages:
    """Pages in a row, and how far the present one is read."""

    def __init__(self, pages: AsyncIterator[list[Held]]) -> None:
        self._pages: AsyncIterator[list[Held]] = pages
        self.page: list[Held] = []
        self.at = 0

    async def fill(self) -> bool:
        """Take pages until there is something to read; False at the end."""
        while self.at >= len(self.page):
            page = await anext(self._pages, None)
            if page is None:
                return False
            self.page, self.at = page, 0
        return True

    @property
    def left(self) -> bool:
        """Whether the present page has something more."""
        return self.at < len(self.page)

    def until(self, key: str) -> list[Held]:
        """Take what the page has up to ``key``, itself included."""
        start, self.at = self.at, bisect_right(self.page, key, lo=self.at, key=_KEY)
        return self.page[start : self.at]

    def rest(self) -> list[Held]:
        """Take what the page still has."""
        start, self.at = self.at, len(self.page)
        return self.page[start:]


@dataclass(frozen=True, slots=True)
class Copy:
    """Make the destination's object what the source's is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave the destination as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class CompareHashes:
    """Find the sha256 of both, by metadata or bytes, and decide again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Extra:
    """Only the destination has it."""

    reason: str


Decision = Copy | Skip | CompareHashes | Extra

NOT_IN_DEST = Copy("not in the destination")
OTHER_SIZE = Copy("size differs")
OTHER_BYTES = Copy("sha256 differs")
SAME_BYTES = Skip("same sha256")
SAME_SIZE = Skip("same size")
EXISTS = Skip("exists in the destination")
COPIED_BEFORE = Skip("copied from it before, unchanged since")
UNKNOWN = CompareHashes("sha256 not known")
ATTRIBUTES = CompareHashes("attributes not compared")
OTHER_ATTRIBUTES = Copy("attributes differ")
SAME_ATTRIBUTES = Skip("same sha256 and attributes")
EXTRA = Extra("not in the source")


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as the same."""

    size_only: bool = False
    ignore_existing: bool = False
    attributes: bool = False


def decide(source: Held | None, destination: Held | None, rules: Rules, place: str = "") -> Decision:
    """Decide about one key. At least one side has it. ``place`` is what SRC is called where copies of it are recorded.

    | source | destination | ignore_existing | size | size_only | hashes known | sha256 | copied | decision                     |
    |--------|-------------|-----------------|------|-----------|--------------|--------|--------|------------------------------|
    | no     | yes         |                 |      |           |              |        |        | extra: not in the source     |
    | yes    | no          |                 |      |           |              |        |        | copy: not in the destination |
    | yes    | yes         | yes             |      |           |              |        |        | skip: exists                 |
    | yes    | yes         | no              | ≠    |           |              |        |        | copy: size differs           |
    | yes    | yes         | no              | =    | yes       |              |        |        | skip: same size              |
    | yes    | yes         | no              | =    | no        | yes          | ≠      |        | copy: sha256 differs         |
    | yes    | yes         | no              | =    | no        | yes          | =      |        | skip: same sha256            |
    | yes    | yes         | no              | =    | no        | no           |        | yes    | skip: copied from it before  |
    | yes    | yes         | no              | =    | no        | no           |        | no     | look: sha256 not known       |

    With ``attributes`` the skips for the same sha256 and for a copy become a look at the attributes of both.
    ``copied``: the destination is recorded as the server's own copy of this very object.
    Neither an ETag nor a time is ever compared between the two sides.
    """
    if source is None:
        return EXTRA
    if destination is None:
        return NOT_IN_DEST
    if rules.ignore_existing:
        return EXISTS
    if source.size != destination.size:
        return OTHER_SIZE
    if rules.size_only:
        return SAME_SIZE
    if source.sha256 is not None and destination.sha256 is not None:
        return _same(SAME_BYTES, rules) if source.sha256 == destination.sha256 else OTHER_BYTES
    if destination.twin is not None and destination.twin == source.state(place):
        return _same(COPIED_BEFORE, rules)
    return UNKNOWN


def _same(skip: Skip, rules: Rules) -> Decision:
    return ATTRIBUTES if rules.attributes else skip


def selected(key: str, options: CompareOptions) -> bool:
    """Whether a key takes part: some ``include`` matches it (or there is none), and no ``exclude`` does.

    | glob     | matches                                                                     |
    |----------|-----------------------------------------------------------------------------|
    | ``a/*b`` | the whole key; ``*`` passes slashes                                         |
    | ``*b``   | the whole key, or its last segment                                          |
    | ``/*b``  | the whole key alone, as in rclone and rsync; ``./*b`` is the same           |
    | ``a/``   | what lies in a directory ``a`` at any depth; with ``/a/`` in the first one  |
    | ``**/b`` | ``b`` at any depth, also as the whole key                                   |
    """
    if not options.include and not options.exclude:
        return True
    if any(_matches(key, glob) for glob in options.exclude):
        return False
    return not options.include or any(_matches(key, glob) for glob in options.include)


def _matches(key: str, glob: str) -> bool:
    if glob.startswith(("/", "./")):
        rooted = glob.partition("/")[2]
        return fnmatchcase(key, f"{rooted}*" if rooted.endswith("/") else rooted)
    if glob.endswith("/"):
        return fnmatchcase(key, f"{glob}*") or fnmatchcase(key, f"*/{glob}*")
    if glob.startswith("**/") and fnmatchcase(key, glob[3:]):
        return True
    return fnmatchcase(key, glob) or ("/" not in glob and fnmatchcase(key.rpartition("/")[2], glob))


@dataclass(frozen=True, slots=True)
class Census:
    """How many objects each side has (of those selected), and how many only the destination has."""

    source: int
    destination: int
    extra: int


def refusal(census: Census, options: SyncOptions) -> UsageError | None:
    """Say whether the deletions asked for must not be made.

    | --delete | extra > --max-delete | extra = all of a non-empty destination | --force | refused                  |
    |----------|----------------------|----------------------------------------|---------|--------------------------|
    | no       |                      |                                        |         | no                       |
    | yes      | yes                  |                                        |         | more than --max-delete   |
    | yes      | no                   | yes                                    | no      | would empty it           |
    | yes      | no                   | yes                                    | yes     | no                       |
    | yes      | no                   | no                                     |         | no                       |
    """
    if not options.delete or not census.extra:
        return None
    if options.max_delete is not None and census.extra > options.max_delete:
        return UsageError(
            f"--delete would remove {census.extra:,} objects and --max-delete allows {options.max_delete:,}: nothing was "
            "changed. Look at them with -n and without --max-delete, then raise it."
        )
    if census.extra == census.destination and not options.force:
        what = "the source is empty" if not census.source else "the source shares no key with it"
        return UsageError(
            f"--delete would remove all {census.destination:,} objects of the destination, since {what}: nothing was changed. "
            "Check SRC and DEST; if this is what you want, add --force."
        )
    return None


_OURS = "sha256"
"""Metadata that tells of the bytes, not of how they are served."""
_ADDED = frozenset({"x-amz-meta-mtime"})
"""What servers add by themselves: `rclone serve s3` to each object that it has copied."""
_NOT_KEPT = frozenset({"expires"})
"""What servers leave out (`rclone serve s3`): a copy would not mend that."""


def same_attributes(
    source: ObjectAttributes | None, destination: ObjectAttributes | None, given: StoreOptions, *, whole: bool
) -> bool:
    """Say whether DEST's object has the attributes that a copy would give it now.

    ``given`` are the options that replace or add some. A side with None keeps no attributes, so nothing can differ. Without
    ``whole`` the source (a directory) says nothing of metadata and headers, so what others added in DEST may stay. What a server
    writes in another way, adds or leaves out is no difference: no copy would mend it, and each run would copy anew.
    """
    if source is None or destination is None:
        return True
    if clean_value(source.content_type) != destination.content_type:
        return False
    wanted, there = _all(source, given), _all(destination, StoreOptions())
    wanted = {name: value for name, value in wanted.items() if name in there or name not in _NOT_KEPT}
    there = {name: value for name, value in there.items() if name in wanted or name not in _ADDED}
    return wanted == there if whole else wanted.items() <= there.items()


def _all(attributes: ObjectAttributes, given: StoreOptions) -> dict[str, str]:
    metadata = dict(clean_metadata((*attributes.metadata, *given.metadata)))
    metadata.pop(_OURS, None)
    headers = dict(attributes.headers)
    if given.cache_control or attributes.cache_control:
        headers["cache-control"] = given.cache_control or attributes.cache_control or ""
    # Some servers drop metadata without a value, and write a Content-Disposition percent-encoded or plain.
    told = {f"x-amz-meta-{name}": value for name, value in metadata.items() if value}
    return told | {name: unquote(value) for name, value in headers.items()}

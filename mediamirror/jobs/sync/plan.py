"""The decisions of sync and check as pure functions: about one key, about attributes, and which keys are looked at at all."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import unquote

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass
from mediamirror.model import Held
from mediamirror.settings import CompareOptions, StoreOptions, SyncOptions
from mediamirror.store.base import ObjectAttributes, clean_metadata, clean_value


@dataclass(frozen=True, slots=True)
class Copy:
    """Make the destination's object what the source's is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave the destination as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """Find the sha256 of both, by metadata or bytes, and decide again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Extra:
    """Only the destination has it."""

    reason: str


Decision = Copy | Skip | Look | Extra

NOT_IN_DEST = Copy("not in the destination")
OTHER_SIZE = Copy("size differs")
OTHER_BYTES = Copy("sha256 differs")
SAME_BYTES = Skip("same sha256")
SAME_SIZE = Skip("same size")
EXISTS = Skip("exists in the destination")
COPIED_BEFORE = Skip("copied from it before, unchanged since")
UNKNOWN = Look("sha256 not known")
ATTRIBUTES = Look("attributes not compared")
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

"""OSError -> our own tree. Pure."""

from __future__ import annotations

import errno

from mediamirror.errors import BadKey, NameTaken, ObjectMissing, StoreDenied, StoreError, StoreFull, StoreUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_TAKEN = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP}
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ESTALE}


def mapped(error: OSError, place: str, key: str) -> StoreError:
    """Return the error of our own that says what happened, to which file, and what to do."""
    which = f"{place}/{key}" if key else place
    number = error.errno or 0
    if number in _FULL:
        return StoreFull(f"No space left for {which}. Free some and run the same command again.")
    if number in _DENIED:
        return StoreDenied(f"{which} may not be written or read ({_words(error)}). Check the owner and permissions.")
    if number in _TAKEN:
        return NameTaken(
            f"{which} can't be a file: a file or directory of a part of that name is there already. Move that away."
        )
    if number in _NAME:
        return BadKey(f"{which} can't be a file name on this file system ({_words(error)}).")
    if number == errno.ENOENT:
        return ObjectMissing(f"{which} is not there. Was {place} moved or removed meanwhile?")
    if number in _PASSING:
        return StoreUnavailable(
            f"{which} can't be opened just now ({_words(error)}). Try again, or lower --concurrency."
        )
    return StoreError(f"{which} could not be written or read ({_words(error)}). Check the disk.")


def link_refused(place: str, key: str) -> BadKey:
    """Return the error for a key that leads through a link."""
    return BadKey(f"{place}/{key} leads through a symbolic link, which is not followed. Remove the link.")


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__

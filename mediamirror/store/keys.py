"""What every store asks of a key and of metadata, in one place. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote

from mediamirror.errors import BadKey, ObjectCorrupt, SourceChanged
from mediamirror.first_use import pattern
from mediamirror.model import Body
from mediamirror.store.base import MAX_KEY_BYTES, RESERVED

TEMPORARY = f"{RESERVED}tmp/"
"""Where a store may keep what is not whole yet. No key, and never listed."""

_CONTROL = pattern(r"[\x00-\x1f\x7f-\x9f]")
_PLAIN = pattern(r"(?!_mediamirror/)(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""Most keys: nothing in them that any rule is about."""
_LINE_BREAKS = pattern(r"[\r\n]+")
_NOT_PRINTABLE_ASCII = pattern(r"[^\x20-\x7e]")
_METADATA_NAME = pattern(r"[a-z0-9][a-z0-9._-]*")


def checked_key(key: str, *, prefix: str = "") -> str:
    """Return ``prefix + key`` if it keeps the contract of `store.base`; else raise `BadKey` with the reason."""
    reason = reason_against(key, prefix=prefix)
    if reason is not None:
        raise BadKey(f"The key {_shown(key)} can't be stored: {reason}.")
    return prefix + key


def reason_against(key: str, *, prefix: str = "") -> str | None:
    """Name what the contract of `store.base` has against ``key`` under ``prefix``, or None."""
    whole = prefix + key
    if len(whole) <= MAX_KEY_BYTES // 4 and _PLAIN.fullmatch(key):
        return None
    return _reason_against(key, whole)


def visible(key: str, prefix: str) -> bool:
    """Whether a listing under ``prefix`` shows ``key``: what is ours only where the prefix names it."""
    if key.startswith(TEMPORARY):
        return False
    return not key.startswith(RESERVED) or prefix.startswith(RESERVED)


def checked_body(body: Body, *, size: int, sha256: str, key: str) -> None:
    """Raise `ObjectCorrupt` when the bytes handed over are not the body that was promised."""
    if size != body.size or sha256 != body.sha256:
        raise ObjectCorrupt(
            f"{key}: the {size} bytes handed to the store are not the {body.size} bytes that were received; "
            "nothing was stored. Fetch the file again."
        )


async def bounded(chunks: AsyncIterator[bytes], size: int, name: str) -> AsyncIterator[bytes]:
    """Yield the chunks of an object that has ``size`` bytes; `SourceChanged` as soon as there are more.

    What a server sends is not always what it said before: a body without an end fills whatever it is read into.
    """
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > size:
            raise SourceChanged(
                f"{name} gives more bytes than the {size:,} it is said to have. Run the same command again."
            )
        yield chunk


def clean_metadata(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return metadata fit for HTTP headers, sorted by name.

    Names in lower case; names that are no header token are left out. In values, line breaks and runs of white space
    become one space, and what is not ASCII is percent-encoded UTF-8. S3 folds white space when it checks signatures.
    """
    cleaned = {name.lower(): clean_value(value) for name, value in pairs}
    return tuple(sorted((name, value) for name, value in cleaned.items() if _METADATA_NAME.fullmatch(name)))


def clean_value(value: str) -> str:
    """Return a header value in printable ASCII without line breaks; other characters percent-encoded."""
    if value.isascii() and value.isprintable() and "  " not in value:
        return value.strip()
    one_line = " ".join(_LINE_BREAKS.sub(" ", value).split())
    return _NOT_PRINTABLE_ASCII.sub(lambda found: quote(found[0], safe="", errors="replace"), one_line)


def _reason_against(key: str, whole: str) -> str | None:
    try:
        size = len(whole.encode())
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate)"
    if size > MAX_KEY_BYTES:
        return f"it has {size:,} bytes with the prefix, and {MAX_KEY_BYTES:,} is the most"
    if _CONTROL.search(key):
        return "it holds a control character"
    if "\\" in key:
        return "it holds a backslash, which some servers take for a slash"
    return _reason_against_segments(key)


def _reason_against_segments(key: str) -> str | None:
    segments = key.split("/")
    if not key:
        return "it is empty"
    if "" in segments:
        return "it has an empty segment (a slash at either end, or two in a row)"
    if "." in segments or ".." in segments:
        return "it has a segment '.' or '..'"
    if key.startswith(TEMPORARY):
        return f"{TEMPORARY} is for temporary files"
    return None


def _shown(key: str) -> str:
    return ascii(key if len(key) <= 120 else f"{key[:100]}...")

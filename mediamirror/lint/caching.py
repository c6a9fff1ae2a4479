"""MM205 and MM206: what the origin tells caches, read as RFC 9111 has a browser's cache read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mediamirror.lint.rules import RULES, Subject, Violation
from mediamirror.model import Download, Severity

_DIRECTIVE = re.compile(r"\s*([^\s,=]+)\s*(?:=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s,]*))?[^,]*(?:,|\Z)")
_SECONDS = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@RULES.add(
    "MM205",
    "caching-unspecified",
    Severity.NOTE,
    verify_only=True,
    summary="The origin says nothing about how long the image may be kept.",
    why="Each browser and cache guesses for itself, and many ask again on every visit.",
    fix="Send Cache-Control with a max-age; a year and immutable where a changed image gets a new name.",
)
def caching_unspecified(subject: Subject) -> Iterator[Violation]:
    """Fire when no lifetime is given, neither by Cache-Control nor by Expires, and keeping is not forbidden either."""
    download = subject.download
    if download is None or subject.facts is None or _refusal(download) or _lifetime(download) is not None:
        return
    control = _control(download)
    if control:
        message = f"Served with Cache-Control: {control[:200]}, which says nothing of how long."
        yield Violation(message, "a max-age", control[:200])
    else:
        yield Violation("Served without Cache-Control and Expires.", "a max-age", "no caching headers")


@RULES.add(
    "MM206",
    "caching-refused",
    Severity.NOTE,
    verify_only=True,
    summary="The origin forbids caches to keep the image, or to use it without asking again.",
    why="Each visit waits for the origin again: slower for readers, dearer for you.",
    fix="Allow caching (Cache-Control: max-age=…); forbid it only for pictures that belong to one person.",
)
def caching_refused(subject: Subject) -> Iterator[Violation]:
    """Fire for ``no-store``, ``no-cache``, a lifetime of zero or in the past, and ``Pragma: no-cache`` by itself.

    A ``max-age`` of zero beside an ``s-maxage`` is leave for the shared caches that most readers are behind.
    """
    download = subject.download
    if download is None or subject.facts is None:
        return
    refusal = _refusal(download)
    if refusal:
        yield Violation(f"Served with {refusal}.", "a max-age", refusal.partition(": ")[2])


def _control(download: Download) -> str:
    return ", ".join(value for name, value in download.headers if name == "cache-control").strip(" ,")


def _directives(control: str) -> Mapping[str, str]:
    """The directives in lower case with their arguments, quotes taken off; of repeated ones the first counts (4.2.1)."""
    read: dict[str, str] = {}
    for found in _DIRECTIVE.finditer(control):
        read.setdefault(found[1].lower(), (found[2] or "").strip('"').strip())
    return read


def _told_seconds(directives: Mapping[str, str]) -> int | None:
    said = [int(value) for value in map(directives.get, ("s-maxage", "max-age")) if value and _SECONDS.fullmatch(value)]
    return max(said) if said else None


def _lifetime(download: Download) -> int | None:
    """Seconds for which some cache may answer by itself; None where nothing that can be read is said of it."""
    told, expires = _told_seconds(_directives(_control(download))), download.header("expires")
    if told is not None or expires is None:
        return told
    until, now = _time(expires), _time(download.header("date") or "") or download.fetched_at
    # Section 5.3: a date that can't be read, especially 0, is one in the past.
    return 0 if until is None else int((until - now).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def _refusal(download: Download) -> str:
    """The header that forbids to keep the image or to use it unasked; empty when none does."""
    control = _control(download)
    directives = _directives(control)
    # no-cache with field names speaks of those fields alone.
    if "no-store" in directives or directives.get("no-cache") == "":
        return f"Cache-Control: {control[:200]}"
    lifetime = _lifetime(download)
    if lifetime is not None and lifetime <= 0:
        if _told_seconds(directives) is not None:
            return f"Cache-Control: {control[:200]}"
        return f"Expires: {(download.header('expires') or '')[:200]}"
    pragma = download.header("pragma") or ""
    return f"Pragma: {pragma[:200]}" if lifetime is None and not control and "no-cache" in pragma.lower() else ""

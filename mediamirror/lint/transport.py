"""MM2xx: whether the origin gives the bytes out, how it labels them, and what it tells caches (RFC 9111)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mediamirror.errors import EmptyBody, FetchError, HTTPStatus, ImageError, NotInSite, TransferTruncated
from mediamirror.first_use import pattern
from mediamirror.lint.names import VAGUE_TYPES, format_of_mime
from mediamirror.lint.rules import rule
from mediamirror.lint.subject import Subject, Violation
from mediamirror.model import Download, Severity

_SVG = "image/svg+xml"
"""The one type as which an ``img`` shows a drawing; of other formats browsers look at the bytes."""


@rule("MM201", "content-type-differs", Severity.WARNING, about="file")
def content_type_differs(subject: Subject) -> Iterator[Violation]:
    """Fire when a Content-Type that says something says something else, and for a drawing that is not served as one."""
    facts, served = subject.facts, subject.download.content_type if subject.download else None
    # What a mirror refuses for what it is needs no word on its label.
    refused = subject.storing and isinstance(subject.result, ImageError)
    if subject.unread == "svg" and not refused and served not in (None, _SVG):
        message = f"Served as {served}, but the bytes are an SVG drawing: browsers show it as {_SVG} only."
        yield Violation(message, served, _SVG)
    if facts is None or served is None or served in VAGUE_TYPES:
        return
    if format_of_mime(served) != facts.format:
        yield Violation(f"Served as {served}, but the bytes are {facts.format}.", served, f"image/{facts.format}")


@rule("MM202", "content-type-missing", Severity.NOTE, about="file")
def content_type_missing(subject: Subject) -> Iterator[Violation]:
    """Fire when the header is missing or vague."""
    if subject.download is None:
        return
    facts, served = subject.facts, subject.download.content_type
    if facts is not None and (served is None or served in VAGUE_TYPES):
        how = f"Served as {served}" if served else "Served without Content-Type"
        yield Violation(f"{how}; the bytes are {facts.format}.", served, f"image/{facts.format}")


_FOR_NOW = frozenset({408, 425, 429})
"""Client errors that say "later" and not "no"."""


@rule("MM203", "gone", Severity.ERROR, verify_only=True, about="file")
def gone(subject: Subject) -> Iterator[Violation]:
    """Fire for client errors (404, 410, 403, ...) that a later try does not mend, and for a file that a built site lacks."""
    result = subject.result
    if isinstance(result, HTTPStatus) and 400 <= result.status < 500 and result.status not in _FOR_NOW:
        said = f": {result.said.removesuffix('.')}" if result.said else ""
        yield Violation(f"The origin answered {result.status}{said}.", "200", str(result.status))
    if isinstance(result, NotInSite):
        hint = f": {result.hint}" if result.hint else ""
        yield Violation(f"The site has no such file{hint}.", "a file", "none")


@rule("MM204", "redirected-elsewhere", Severity.WARNING, verify_only=True, about="file")
def redirected_elsewhere(subject: Subject) -> Iterator[Violation]:
    """Fire unless only the scheme or a ``www.`` changed on the way."""
    download = subject.download
    if download is not None and download.final_url and _address(download.final_url) != _address(subject.variant.url):
        message = f"Redirected to {download.final_url[:300]}."
        yield Violation(message, subject.variant.url, download.final_url)


def _address(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", url, ""
    return host, parts.path, parts.query


@rule("MM207", "transfer-cut", Severity.ERROR, verify_only=True, about="file")
def transfer_cut(subject: Subject) -> Iterator[Violation]:
    """Fire for `TransferTruncated`."""
    if isinstance(subject.result, TransferTruncated):
        yield Violation(subject.result.message, "a whole transfer", "cut short")


@rule("MM208", "not-fetched", Severity.ERROR, verify_only=True, about="file")
def not_fetched(subject: Subject) -> Iterator[Violation]:
    """Fire for every failure on the way in that has no rule of its own: no address, no connection, refused here, 503, ..."""
    result = subject.result
    told = isinstance(result, TransferTruncated | EmptyBody) or any(gone(subject))
    if isinstance(result, FetchError) and not told:
        yield Violation(result.message, "a file", result.code)


_DIRECTIVE = pattern(r"([^\s,=]++)\s*+(?:=\s*+(\"(?:[^\"\\]++|\\.|(?!))*+\"|[^\s,]*+)|(?!))?+[^,]*+")
_SECONDS = pattern(r"-?[0-9]{1,18}", re.ASCII)


@rule("MM205", "caching-unspecified", Severity.NOTE, verify_only=True, about="file")
def caching_unspecified(subject: Subject) -> Iterator[Violation]:
    """Fire when no lifetime is given, neither by Cache-Control nor by Expires, and keeping is not forbidden either."""
    download = subject.download
    if download is None or subject.facts is None or _refusal(download) or _lifetime(download) is not None:
        return
    if (urlsplit(download.final_url).hostname or "").endswith(".invalid"):
        return  # what an INPUT held itself was not served
    control = _control(download)
    if control:
        message = f"Served with Cache-Control: {control[:200]}, which says nothing of how long."
        yield Violation(message, "a max-age", control[:200])
    else:
        yield Violation("Served without Cache-Control and Expires.", "a max-age", "no caching headers")


@rule("MM206", "caching-refused", Severity.NOTE, verify_only=True, about="file")
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

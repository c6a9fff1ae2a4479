"""MM2xx: whether the origin gives the bytes out, and how it labels them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mediamirror.errors import EmptyBody, FetchError, HTTPStatus, ImageError, NotInSite, TransferTruncated
from mediamirror.lint.formats import VAGUE_TYPES, format_of_mime
from mediamirror.lint.rules import RULES, Subject, Violation
from mediamirror.model import Severity

_SVG = "image/svg+xml"
"""The one type as which an ``img`` shows a drawing; of other formats browsers look at the bytes."""


@RULES.add(
    "MM201",
    "content-type-differs",
    Severity.WARNING,
    summary="The Content-Type names another format than the bytes have.",
    why="Browsers look at the bytes and show the image; caches, proxies, mail and upload tools believe the header.",
    fix="Serve the file with the type of its bytes. The copy in the mirror is stored with the right type.",
)
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


@RULES.add(
    "MM202",
    "content-type-missing",
    Severity.NOTE,
    summary="The origin sends no Content-Type, or one that says nothing (application/octet-stream).",
    why="Browsers still show the image where it is embedded, and offer a download where it is opened by itself.",
    fix="Serve the file with the type of its bytes. The copy in the mirror is stored with the right type.",
)
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


@RULES.add(
    "MM203",
    "gone",
    Severity.ERROR,
    verify_only=True,
    summary="The origin has no such file, or does not give it out.",
    why="Browsers that choose this candidate show a broken picture: they do not try another one.",
    fix="Upload the file, or take the candidate out.",
)
def gone(subject: Subject) -> Iterator[Violation]:
    """Fire for client errors (404, 410, 403, ...) that a later try does not mend, and for a file that a built site lacks."""
    result = subject.result
    if isinstance(result, HTTPStatus) and 400 <= result.status < 500 and result.status not in _FOR_NOW:
        yield Violation(f"The origin answered {result.status}.", "200", str(result.status))
    if isinstance(result, NotInSite):
        hint = f": {result.hint}" if result.hint else ""
        yield Violation(f"The site has no such file{hint}.", "a file", "none")


@RULES.add(
    "MM204",
    "redirected-elsewhere",
    Severity.WARNING,
    verify_only=True,
    summary="The URL leads to another file by a redirect.",
    why="Each visit pays for one more exchange, and the file at the end may be a placeholder or a start page.",
    fix="Write the final URL into the page, or put the file back where the page looks for it.",
)
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


@RULES.add(
    "MM207",
    "transfer-cut",
    Severity.ERROR,
    verify_only=True,
    summary="Fewer bytes arrive than the origin declares.",
    why="Browsers show a part of the picture or nothing, and caches may keep the part.",
    fix="Fetch it again; if it stays short, correct the Content-Length at the origin or upload the file again.",
)
def transfer_cut(subject: Subject) -> Iterator[Violation]:
    """Fire for `TransferTruncated`."""
    if isinstance(subject.result, TransferTruncated):
        yield Violation(subject.result.message, "a whole transfer", "cut short")


@RULES.add(
    "MM208",
    "not-fetched",
    Severity.ERROR,
    verify_only=True,
    summary="The file could not be fetched, so nothing is known of it.",
    why="What can't be reached from here may be unreachable for readers too; and a check that saw no bytes proves nothing.",
    fix="The message says what was in the way: correct the URL, wait for the server, or give the option that it names.",
)
def not_fetched(subject: Subject) -> Iterator[Violation]:
    """Fire for every failure on the way in that has no rule of its own: no address, no connection, refused here, 503, ..."""
    result = subject.result
    told = isinstance(result, TransferTruncated | EmptyBody) or any(gone(subject))
    if isinstance(result, FetchError) and not told:
        yield Violation(result.message, "a file", result.code)

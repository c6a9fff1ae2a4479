"""HAR files (HTTP Archive 1.2), a browser's record of its requests: each answer becomes a record of a web archive, read as any other.

So pages have the address that they were asked for by, and pictures are found by it without the network. Of an entry only the
request's method and URL and the answer itself are looked at: what else is in a HAR (titles, referers, initiators) names no image.
A body that lies in a file of its own (Playwright's ``_file``) is read from there. One entry is in memory at a time, of its long
strings the part that is read.
"""

from __future__ import annotations

import codecs
import io
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, cast

from mediamirror.documents.compressed import STEP
from mediamirror.documents.document import read_again
from mediamirror.documents.json_stream import Cut, JsonStream, Malformed, unescaped
from mediamirror.documents.mail import from_base64
from mediamirror.documents.warc.records import Headers, read_date
from mediamirror.documents.warc.write import WarcWriter, stored_head
from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.urls import resolve

Attached = Callable[[str], "IO[bytes] | None"]
"""Open a file beside a HAR by the name in it; None for one that is not there, or not to be read. Raises `OSError`."""

_HELD = 1024 * 1024
_ASIDE = ("image/", "font/", "video/", "audio/")
_NO_BODY = frozenset({"HEAD", "OPTIONS", "CONNECT"})
_FIELD = pattern(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")


@dataclass(slots=True)
class Missing:
    """How many pages came without their bodies, bodies were to be in files that are not there, or have an address of a script's."""

    bodies: int = 0
    files: int = 0
    blobs: int = 0

    def __str__(self) -> str:
        """Say it in a part of a sentence; nothing where all is there."""
        files = "1 body is in a file beside it that is not there"
        if self.files > 1:
            files = f"{self.files:,} bodies are in files beside it that are not there"
        pages = "1 page was recorded without its body"
        if self.bodies > 1:
            pages = f"{self.bodies:,} pages were recorded without their bodies"
        blobs = (
            f"{self.blobs:,} {'body has' if self.blobs == 1 else 'bodies have'} a blob: address, which leads nowhere"
        )
        parts = ([files] if self.files else []) + ([pages] if self.bodies else []) + ([blobs] if self.blobs else [])
        return " and ".join(parts)


def to_archive(
    stream: io.BufferedReader, out: BinaryIO, limit: int, *, attached: Attached, missing: Missing, only_pages: bool
) -> Iterator[str]:
    """Write the answers to a WARC file, and yield what is wrong in a sentence part. Raises `Malformed` and `OSError`.

    A body of more than ``limit`` bytes is left out. With ``only_pages`` pictures, fonts and scripts are too.
    """
    writer = WarcWriter(out, compressed=False, digests=False)
    text = JsonStream(stream, 2 * limit)
    number = -1
    try:
        for number, entry in _entries(text):
            bodies = _Bodies(text, limit, attached, missing)
            yield from (f"its entry {number:,} {why}" for why in _taken(writer, entry, bodies, only_pages=only_pages))
            text.forget()
    except Cut:
        if number >= 0:
            yield "it ends before its last entry does: what is there was read"
    except Malformed as error:
        if number < 1:
            raise
        yield f"{error} behind entry {number:,}: what comes before was read"
    if number < 0:
        raise Malformed("it has no list of entries")


def _taken(writer: WarcWriter, entry: dict[str, Any] | None, bodies: _Bodies, *, only_pages: bool) -> Iterator[str]:
    """Write the answer of one entry, and say what is wrong with it."""
    if bodies.text.is_spoiled:
        yield "holds what is no JSON, or too long: that is left out"
    answer = entry.get("response") if entry is not None else {}
    if not isinstance(answer, dict):
        yield "holds no answer"
    elif entry and not _has_address(entry.get("request")):
        yield "has no address: it is left out"
    elif entry and (url := _asked(entry.get("request"))) is not None:
        why = _write(writer, url, entry, answer, bodies, only_pages=only_pages)
        yield from () if why is None else (f"{why}: it is left out",)
    elif entry:
        content = answer.get("content")
        bodies.of_nobody(content if isinstance(content, dict) else {}, entry.get("request"))


def _entries(text: JsonStream) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each entry with its number, after 0 and None for the list itself."""
    number = 0
    if text.mark() == b"\xef":
        text.value(kept=False)  # a byte order mark
    if text.mark() != b"{":
        raise Malformed("it is no JSON object")
    for name in text.names():
        if name != "log" or text.mark() != b"{":
            text.value(kept=False)
            continue
        for inner in text.names():
            if inner != "entries" or text.mark() != b"[":
                text.value(kept=False)
                continue
            yield number, None
            for number, mark in enumerate(text.items(), number + 1):  # noqa: B020
                if mark != b"{":
                    text.value(kept=False)
                yield number, _entry(text) if mark == b"{" else {}


_WANTED = {
    "request": frozenset({"method", "url"}),
    "response": frozenset({"status", "headers", "content", "redirectURL"}),
}


def _entry(text: JsonStream) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in text.names():
        wanted = _WANTED.get(name)
        if wanted is not None and text.mark() == b"{":
            found[name] = {
                inner: value for inner in text.names() if (value := text.value(kept=inner in wanted)) is not None
            }
        else:
            value = text.value(kept=name == "startedDateTime")
            found |= {} if value is None else {name: value}
    return found


def _has_address(request: Any) -> bool:
    url = request.get("url") if isinstance(request, dict) else None
    return isinstance(url, str) and (url[:4].lower() != "http" or isinstance(resolve(url, None), str))


def _asked(request: Any) -> str | None:
    """The address of a request that may have a body for an answer."""
    if not isinstance(request, dict) or str(request.get("method", "GET")).upper() in _NO_BODY:
        return None
    url = request.get("url")
    found = resolve(url, None) if isinstance(url, str) else None
    return found if isinstance(found, str) else None


class _Bodies:
    """Where the bodies of answers are."""

    def __init__(self, text: JsonStream, limit: int, attached: Attached, missing: Missing) -> None:
        self.text = text
        self._limit = limit
        self._attached = attached
        self.missing = missing

    def of(self, content: dict[str, Any], body: IO[bytes]) -> str | bool:
        """Write a body; whether there is one, or why it can't be taken in."""
        pieces = self._pieces(content)
        if pieces is None:
            return False
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self._limit:
                return f"is over the limit of {self._limit:,} bytes"
            body.write(piece)
        return True

    def of_nobody(self, content: dict[str, Any], request: Any) -> None:
        """Leave out a body that no address leads to, wherever it is kept."""
        self.passed_over(content)
        url = str(request.get("url") if isinstance(request, dict) else "")
        self.missing.blobs += url[:5].lower() == "blob:" and bool(content.get("text") or content.get("_file"))

    def passed_over(self, content: dict[str, Any]) -> None:
        """Tell whoever has the files beside it that one of them belongs to an answer that is not taken."""
        name = content.get("_file")
        file = self._attached(name) if isinstance(name, str) else None
        if file is not None:
            file.close()

    def _pieces(self, content: dict[str, Any]) -> Iterator[bytes] | None:
        text, name = content.get("text"), content.get("_file")
        if isinstance(name, str):
            file = self._attached(name)
            self.missing.files += file is None
            return None if file is None else _closing(file)
        if not isinstance(text, str) or not text:
            return None
        if self.text.is_too_long(text):
            return iter((b" " * (self._limit + 1),))
        long = self.text.long(text)
        pieces = iter((text.encode("utf-8", "replace"),)) if long is None else unescaped(cast("BinaryIO", long))
        return from_base64(pieces) if content.get("encoding") == "base64" else pieces


def _closing(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(STEP):
            yield chunk


def _write(
    writer: WarcWriter, url: str, entry: dict[str, Any], answer: dict[str, Any], bodies: _Bodies, *, only_pages: bool
) -> str | None:
    """Write one answer; why it can't be. One that tells of no body (a redirect) is written for what its headers say."""
    content = answer.get("content")
    content = content if isinstance(content, dict) else {}
    headers = _headers(answer.get("headers"))
    media_type = next((value for name, value in headers if name == "content-type"), str(content.get("mimeType") or ""))
    essence = media_type.partition(";")[0].strip().lower()
    if only_pages and (essence.startswith(_ASIDE) or "javascript" in essence):
        bodies.passed_over(content)
        return None
    is_binary = essence.startswith(_ASIDE) and essence != "image/svg+xml"
    if is_binary and content.get("text") and content.get("encoding") != "base64":
        return "holds bytes as text, by which they are lost"
    with tempfile.SpooledTemporaryFile(max_size=_HELD, prefix="mediamirror-") as body:
        found = bodies.of(content, body)
        if isinstance(found, str):
            return found
        if found and not isinstance(answer.get("status"), int):
            return "has no status"
        status = _status(answer.get("status"), has_body=found)
        bodies.missing.bodies += status == 200 and not found and essence in {"text/html", "application/xhtml+xml"}
        # Text came decoded, in a file beside too: whatever the page was in, here it is UTF-8.
        came_decoded = found and not is_binary and content.get("encoding") != "base64" and _is_utf8(body)
        rows = [row for row in headers if row[0] != "content-type"]
        rows.append(("content-type", f"{essence}; charset=utf-8" if came_decoded else media_type))
        target = answer.get("redirectURL")
        if isinstance(target, str) and target and all(name != "location" for name, _ in rows):
            rows.append(("location", _in_one_line(target)))
        at = read_date(str(entry.get("startedDateTime") or "")) or datetime.now(UTC)
        if found or 300 <= status < 400:
            writer.response(url, at, stored_head(status, tuple(rows), body), cast("IO[bytes]", body))
    return None


def _is_utf8(body: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in read_again(cast("BinaryIO", body)):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _status(status: Any, *, has_body: bool) -> int:
    number = status if isinstance(status, int) and 100 <= status < 600 else 0
    # A browser shows what it had in its cache, and so does its record.
    return 200 if number == 304 and has_body else number


def _headers(rows: Any) -> Headers:
    found = [
        (str(row.get("name")).lower(), _in_one_line(str(row.get("value") or "")))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and _FIELD.fullmatch(str(row.get("name")))
    ]
    return tuple(found)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())

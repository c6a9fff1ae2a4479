"""The head of an HTTP/1 answer as it came, and what its status and headers mean: success, error, Retry-After, X-Robots-Tag. Pure.

What libcurl lets pass and should not is found here, line by line: it takes a head that was cut for whole, believes chunks
beside a Content-Length, frames by ``Transfer-Encoding : chunked`` otherwise than its writer meant, and passes over any number
of interim answers. docs/decisions/0001 lists what was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mediamirror.errors import BadContentEncoding, ConnectionLost, HTTPStatus, RobotsTagRefused
from mediamirror.fetch.body import is_coded
from mediamirror.fetch.request import Request
from mediamirror.first_use import pattern
from mediamirror.redact import redact_text, redact_url
from mediamirror.wire import Head

MOST_FIELDS = 128
"""Header fields of one answer."""

MOST_INTERIM = 50
"""Interim answers (1xx) to one request that are passed over."""

MOST_LINES = MOST_FIELDS + 8 * MOST_INTERIM
"""Lines that come before a body, interim answers and all; also what may come in trailers."""

# RFC 9112, 4, but for a reason phrase that is absent with its space, which many servers send.
_STATUS_LINE = pattern(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: ([^\r\n]*))?\r?\n")
_TOKEN = pattern(rb"[!#-'*+.^_`|~0-9A-Za-z-]+")
_FIELD = pattern(rb"^([!#-'*+.^_`|~0-9A-Za-z-]+):([^\r\n]*)\r?\n", re.MULTILINE)
_LENGTH = pattern(rb"[0-9]{1,19}")
_LONGEST = 2**63 - 1
_FRAMING = (b"content-length", b"transfer-encoding")
_NOT_IN_TRAILERS = (*_FRAMING, b"location")
_EMPTY = (b"\r\n", b"\n")


class BadHead(Exception):
    """The head breaks a rule that framing stands on; the connection can't be trusted."""


class TooManyHeaders(BadHead):
    """The head is larger than is accepted."""


def read_head(lines: Sequence[bytes], most_bytes: int) -> Head | None:
    """Read the head of the final answer; None while it is not whole. Raises `BadHead`.

    ``most_bytes`` bounds the head of any single answer, interim ones included.
    """
    begun, interim = 0, 0
    for number, line in enumerate(lines, 1):
        if line not in _EMPTY:
            continue
        status, reason = _status(lines[begun])
        if status == 101 or status >= 200:
            own = lines[begun:number]
            return Head(status, reason, _fields(own[1:-1], most_bytes), number, b"".join(own))
        interim += 1
        if interim > MOST_INTERIM:
            raise TooManyHeaders(f"more than {MOST_INTERIM} interim answers")
        begun = number
    _check_size(lines[begun + 1 :], most_bytes)
    return None


def _check_size(lines: Sequence[bytes], most_bytes: int) -> None:
    if len(lines) > MOST_FIELDS or sum(map(len, lines)) > most_bytes + 4 * len(lines) + 256:
        raise TooManyHeaders(f"more than {MOST_FIELDS} fields, or {most_bytes:,} bytes")


def check_trailers(lines: Sequence[bytes], most_bytes: int) -> None:
    """Raise `BadHead` for trailers that frame or lead (RFC 9110, 6.5.1)."""
    _check_size(lines[:-1], most_bytes)  # the last is empty
    for line in lines:
        if line.partition(b":")[0].strip().lower() in _NOT_IN_TRAILERS:
            raise BadHead("a trailer that frames or leads")


def _status(line: bytes) -> tuple[int, bytes]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadHead("not HTTP/1")
    return int(match[1]), match[2] or b""


def _fields(lines: Sequence[bytes], most_bytes: int) -> list[tuple[bytes, bytes]]:
    _check_size(lines, most_bytes)
    fields = [(name, value.strip()) for name, value in _FIELD.findall(b"".join(lines))]
    if len(fields) != len(lines):
        fields = list(_odd_fields(lines))
    framing = [(lower, value) for name, value in fields if (lower := name.lower()) in _FRAMING]
    lengths = {value for name, value in framing if name == _FRAMING[0]}
    if len({name for name, _ in framing}) > 1:
        raise BadHead("a Content-Length beside a Transfer-Encoding")  # RFC 9112, 6.3: an attempt at smuggling
    if any(not _LENGTH.fullmatch(value) or int(value) > _LONGEST for value in lengths) or len(lengths) > 1:
        raise BadHead("a Content-Length that is no length")  # libcurl passes over one that is too long for it
    return fields


def _odd_fields(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields of a head in which not every line is one."""
    for line in lines:
        name, _, value = line.partition(b":")
        lower = name.strip().lower()
        if lower in _FRAMING and lower != name.lower():
            raise BadHead("space around the name of a field that frames")  # libcurl does not know the field then
        if b"\r" in value.strip():
            raise BadHead("a line break inside of a field")  # some take it for the end of the field
        if _TOKEN.fullmatch(name):
            yield name, value.strip()


_CONTENT_RANGE = pattern(r"bytes\s+([0-9]+)-([0-9]+)/", re.IGNORECASE)
_SECONDS = pattern(r"[0-9]{1,9}")
_PLAIN_LENGTH = pattern(r"[0-9]{1,40}")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that are followed to their Location; without one they are errors."""


_MEANING = {
    204: "has no content",
    205: "has no content",
    206: "sent a part of the file that was not requested",
    304: "says that nothing has changed, though nothing was compared",
    401: "needs a login; give one with -H 'Authorization: …' and --credentials-for its host",
    403: "is refused by the origin",
    404: "is gone: the origin does not know it",
    407: "is behind a proxy that needs a login",
    408: "timed out at the origin",
    410: "is gone: the origin has removed it",
    416: "is shorter than the requested range",
    429: "was requested too often; lower --host-concurrency or set --delay",
    451: "is withheld for legal reasons",
    503: "is not available for now",
}


def check_status(status: int, headers: dict[str, str], request: Request, href: str, now: datetime) -> None:
    """Pass 200, 304 when asked conditionally, 206 when a range was asked and starts there; raise `HTTPStatus` otherwise.

    ``headers`` by lower-case name; ``now`` by our clock. Success codes beyond 200 that carry a whole body (201, 203) pass too.
    """
    # A part is a part by its Content-Range, whatever the status: `rclone serve s3` sends one with 200.
    if request.range is not None and (status == 206 or (status == 200 and "content-range" in headers)):
        _check_range(headers.get("content-range", ""), request.range[0], href)
        if is_coded(headers.get("content-encoding", "")):
            raise BadContentEncoding(f"{redact_url(href)}: a part of a compressed file can't be read.")
        return
    if status in {200, 201, 202, 203} or (status == 304 and request.conditional):
        return
    raise HTTPStatus(
        f"{redact_url(href)} {_meaning(status)} (HTTP status {status}).",
        status=status,
        retry_after=parse_retry_after(headers.get("retry-after"), _sent_at(headers.get("date"), now)),
    )


_SAYING = ("message", "error", "detail", "title", "description", "reason", "msg")
_LONGEST_SAYING = 200


def sentence(content_type: str, body: bytes) -> str:
    """The one sentence that an origin says with its refusal, in plain text or as a member of JSON; empty for anything else.

    Cut, without line ends and marks that can't be seen, and without secrets.
    """
    text = body.decode("utf-8", "replace").strip()
    if "json" in content_type:
        text = _said_in_json(text)
    elif not content_type.startswith("text/plain"):
        return ""
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    if not line or "\n" in text or line.startswith("<"):
        return ""
    return redact_text(line if len(line) <= _LONGEST_SAYING else f"{line[: _LONGEST_SAYING - 1]}…")


def _said_in_json(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    for _ in range(2):  # {"error": {"message": "…"}}
        if isinstance(found, dict):
            found = next((found[name] for name in _SAYING if found.get(name)), "")
    return found.strip() if isinstance(found, str) else ""


def _check_range(content_range: str, start: int, href: str) -> None:
    match = _CONTENT_RANGE.match(content_range)
    if match is None or int(match[1]) != start:
        raise ConnectionLost(
            f"{redact_url(href)} answered with another range than the one asked for ({content_range[:60]!r})."
        )


def _meaning(status: int) -> str:
    if status in _MEANING:
        return _MEANING[status]
    if 300 <= status < 400:
        return "redirects without saying where"
    if status >= 500:
        return "failed at the origin"
    return "was refused by the origin" if status >= 400 else "got an answer that is not a file"


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3): a number of seconds, or an HTTP-date. Never negative."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    when = _http_date(text)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _sent_at(date: str | None, clock: datetime) -> datetime:
    """The response's Date (RFC 9110, 6.6.1), or our clock where it has none.

    Other times of the response are relative to the origin's clock; ours may be off by a year.
    """
    return _http_date(date or "") or clock


def _http_date(text: str) -> datetime | None:
    """Without a zone it is taken for UTC."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def parse_length(value: str | None) -> int | None:
    """Content-Length in bytes, or None when absent or not a plain number."""
    return int(value) if value is not None and _PLAIN_LENGTH.fullmatch(value) else None


REFUSING = ("none", "noindex", "noimageindex", "noai", "noimageai")
"""Directives that forbid storing an image. ``none`` is short for ``noindex, nofollow``."""

# A weekday before a comma, a day and the rest up to the next one; or anything without a comma.
_DATED = pattern(r"unavailable_after\s*:\s*(?:[a-z]{3,9}\s*,\s*(?=[0-9]))?[^,]*")
_WITH_VALUE = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})


def robots_token(user_agent: str) -> str:
    """The product token that robots are addressed by: what stands before the first slash or space of the User-Agent."""
    return (user_agent.split("/", maxsplit=1)[0].split() or ["mediamirror"])[0].lower()


def directives(headers: Iterable[tuple[str, str]], token: str) -> frozenset[str]:
    """Return the directives that concern us, in lower case: those for everyone, and those for our product token.

    A user agent's name holds for the directives after it, up to the next name or the header's end.
    """
    found: set[str] = set()
    for name, value in headers:
        if name != "x-robots-tag":
            continue
        ours = True
        for part in _parts(value.lower()):
            agent, colon, rest = part.partition(":")
            word = part.strip()
            if colon and agent.strip() not in _WITH_VALUE:
                ours = agent.strip() in {"*", "robots", token.lower()}
                word = rest.strip()
            if ours and word:
                found.add(word)
    return frozenset(found)


def _parts(value: str) -> Iterator[str]:
    """What stands between commas, but for those inside of a date: ``unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT``."""
    at = 0
    for start in _DATED.finditer(value):
        yield from value[at : start.start()].split(",")
        yield start[0]
        at = start.end()
    yield from value[at:].split(",")


def _is_over(directive: str, now: datetime) -> bool:
    """Whether it says that the file is not available any more; a date that can't be read says nothing."""
    name, _, text = directive.partition(":")
    return name.strip() == "unavailable_after" and (date := _date(text.strip())) is not None and date <= now


def _date(text: str) -> datetime | None:
    """RFC 822, RFC 850 or ISO 8601; without a zone it is taken for UTC."""
    try:
        date = datetime.fromisoformat(text.upper())
    except ValueError:
        return _http_date(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def check_robots_tag(headers: Collection[tuple[str, str]], token: str, href: str, now: datetime) -> None:
    """Raise `RobotsTagRefused` when the headers forbid us an image, or have done so since a time before ``now``."""
    said = directives(headers, token)
    refusing = [directive for directive in REFUSING if directive in said]
    sent = _sent_at(next((value for name, value in headers if name == "date"), None), now)
    refusing += sorted(directive for directive in said if _is_over(directive, sent))
    if refusing:
        raise RobotsTagRefused(
            f"{redact_url(href)} is not stored: its X-Robots-Tag says {refusing[0]}, which --respect-x-robots-tag honours."
        )

"""X-Robots-Tag: what an answer's headers forbid robots to do with a file. Pure.

Grammar: ``[user agent ":"] directive *("," directive)``, the header repeatable, both parts without regard to case
(https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag). ``noai`` and ``noimageai`` are no part of
that; sites use them to keep images out of data sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mediamirror.errors import RobotsTagRefused
from mediamirror.redact import redact_url

REFUSING = ("none", "noindex", "noimageindex", "noai", "noimageai")
"""Directives that forbid us an image. ``none`` is short for ``noindex, nofollow``."""

# A weekday before a comma, a day and the rest up to the next one; or anything without a comma.
_DATED = re.compile(r"unavailable_after\s*:\s*(?:[a-z]{3,9}\s*,\s*(?=[0-9]))?[^,]*")
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
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def check_robots_tag(headers: Iterable[tuple[str, str]], token: str, href: str, now: datetime) -> None:
    """Raise `RobotsTagRefused` when the headers forbid us an image, or have done so since a time before ``now``."""
    said = directives(headers, token)
    refusing = [directive for directive in REFUSING if directive in said]
    refusing += sorted(directive for directive in said if _is_over(directive, now))
    if refusing:
        raise RobotsTagRefused(
            f"{redact_url(href)} is not stored: its X-Robots-Tag says {refusing[0]}, which --respect-x-robots-tag honours."
        )

"""X-Robots-Tag: what an answer's headers forbid robots to do with a file. Pure.

Grammar: ``[user agent ":"] directive *("," directive)``, the header repeatable, both parts without regard to case
(https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag). ``noai`` and ``noimageai`` are no part of
that; sites use them to keep images out of data sets.
"""

from __future__ import annotations

from collections.abc import Iterable

from mediamirror.errors import RobotsTagRefused
from mediamirror.redact import redact_url

REFUSING = ("none", "noindex", "noimageindex", "noai", "noimageai")
"""Directives that forbid us an image. ``none`` is short for ``noindex, nofollow``."""

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
        for part in value.lower().split(","):
            agent, colon, rest = part.partition(":")
            word = part.strip()
            if colon and agent.strip() not in _WITH_VALUE:
                ours = agent.strip() in {"*", "robots", token.lower()}
                word = rest.strip()
            if ours and word:
                found.add(word)
    return frozenset(found)


def check_robots_tag(headers: Iterable[tuple[str, str]], token: str, href: str) -> None:
    """Raise `RobotsTagRefused` when the headers forbid us an image."""
    said = directives(headers, token)
    for directive in REFUSING:
        if directive in said:
            raise RobotsTagRefused(
                f"{redact_url(href)} is not stored: its X-Robots-Tag says {directive}, which --respect-x-robots-tag honours."
            )

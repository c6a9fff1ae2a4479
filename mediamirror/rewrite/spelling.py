"""A new address, spelled so that it means itself wherever a URL can stand.

Most of what a context would want escaped (quotes, angle brackets, backslashes, blanks) no valid URL holds: it is
percent-encoded once, and then means the same in an attribute with or without quotes, in CSS, in JSON, in XML and in a srcset
(RFC 3986, 2.1 to 2.3). Two kinds of characters are left: parentheses, which end an unquoted ``url(`` of CSS and a destination
of Markdown, and ``&``, which begins a character reference as often as a text is markup within markup. How often that is in one
place is seen by reading the document with a probe in that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from ada_url import URL

from mediamirror.first_use import pattern
from mediamirror.markup.places.charrefs import decode
from mediamirror.markup.places.urls import plain
from mediamirror.model import ImageSet

_KEPT = "%:/?#[]@!$&()*+,;=~-._"
"""What RFC 3986 allows in a URL, without the apostrophe, which ends an attribute in single quotes."""
_SPELLED = pattern(r"[A-Za-z0-9/~\-._]*+")
_BLANK = pattern(r"[\s\x00-\x20\x7f]")
_LEVELS = 8
"""How often markup may be escaped in markup; `srcdoc` within `srcdoc` is read to a depth of four."""
_PROBE = pattern(r"https://probe\.invalid/([0-9]+)/image\.webp\?a&((?:amp;)*)b")


class BadAddress(ValueError):
    """An address that can't stand in a document; its text says why."""


def as_target(address: str) -> str:
    """Return an address as it can stand in a document; an absolute one serialised as a browser does. Raises `BadAddress`."""
    if plain(address, None) is not None and address[-1] != ",":
        return address  # as most are: nothing in it would be written otherwise
    shown = f"{address[:100]!r}"
    if not address or _BLANK.search(address):
        raise BadAddress(f"{shown} is empty or holds a blank, which ends a URL in a srcset: write %20")
    if address[0] == "," or address[-1] == ",":
        raise BadAddress(f"{shown} begins or ends with a comma, which belongs to the srcset around it: write %2C")
    if re.match(r"https?:", address, re.IGNORECASE):
        try:
            address = str(URL(address).href)
        except ValueError:
            raise BadAddress(f"{shown} is not a valid URL") from None
    elif re.match(r"[a-z][a-z0-9+.\-]*:", address, re.IGNORECASE):
        raise BadAddress(f"{shown} is neither http nor https, nor a path")
    return quote(address, safe=_KEPT)


def of_key(key: str) -> str:
    """Spell a key as the path of a URL. Nothing in it has a meaning anywhere; servers decode it to the key."""
    return key if _SPELLED.fullmatch(key) is not None else quote(key, safe="/~-._")


def spelled(address: str, *, in_brackets: bool, levels: int) -> str:
    """Spell an address that stands ``in_brackets`` or not, where ``levels`` times references are decoded."""
    if in_brackets:
        address = address.replace("(", "%28").replace(")", "%29")
    return address.replace("&", "&" + "amp;" * levels)


def is_plain(address: str) -> bool:
    """Whether an address is spelled alike everywhere, so that no probe is needed."""
    return "&" not in address


def probe(number: int) -> str:
    """The address to put in a place to see how often references are decoded there."""
    return f"https://probe.invalid/{number}/image.webp?a&{'amp;' * _LEVELS}b"


def levels_seen(sets: Iterable[ImageSet]) -> Mapping[int, int]:
    """Return how often references were decoded in each place that holds a probe, by the probe's number."""
    found: dict[int, int] = {}
    for image_set in sets:
        for candidate in image_set.candidates:
            match = _PROBE.fullmatch(candidate.url)
            if match is not None:
                # Where a reading forgives what was escaped once too often, the standard does not.
                forgiven = "unescaped" in candidate.flags
                found[int(match[1])] = _LEVELS - match[2].count("amp;") - forgiven
    return found


def means(raw: str) -> str:
    """What a spelling in a document means, references decoded."""
    return decode(raw).text

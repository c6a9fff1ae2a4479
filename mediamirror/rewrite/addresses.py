"""Where the objects of a mirror are found from a page, under a public URL or by a relative path, and how an address is spelled. Pure.

An address is spelled so that it means itself wherever a URL can stand. Most of what a context would want escaped (quotes, angle
brackets, backslashes, blanks) no valid URL holds: it is percent-encoded once, and then means the same in an attribute with or
without quotes, in CSS, in JSON, in XML and in a srcset (RFC 3986, 2.1 to 2.3). Two kinds of characters are left: parentheses, which
end an unquoted ``url(`` of CSS and a destination of Markdown, and ``&``, which begins a character reference as often as a text is
markup within markup. How often that is in one place is seen by reading the document with a probe in that place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from ada_url import URL

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.charrefs import decode
from mediamirror.markup.places.urls import plain
from mediamirror.model import Span

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


def levels_seen(places: Iterable[tuple[str, str, Span | None, bool]]) -> Mapping[int, int]:
    """Return how often references were decoded in each place that holds a probe, by the probe's number."""
    found: dict[int, int] = {}
    for url, _, _, forgiven in places:
        match = _PROBE.fullmatch(url)
        if match is not None:
            # Where a reading forgives what was escaped once too often, the standard does not.
            found[int(match[1])] = _LEVELS - match[2].count("amp;") - forgiven
    return found


def means(raw: str) -> str:
    """What a spelling in a document means, references decoded."""
    return decode(raw).text


@dataclass(frozen=True, slots=True)
class Addresses:
    """How keys are addressed: below ``prefix``, which ends with a slash, or by paths to ``root``, the mirror's folder."""

    prefix: str | None = None
    root: str | None = None

    def of(self, key: str, folder: str) -> str:
        """Return the address of a key on a page in ``folder``."""
        return (self.prefix or _path(self.root or "", folder)) + of_key(key)

    def key_of(self, url: str, raw: str, folder: str) -> str | None:
        """Return the key that a URL on a page in ``folder`` leads to: resolved, or as it is spelled (``raw``)."""
        prefix = self.prefix if self.prefix is not None else _path(self.root or "", folder)
        is_written = self.prefix is None or prefix.startswith("/")
        address = means(raw) if is_written else url
        if not address.startswith(prefix):
            return None
        return unquote(re.split(r"[?#]", address.removeprefix(prefix), maxsplit=1)[0])

    @property
    def host(self) -> str | None:
        """The origin that a Content-Security-Policy has to allow, or None for that of the page itself."""
        return str(URL(self.prefix).origin) if self.prefix is not None and "://" in self.prefix else None


@lru_cache(maxsize=1)
def _path(root: str, folder: str) -> str:
    """The path from a page's folder to the mirror's: asked for each of the page's URLs."""
    path = os.path.relpath(root, folder)
    # "./" says that it is a path: in a text, a bare name is a word.
    start = "" if path.startswith("..") else "./"
    return start + ("" if path == "." else of_key(path.replace(os.sep, "/")) + "/")


def under(public_url: str) -> Addresses:
    """Address keys under a public URL, or under a path of the pages' own host. Raises `BadAddress`."""
    address = as_target(public_url)
    if re.match(r"https?://|/(?!/)", address) is None:
        raise BadAddress(
            f"{public_url!r} is neither a URL such as https://media.example.org/ nor a path such as /media/"
        )
    if "?" in address or "#" in address:
        raise BadAddress(f"{public_url!r} has a query or a fragment, and keys are paths under it")
    if "://" in address and (URL(address).username or URL(address).password):
        raise BadAddress("it holds a user name or a password, which every reader of the pages would see")
    return Addresses(prefix=address if address.endswith("/") else f"{address}/")

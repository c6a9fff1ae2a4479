"""URLs by the URL standard (https://url.spec.whatwg.org/), with ada, the parser that browsers' tests are run against.

The serialised URL without its fragment is what a browser requests, and it is the identity of a variant. It is never
decoded or encoded again afterwards: signed URLs would break.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ada_url import URL

from mediamirror.first_use import dataclass, pattern

_SKIPPED_SCHEMES = ("data:", "blob:", "about:", "javascript:", "cid:", "mailto:")
_FETCHED = frozenset({"http:", "https:"})
_C0_AND_SPACE = "".join(map(chr, range(0x21)))
_HAS_SCHEME = pattern(r"[a-z][a-z0-9+.\-]*:", re.IGNORECASE)
_NOT_ASCII = pattern(r"[^\x00-\x7f]+")
_PLACEHOLDER = pattern(
    r"\{\{|\}\}|\{%|%\}|<%|%>|\[%[=\-\s]|<\?|\?>|[$#]\{|\{\.?[a-z_]\w{0,40}\}|%7b\.?[a-z_]\w{0,40}%7d|%7b%7b|%24%7b|%3c%25|%3c\?"
    r"|\[\[[^\[\]]{1,80}\]\]|%%\w{1,40}%%|@@\w{1,40}@@",
    re.IGNORECASE | re.ASCII,
)
_NOTHING = pattern(r"(?:undefined|null|NaN|None|\[object(?: |%20)\w{1,40}\])", re.ASCII)
"""What scripts write for a value that is missing, where it is the whole of a URL."""
SITE = "__GHOST_URL__"
"""What stands for the site's address in an export of Ghost."""
FILES = "https://file.invalid/"
"""Where the files within an INPUT are, in a host that can't be (RFC 2606, 2): nothing is known of a root there."""
MAIL, CID = "https://mail.invalid/", "https://cid.invalid/"
"""Where parts of mails are: those without an address, with their number behind it, and those with a Content-ID."""
UNPLACED = "https://site.invalid/"
"""The base URL of a site whose own is not given."""
_PLAIN = pattern(
    # Its host can't change: no label is encoded, and the last is no number of an address. Of another host ada knows.
    r"(?:https?://(?:(?!xn--)[a-z0-9\-]++\.|(?!))*+(?!xn--)[a-z][a-z0-9\-]*+(?=/)|(https?://[a-z0-9.\-:]++)|(?!//))"
    r"/[A-Za-z0-9\-._~!$()*+,;=:@&/]*+(?:\?[A-Za-z0-9\-._~!$()*+,;=:@&/?]*+)?"
)
MAX_PLAIN = 2048
"""Longest URL taken as it stands; what is longer goes the long way, and meets its limits."""
_QUERY_ESCAPED = frozenset(b"\"#<>'")


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a URL is not fetched: a stable code and a sentence."""

    code: str
    message: str


def resolve(url: str, base: str | None, *, encoding: str = "utf-8") -> str | Skip:
    """Return the absolute, serialised URL without its fragment, or the reason why there is nothing to fetch.

    ``encoding`` is the page's (a Python codec): its legacy encodings apply to the query only (URL standard, query state).
    Reasons: ``empty-url``, ``fragment-only``, ``scheme-not-fetched``, ``scheme-not-loaded``, ``unfilled-template``,
    ``relative-url-without-base``, ``invalid-url``.
    """
    return plain(url, base) or _resolve(url, base, encoding)


def plain(url: str, base: str | None) -> str | None:
    """The URL where nothing in it can change: a path of plain characters without dot segments, on a known origin.

    That is most of them, and ada takes a multiple of the time. None says nothing about the URL.
    """
    match = _PLAIN.fullmatch(url) if "/." not in url else None
    if match is None or len(url) > MAX_PLAIN:
        return None
    if match[1] is not None:
        return url if _is_serialised(match[1]) else None
    if url[0] != "/":
        return url
    prefix = None if base is None else _prefix(base)
    return None if prefix is None else prefix + url


@lru_cache(maxsize=1024)
def _is_serialised(origin: str) -> bool:
    parsed = _parse(origin, None)
    return parsed is not None and parsed.href == f"{origin}/"


def is_made_up(url: str) -> bool:
    """Whether it is an address that we gave to what has none: `FILES` and the like."""
    return url.startswith((FILES, MAIL, CID, UNPLACED))


@lru_cache(maxsize=64)
def _prefix(base: str) -> str | None:
    """What stands before the path of a URL that is resolved on an http(s) ``base`` (user names too)."""
    parsed = _parse("/", base) if not base.startswith(FILES) else None
    return str(parsed.href)[:-1] if parsed is not None and parsed.protocol in {"http:", "https:"} else None


@lru_cache(maxsize=64)
def _is_base(base: str) -> bool:
    """Say whether a base is a URL at all: what is not must not spoil the absolute URLs beside it."""
    return _parse(base, None) is not None


def _resolve(url: str, base: str | None, encoding: str) -> str | Skip:
    trimmed = url.strip(_C0_AND_SPACE)
    if trimmed.startswith(SITE):
        if base is None:
            return Skip("unfilled-template", f"{shown(url)} needs the URL of the site: give it with --base-url.")
        trimmed = trimmed.removeprefix(SITE).lstrip("/")
    skip = _nothing_to_fetch(trimmed)
    if skip is not None:
        return skip
    if trimmed[:1] == "/" and trimmed[1:2] not in {"/", "\\"} and base is not None and base.startswith(FILES):
        base = None
    parsed = _parse(_encode_query(trimmed, encoding), base if base is not None and _is_base(base) else None)
    if parsed is not None:
        parsed.hash = ""
        serialised = parsed.href.removesuffix("#")
        if parsed.protocol not in _FETCHED:
            told = _not_fetched if parsed.protocol in _SKIPPED_SCHEMES else _not_loaded
            return told(serialised, parsed.protocol)
        return _nothing_to_fetch(serialised) or serialised
    if (base is None or not _is_base(base)) and not _HAS_SCHEME.match(trimmed):
        return Skip("relative-url-without-base", f"{shown(url)} is relative: give the URL of its page with --base-url.")
    return Skip("invalid-url", f"{shown(url)} is not a valid URL.")


def base_of(href: str, document_url: str | None) -> str | None:
    """Return the base URL that a ``<base href>`` sets, or the document's URL where the standard ignores it.

    HTML, 4.2.3 "set the frozen base URL": failures and ``data:`` or ``javascript:`` fall back to the document's URL.
    """
    parsed = _parse(href.strip(_C0_AND_SPACE), document_url)
    if parsed is None or parsed.protocol in {"data:", "javascript:"}:
        return document_url
    return str(parsed.href)


def shown(url: str, limit: int = 120) -> str:
    """Shorten a URL for a message; control characters are spelled out."""
    text = url if len(url) <= limit else f"{url[: limit - 20]}…{url[-19:]}"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text) or "(empty)"


def _nothing_to_fetch(url: str) -> Skip | None:
    if not url:
        return Skip("empty-url", "The URL is empty: there is nothing to fetch.")
    if url[0] == "#" and not url.startswith("#{"):
        return Skip("fragment-only", f"{shown(url)} points into the page itself: there is nothing to fetch.")
    head = url[:16].lower()
    scheme = next((s for s in _SKIPPED_SCHEMES if head.startswith(s)), None)
    if scheme is not None:
        return _not_fetched(url, scheme)
    if _PLACEHOLDER.search(url):
        return Skip(
            "unfilled-template", f"{shown(url)} holds a placeholder that a script or a template was to fill in."
        )
    if _NOTHING.fullmatch(url):
        return Skip("unfilled-template", f"{shown(url)} is what a script writes where it has no URL.")
    return None


def _not_fetched(url: str, scheme: str) -> Skip:
    return Skip("scheme-not-fetched", f"{shown(url, 60)} has the scheme {scheme} and only http and https are fetched.")


def _not_loaded(url: str, scheme: str) -> Skip:
    return Skip(
        "scheme-not-loaded",
        f"{shown(url, 60)} has the scheme {scheme}, and no page on the web loads images from there: "
        "only http and https are fetched.",
    )


def _parse(url: str, base: str | None) -> URL | None:
    try:
        return URL(url, base)
    except (ValueError, UnicodeEncodeError):
        return None


def _encode_query(url: str, encoding: str) -> str:
    if encoding == "utf-8" or url.isascii():
        return url
    before_fragment, hash_mark, fragment = url.partition("#")
    path, mark, query = before_fragment.partition("?")
    if query.isascii() or not _is_special(path):
        return url
    return f"{path}{mark}{_NOT_ASCII.sub(lambda run: _percent(run[0], encoding), query)}{hash_mark}{fragment}"


def _is_special(path: str) -> bool:
    scheme = _HAS_SCHEME.match(path)
    return scheme is None or scheme[0].lower() in {"http:", "https:", "ftp:", "file:"}


def _percent(text: str, encoding: str) -> str:
    # URL standard, "percent-encode after encoding": what the encoding lacks becomes an escaped &#…; reference.
    out: list[str] = []
    for char in text:
        try:
            encoded = char.encode(encoding)
        except UnicodeEncodeError:
            out.append(f"%26%23{ord(char)}%3B")
        else:
            out.extend(_percent_byte(byte) for byte in encoded)
    return "".join(out)


def _percent_byte(byte: int) -> str:
    return f"%{byte:02X}" if byte <= 0x20 or byte > 0x7E or byte in _QUERY_ESCAPED else chr(byte)

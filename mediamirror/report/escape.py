"""A stranger's text, made fit to be shown: nothing invisible, nothing that runs, no password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from mediamirror.redact import is_redacted, redact_text, redact_url

# C0 and C1 controls (tab and line feed among them), the marks and overrides that turn text around, the byte order mark,
# lone surrogates, and the code points that XML 1.0 forbids (https://www.w3.org/TR/xml/#charsets).
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that make a terminal show what follows in another order: a name that ends in .jpg ends in something else."""
_CONTROLS = {c: f"\\x{c:02x}" for c in (*range(32), *range(127, 160))} | {c: f"\\u{c:04x}" for c in _TURNING}


def clean(text: str) -> str:
    """A stranger's text on one line of a terminal: controls, turning marks and what is no character made visible, URLs redacted."""
    return redact_text(text).translate(_CONTROLS).encode("utf-8", "backslashreplace").decode()


def visible(text: str) -> str:
    """Redact URLs, fold white space to single spaces and write invisible or forbidden characters as ``\\u202e``."""
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", _SPACES.sub(" ", redact_text(text))).strip()


def shown_url(url: str) -> str:
    """The URL as text for people: visible and redacted."""
    return visible(redact_url(url, room=None))


def uri(url: str) -> str | None:
    """The URL as a name for programs, percent-encoded and redacted: http and https only; otherwise None."""
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc or _ODD.search(url):
        return None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return quote(redact_url(bare, room=None), safe="%:/?#[]@!$&*+,;=~-._'()")


def link(url: str) -> str | None:
    """The URL where it may be a link, as `uri` has it. One that lost a secret leads nowhere, and is none."""
    found = uri(url)
    return None if found is None or is_redacted(found) else found


def file_name(url: str) -> str:
    """The last path segment of a URL or path for people, or the whole where there is none."""
    shown = shown_url(url)
    return re.split(r"[?#]", shown, maxsplit=1)[0].rstrip("/").rpartition("/")[2] or shown


def shorten(text: str, room: int) -> str:
    """At most ``room`` characters; what is left out is marked by an ellipsis."""
    return text if len(text) <= room else text[: room - 1] + "…"


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None

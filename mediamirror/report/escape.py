"""A stranger's text, made fit to be shown: nothing invisible, nothing that runs, no password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from mediamirror.first_use import pattern
from mediamirror.redact import is_redacted, redact_text, redact_url

# C0 and C1 controls (tab and line feed among them), the marks and overrides that turn text around, the byte order mark,
# lone surrogates, and the code points that XML 1.0 forbids (https://www.w3.org/TR/xml/#charsets).
_ODD = pattern(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_SPACES = pattern(r"[ \t\r\n\f]+")
_TURNING = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that make a terminal show what follows in another order: a name that ends in .jpg ends in something else."""
_CONTROLS = {c: f"\\x{c:02x}" for c in (*range(32), *range(127, 160))} | {
    c: f"\\u{c:04x}" for c in (0x2028, 0x2029, *_TURNING)
}

_IN_JSON = {c: f"\\u{c:04x}" for c in (*range(0x7F, 0xA0), 0x2028, 0x2029, *_TURNING)}
_COMMAND = pattern(r"::(?=[A-Za-z-]+(?: |::))|##(?=\[)")
"""What a build's log takes for a command at the beginning of a line, also of one that was only wrapped: GitHub, Azure."""


def clean(text: str) -> str:
    """A stranger's text on one line of a terminal: controls, turning marks and what is no character made visible, URLs redacted.

    Nor does a build's log find a command in it (``::error::``).
    """
    return spelled_out(redact_text(text))


def clean_lines(text: str) -> str:
    """Several lines for a terminal or a log, each as `clean` has it, but for what is redacted: the caller's affair."""
    return "\n".join(map(spelled_out, text.split("\n")))


def spelled_out(text: str) -> str:
    """One line with nothing in it that does something: what `clean` makes visible, and nothing redacted."""
    if text.isascii() and text.isprintable() and "::" not in text and "##[" not in text:
        return text
    without = _COMMAND.sub(lambda found: f"\\x{ord(found[0][0]):02x}{found[0][1]}", text)
    return without.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode()


def plain_json(text: str) -> str:
    """JSON text where what a terminal acts on is written as ``\\u009b``: the same values for whoever reads it."""
    if text.isascii() and text.isprintable() and "##[" not in text:
        return text
    return text.replace("##[", "#\\u0023[").translate(_IN_JSON).encode("utf-8", "backslashreplace").decode()


def visible(text: str) -> str:
    """Redact URLs, fold white space to single spaces and write invisible or forbidden characters as ``\\u202e``."""
    return _ODD.sub(
        lambda match: f"\\u{ord(match[0]):04x}", _SPACES.sub(" ", redact_text(text).replace("##[", "#\\x23["))
    ).strip()


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


def tail(text: str, room: int) -> str:
    """The last characters of a text, ``room`` at most, with an ellipsis for what stands before them."""
    return text if len(text) <= room else "…" + text[-(room - 1) :]


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None

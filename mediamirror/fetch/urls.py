"""URLs as they are requested: parsed once by the URL Standard, then never touched again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import ada_url

from mediamirror.errors import InvalidURL
from mediamirror.fetch.guard import Guard
from mediamirror.redact import redact_url

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart for one request. ``href`` is serialised, without fragment; ``target`` is path and query."""

    href: str
    scheme: str
    host: str
    port: int
    origin: str
    target: bytes


def parse_target(url: str, guard: Guard, *, base: str | None = None) -> Target:
    """Parse a URL by the URL Standard, against ``base`` when given, drop its fragment and check its scheme and port.

    Raises `InvalidURL` (also for ``user:password@``, which would send a secret to whoever owns the host),
    `SchemeRefused` and `PortRefused`; where a proxy is to dial, `AddressRefused` too.
    """
    href = _normalize(url, base).partition("#")[0]
    scheme, colon, rest = href.partition(":")
    guard.check_scheme(scheme if colon else "")
    # A serialised http(s) URL always has "//", an authority and a "/".
    cut = len(scheme) + 3 + rest.index("/", 2) - 2
    origin = href[:cut]
    if "@" in origin:
        raise InvalidURL(f"{redact_url(href)} holds a user name or password; use a header instead.")
    host, port = split_origin(origin)
    guard.check_place(host, port)
    return Target(href, scheme, host, port, origin, href[cut:].encode())


def _normalize(url: str, base: str | None) -> str:
    if len(url) > _LONGEST:
        raise InvalidURL(f"{redact_url(url)} is longer than {_LONGEST} characters.")
    try:
        return ada_url.normalize_url(url) if base is None else ada_url.join_url(base, url)
    except (ValueError, UnicodeError):
        raise InvalidURL(f"{redact_url(url)!r} is not a URL that can be requested.") from None


@lru_cache(maxsize=1024)
def split_origin(origin: str) -> tuple[str, int]:
    """Host (IPv6 without brackets) and port of a serialised ``scheme://host[:port]``."""
    scheme, _, authority = origin.partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority.strip("[]"), _DEFAULT_PORTS[scheme]
    return host.strip("[]"), int(port)

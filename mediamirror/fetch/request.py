"""A request to a fetcher, and the contract of fetchers; URLs parsed for requesting; the header fields that are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from typing import Protocol

import ada_url

from mediamirror import __version__
from mediamirror.errors import FetchError, InvalidURL, UsageError
from mediamirror.fetch.guard import Guard, check_scheme, guard_for, rule_for
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.model import Body, Capture, Download
from mediamirror.redact import redact_url
from mediamirror.settings import FetchOptions

IMAGES = "image/avif,image/webp,image/*,*/*;q=0.8"
"""The Accept header of a browser that wants an image. PNG and JPEG are among ``image/*``."""


@dataclass(frozen=True, slots=True)
class Hop:
    """State of a redirected request, for its next hop."""

    first_url: str
    """The URL of the first hop, named in errors."""
    seconds: float
    """What is left of ``options.timeout``."""
    trusted: bool = True
    """False once the way led from https to http: secrets are withheld from then on, whatever the host."""


class Trace(list[Capture]):
    """Answers as they came, for an archive; with whoever made it lies what becomes of their own files."""

    def forget(self) -> None:
        """Empty it, and delete the files that only it has."""
        for each in self:
            if each.owned and isinstance(each.body, Body):
                discard(each.body)
        self.clear()


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to GET.

    With ``etag`` or ``last_modified`` the request is conditional, and 304 is a good answer. ``range`` is the first and the
    last byte wanted (the last one included, None for the rest); an origin may answer with the whole all the same.
    ``max_size`` in bytes overrides the options'. ``allow_empty`` accepts a 200 without a single byte. ``hop`` is set by
    `client.Following`.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None
    accept: str = IMAGES
    range: tuple[int, int | None] | None = None
    max_size: int | None = None
    allow_empty: bool = False
    hop: Hop | None = None
    pages: tuple[str, ...] = field(default=(), compare=False)
    """The documents that name it, where that is known: an archive gives the capture of their time."""
    trace: Trace | None = field(default=None, compare=False)
    """Where the answers are put that lead to the last one, and this, whatever it is; those of earlier tries are taken out."""

    @property
    def for_image(self) -> bool:
        """True for what is wanted as an image, not as a document."""
        return self.accept == IMAGES

    @property
    def conditional(self) -> bool:
        """True when the request is a revalidation of a copy that the caller has."""
        return self.etag is not None or self.last_modified is not None


class Fetcher(Protocol):
    """Anything that turns a `Request` into a `Download`.

    ``fetch`` returns a whole body or raises; may be called concurrently; raises only `errors.FetchError` and its
    subclasses, besides cancellation, which leaves no file and no open connection behind. A body that was spooled
    belongs to the caller, who ends it with `discard`.
    """

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL."""
        ...


def discard(body: Body | None) -> None:
    """Delete a spooled body's file; does nothing for a body in memory, or when called twice."""
    if body is not None and body.path is not None:
        with suppress(OSError):
            body.path.unlink(missing_ok=True)


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
    target = _parse(url, base)
    guard.check_place(target.host, target.port)
    return target


@lru_cache(maxsize=256)
def _parse(url: str, base: str | None) -> Target:
    """Take a URL apart; each layer of a fetch asks anew."""
    href = _normalize(url, base).partition("#")[0]
    scheme, colon, rest = href.partition(":")
    check_scheme(scheme if colon else "")
    # A serialised http(s) URL always has "//", an authority and a "/".
    cut = len(scheme) + 3 + rest.index("/", 2) - 2
    origin = href[:cut]
    if "@" in origin:
        raise InvalidURL(f"{redact_url(href)} holds a user name or password; use a header instead.")
    host, port = split_origin(origin)
    return Target(href, scheme, host, port, origin, href[cut:].encode())


def certain_refusal(options: FetchOptions) -> Callable[[str], FetchError | None]:
    """Return what tells, of a URL, the error that a request for it ends with before any name is looked up, or None.

    That is what the URL itself says: its form, scheme and port, and a host that is an address or means the machine itself.
    """
    guard = guard_for(options)
    judging = replace(guard, by_proxy=True)

    @lru_cache(maxsize=1024)
    def looked_at(url: str) -> FetchError | None:
        try:
            target = parse_target(url, guard)
            rule = rule_for(target.host, target.port, options.connect_to)
            if rule is None or not rule.to_host:  # else another host is dialled, which the user named
                judging.check_place(target.host, target.port)
        except FetchError as error:
            return error
        return None

    def refused(url: str) -> FetchError | None:
        plain = _ORIGIN.match(url)
        # What follows such an origin is a path, whatever it is: it gives no reason to refuse.
        if plain is not None and len(url) <= _LONGEST and url.isascii() and looked_at(plain[0]) is None:
            return None
        return looked_at(url)

    return refused


_ORIGIN = pattern(r"https?://[a-z0-9.:-]++/")


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


_TOKEN = pattern(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = pattern(r"[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
_OURS = {
    "host": "use --connect-to to reach a name at another address",
    "accept-encoding": "images are asked for as they are stored",
    "range": "whole files are mirrored",
    "if-none-match": "a second run asks on its own whether a file has changed",
    "if-modified-since": "a second run asks on its own whether a file has changed",
    **dict.fromkeys(
        ("content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "keep-alive"),
        "the connection's own headers can't be chosen",
    ),
}


_HARMLESS = frozenset(
    {
        *("accept", "accept-charset", "accept-language", "user-agent", "from", "origin", "referer"),
        *("cache-control", "pragma", "priority", "dnt", "sec-gpc", "save-data", "upgrade-insecure-requests"),
        *("dpr", "width", "viewport-width", "device-memory", "downlink", "ect", "rtt"),
        *("sec-ch-dpr", "sec-ch-width", "sec-ch-viewport-width", "sec-ch-viewport-height", "sec-ch-device-memory"),
        *("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-ch-prefers-color-scheme"),
        *("sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user"),
    }
)
"""Request headers that hold a wish, or say who asks and from which page: they go to every host. All others may be a key."""


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value`` (and curl's ``Name;`` for an empty value). Raises `UsageError`; never shows the value."""
    name, colon, value = text.partition(":")
    if not colon:
        name, colon, rest = text.partition(";")
        if not colon or rest.strip():
            raise UsageError("-H needs 'Name: value'.")
    name, value = name.strip(" "), value.strip(" \t")
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"-H got {name[:40]!r}, which can't be a header's name; it needs 'Name: value'.")
    if _BAD_VALUE.search(value):
        raise UsageError(f"-H {name}: the value holds a character that can't be in a header, such as a line break.")
    if (reason := _OURS.get(name.lower())) is not None:
        raise UsageError(f"-H {name} can't be set: {reason}.")
    return name, value


def is_for_everybody(name: str, value: str) -> bool:
    """Say whether a header may go to every host: a known harmless one, and no URL that holds a secret (a Referer's token)."""
    return name.lower() in _HARMLESS and redact_url(value) == value


def may_see_secrets(target: Target, hosts: Iterable[str]) -> bool:
    """Say whether a URL is meant by ``hosts``: each an origin, ``host`` (any port) or ``host:port``, IPv6 in brackets."""
    bare = f"[{target.host}]" if ":" in target.host else target.host
    names = {target.origin, target.host, bare, f"{bare}:{target.port}"}
    return any(host.lower() in names for host in hosts)


def check_options(options: FetchOptions) -> None:
    """Raise `UsageError` for a ``--connect-to`` beside a ``--proxy``, and a malformed ``--allow-host`` or ``--contact``."""
    if options.proxy is not None and options.connect_to:
        raise UsageError("--connect-to and --proxy can't be used together: with a proxy it is the proxy that dials.")
    guard_for(options)
    user_agent(options)


def user_agent(options: FetchOptions) -> str:
    """Return the User-Agent: ``mediamirror/<version> (+contact)``, or what ``--user-agent`` says in its place.

    Raises `UsageError` for a ``--contact`` that can't stand in the header.
    """
    agent = options.user_agent or default_user_agent()
    contact = options.contact
    if contact is None:
        return agent
    if not contact.isascii() or not contact.isprintable() or not contact.strip() or set("()\\") & set(contact):
        raise UsageError("--contact needs a mail address or the URL of a page, in ASCII and without brackets.")
    return f"{agent} (+{contact.strip()})"


def default_user_agent() -> str:
    """``mediamirror/<version>``."""
    return f"mediamirror/{__version__}"


class RequestHeaders:
    """The header fields of a GET request. Those of the user replace our Accept and User-Agent, and nothing else.

    ``own_hosts`` and ``options.credentials_for`` get all of them, every other host only those that are for everybody.
    """

    def __init__(self, options: FetchOptions, *, own_hosts: frozenset[str], user_agent: str) -> None:
        named = {name.lower() for name, _ in options.headers}
        ours = [("Accept-Encoding", "identity")]
        if "user-agent" not in named:
            ours.insert(0, ("User-Agent", user_agent))
        self._with_secrets = (*ours, *options.headers)
        self._without = (*ours, *(field for field in options.headers if is_for_everybody(*field)))
        self._own_accept = "accept" in named
        self._trusted_hosts = own_hosts | frozenset(options.credentials_for)

    def without_secrets(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Return the fields that may be kept, those of a condition or a range with them."""
        own = self._without if self._own_accept else (("Accept", request.accept), *self._without)
        return (*own, *conditions(request))

    def of(self, request: Request, target: Target) -> tuple[tuple[str, str], ...]:
        """Return the fields for one hop, in their order; those of a condition or a range are `conditions`."""
        trusted = request.hop is None or request.hop.trusted
        secret = trusted and may_see_secrets(target, self._trusted_hosts)
        own = self._with_secrets if secret else self._without
        return own if self._own_accept else (("Accept", request.accept), *own)


def conditions(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the fields that make a request conditional, or ask for a part."""
    if request.etag is not None:
        yield "If-None-Match", request.etag
    # With a tag the tag alone is asked about (RFC 9110, 13.1.3): some servers look at the date first, which other bytes may share.
    if request.last_modified is not None and request.etag is None:
        yield "If-Modified-Since", request.last_modified
    if request.range is not None:
        first, last = request.range
        yield "Range", f"bytes={first}-{'' if last is None else last}"

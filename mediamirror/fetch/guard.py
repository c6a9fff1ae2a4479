"""The one gate for every address about to be dialled, and for every scheme and port about to be asked.

Who comes through here: images, INPUTs that are URLs, robots.txt, sitemaps, pages of a crawl, and each redirect of any of
them. What the user named with an option does not: the goal of ``--connect-to``, the proxy, the bucket's endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from mediamirror.errors import AddressRefused, ConnectFailed, PortRefused, SchemeRefused
from mediamirror.fetch.address_ranges import IPAddress, refusal
from mediamirror.fetch.ports import BLOCKED_PORTS

SCHEMES = frozenset({"http", "https"})
_LOCALHOST = "localhost"


class Dial(NamedTuple):
    """A connection that is about to be opened.

    ``host`` and ``port`` are those the URL asked for (before any ``--connect-to``); ``ip`` and ``ip_port`` are what
    will really be dialled. ``named`` says that a ``--connect-to`` of the user's names the host that ``ip`` belongs to.
    """

    host: str
    port: int
    ip: IPAddress
    ip_port: int
    named: bool = False


Policy = Callable[[Dial], str | None]
"""Decides about one address: None lets it pass, a sentence's end (``"it is a private address"``) refuses it."""

Opened = Callable[[str, int], bool]
"""Says whether the user opened a port that is blocked otherwise, for a URL's host and port."""


def allow_all(dial: Dial) -> str | None:  # noqa: ARG001 - the shape of a policy
    """Let every address pass."""
    return None


def public_only(dial: Dial) -> str | None:
    """Let public addresses pass, and what the user named."""
    if dial.named or (what := refusal(dial.ip)) is None:
        return None
    return f"it is {what}; allow it with --allow-host {_written(dial.host)}, or every such address with --allow-private"


def never(host: str, port: int) -> bool:  # noqa: ARG001 - the shape of `Opened`
    """Open no blocked port."""
    return False


@dataclass(frozen=True, slots=True)
class Guard:
    """Says yes or no to schemes, ports and addresses. The default lets public addresses pass and nothing else.

    `admit` is called after every resolution, for literal addresses too, with the very addresses that are dialled next;
    one refused address refuses the whole name, so that a name with a public and a private address gains nothing.
    Where a proxy resolves (``by_proxy``), `check_place` judges what the URL itself says: literal addresses, and the
    names that mean the machine itself.
    """

    policy: Policy = field(default=public_only)
    opened: Opened = field(default=never)
    by_proxy: bool = False

    def check_scheme(self, scheme: str) -> None:
        """Raise `SchemeRefused` unless the scheme (lower case, no colon) is http or https."""
        if scheme not in SCHEMES:
            raise SchemeRefused(f"Only http and https are fetched, not {scheme or 'a URL without scheme'}.")

    def check_place(self, host: str, port: int) -> None:
        """Raise `PortRefused` for a blocked port, and `AddressRefused` for what a proxy may not be asked to dial."""
        if port in BLOCKED_PORTS and not self.opened(host, port):
            raise PortRefused(
                f"{_written(host)} was not contacted at port {port}: it is for another protocol than HTTP; "
                f"allow it with --allow-host {_written(host)}:{port}."
            )
        if self.by_proxy and (ip := own_machine(host) or literal(host)) is not None:
            self._judge(Dial(host, port, ip, port))

    def admit(self, host: str, port: int, addresses: Iterable[tuple[str, int]], *, named: bool = False) -> None:
        """Let a name's resolved addresses ``(ip, port)`` pass, or raise `AddressRefused` naming the first that may not."""
        for text, ip_port in addresses:
            self._judge(Dial(host, port, parse_ip(text, host), ip_port, named))

    def _judge(self, dial: Dial) -> None:
        if (reason := self.policy(dial)) is not None:
            raise AddressRefused(f"{dial.host} was not contacted at {dial.ip}: {reason}.")


def parse_ip(text: str, host: str) -> IPAddress:
    """Read an address as a resolver returns it, IPv6 scope and all; what is not one can't be judged, so it is refused."""
    try:
        return ip_address(text)
    except ValueError:
        raise ConnectFailed(f"{host} resolved to {text!r}, which is not an address.") from None


def literal(host: str) -> IPAddress | None:
    """The address that a URL's host is, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def own_machine(host: str) -> IPAddress | None:
    """The loopback address for a name that means the machine itself, whatever a resolver says of it (RFC 6761, 6.3)."""
    name = host.rstrip(".")
    return ip_address("127.0.0.1") if name == _LOCALHOST or name.endswith(f".{_LOCALHOST}") else None


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host

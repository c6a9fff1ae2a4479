"""The one gate for every address about to be dialled, and for every scheme about to be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from mediamirror.errors import AddressRefused, ConnectFailed, SchemeRefused

IPAddress = IPv4Address | IPv6Address

SCHEMES = frozenset({"http", "https"})


class Dial(NamedTuple):
    """A connection that is about to be opened.

    ``host`` and ``port`` are those the URL asked for (before any ``--connect-to``); ``ip`` and ``ip_port`` are what
    will really be dialled.
    """

    host: str
    port: int
    ip: IPAddress
    ip_port: int


Policy = Callable[[Dial], str | None]
"""Decides about one address: None lets it pass, a sentence's end (``"it is a private address"``) refuses it."""


def allow_all(dial: Dial) -> str | None:  # noqa: ARG001 - the shape of a policy
    """Let every address pass."""
    return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Says yes or no to schemes and addresses.

    `admit` is called after every resolution, for literal addresses too, with the very addresses that are dialled next;
    one refused address refuses the whole name, so that a name with a public and a private address gains nothing.
    """

    policy: Policy = field(default=allow_all)

    def check_scheme(self, scheme: str) -> None:
        """Raise `SchemeRefused` unless the scheme (lower case, no colon) is http or https."""
        if scheme not in SCHEMES:
            raise SchemeRefused(f"Only http and https are fetched, not {scheme or 'a URL without scheme'}.")

    def admit(self, host: str, port: int, addresses: Iterable[tuple[str, int]]) -> None:
        """Let a name's resolved addresses ``(ip, port)`` pass, or raise `AddressRefused` naming the first that may not."""
        for text, ip_port in addresses:
            dial = Dial(host, port, parse_ip(text, host), ip_port)
            if (reason := self.policy(dial)) is not None:
                raise AddressRefused(f"{host} was not contacted at {dial.ip}: {reason}.")


def parse_ip(text: str, host: str) -> IPAddress:
    """Read an address as a resolver returns it, IPv6 scope and all; what is not one can't be judged, so it is refused."""
    try:
        return ip_address(text)
    except ValueError:
        raise ConnectFailed(f"{host} resolved to {text!r}, which is not an address.") from None

"""``--allow-host HOST[:PORT]``: what the user opens in the guard, and no more than that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import ada_url

from mediamirror.errors import UsageError
from mediamirror.fetch.address_ranges import IPAddress, embedded_ipv4

_SHAPE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]/:]+)(/[0-9]{1,3})?(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[^\s*?@#%\\]+")


@dataclass(frozen=True, slots=True)
class Permit:
    """A name, or the addresses of ``network``; at ``port``, or at any."""

    name: str | None
    network: IPv4Network | IPv6Network | None
    port: int | None

    def opens(self, host: str, port: int, ip: IPAddress | None) -> bool:
        """Say whether a URL's host and port, or the address that would be dialled for it, is the one meant."""
        if self.port not in {None, port}:
            return False
        if self.network is None:
            return host.rstrip(".") == self.name
        return any(each is not None and each in self.network for each in (ip, embedded_ipv4(ip) if ip else None))


def parse_allow_host(text: str) -> Permit:
    """Read a name, an address, or a block such as ``10.0.0.0/8``, and a port after a colon. Raises `UsageError`."""
    word = text.strip()
    if ":" in word and (network := _network(word)) is not None:  # a bare IPv6 address; its colons are no port
        return Permit(None, network, None)
    match = _SHAPE.fullmatch(word)
    if match is None:
        raise _unreadable(text)
    host, bits, port = match.groups()
    number = None if port is None else int(port)
    if number is not None and number > 65535:
        raise UsageError(f"--allow-host got port {port} in {text!r}; a port is 0 to 65535.")
    name = _as_in_urls(host, text)
    network = _network(name.strip("[]") + (bits or ""))
    if network is None and bits:
        raise _unreadable(text)
    return Permit(None if network else name.rstrip("."), network, number)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _as_in_urls(host: str, text: str) -> str:
    """The host as a URL's is written: lower case, ASCII, addresses in their one form."""
    try:
        return str(ada_url.URL(f"http://{host}/").hostname) if host[0] == "[" or _NAME.fullmatch(host) else _fail(text)
    except ValueError:
        return _fail(text)


def _fail(text: str) -> str:
    raise _unreadable(text)


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"--allow-host wants a name, an address or a block such as 10.0.0.0/8, and perhaps :PORT; it got {text!r}."
    )

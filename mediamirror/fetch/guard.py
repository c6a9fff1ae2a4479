"""The one gate for every address about to be dialled, and for every scheme and port about to be asked.

Who comes through here: images, INPUTs that are URLs, robots.txt, sitemaps, pages of a crawl, and each redirect of any of
them. What the user named with an option does not: the goal of ``--connect-to``, the proxy, the bucket's endpoint.
``--allow-host`` and ``--connect-to`` are read here too: they are what the user opens in the guard, and no more than that.

Which addresses are not of the public internet says a table of our own, row by row with its source. `ipaddress.is_global`
follows the same registries, but calls ``::127.0.0.1``, ``64:ff9b::7f00:1``, ``64:ff9b:1::1``, ``2002:7f00:1::``,
``224.0.0.1`` and ``fec0::1`` global (Python 3.11). Sources, read in 2026:

- "special": IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), the column "Globally Reachable";
- "space": IANA Internet Protocol Version 6 Address Space, where only 2000::/3 is global unicast;
- the RFC that gives a block its meaning.

The most specific row decides, as in a routing table, so that a row may lie inside another: to be named for what it
is, or (``public``) to pass. What no row holds is public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import ada_url

from mediamirror.errors import AddressRefused, ConnectFailed, PortRefused, SchemeRefused, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.settings import FetchOptions, Rewired

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Range:
    """One block of addresses. ``what`` completes "it is …"; ``public`` lets it pass although it lies in another row."""

    network: IPv4Network | IPv6Network
    what: str
    source: str
    public: bool = False


def _rows(rows: Iterable[tuple[str, str, str]], *, public: bool = False) -> tuple[Range, ...]:
    return tuple(Range(ip_network(block), what, source, public) for block, what, source in rows)


RANGES: tuple[Range, ...] = (
    *_rows(
        (
            ("0.0.0.0/8", "an address of this host or network", "RFC 791, 3.2; special"),
            ("10.0.0.0/8", "a private address", "RFC 1918; special"),
            ("100.64.0.0/10", "an address shared behind a carrier's NAT", "RFC 6598; special"),
            ("127.0.0.0/8", "a loopback address", "RFC 1122, 3.2.1.3; special"),
            # Public by number, answered by the host of every Azure machine: learn.microsoft.com, "What is 168.63.129.16".
            ("168.63.129.16/32", "the address of a cloud's own control service", "Microsoft Azure's documentation"),
            ("169.254.0.0/16", "a link-local address, such as a cloud's metadata service", "RFC 3927; special"),
            ("172.16.0.0/12", "a private address", "RFC 1918; special"),
            # 192.0.0.9 and .10 are called globally reachable: anycast, answered by the nearest gateway, which is one's own.
            ("192.0.0.0/24", "an address of a network protocol", "RFC 6890, 2.1; special"),
            ("192.0.2.0/24", "an address for documentation", "RFC 5737; special"),
            ("192.88.99.0/24", "the nearest 6to4 relay", "RFC 7526; special"),
            ("192.168.0.0/16", "a private address", "RFC 1918; special"),
            ("198.18.0.0/15", "an address for benchmarks", "RFC 2544; special"),
            ("198.51.100.0/24", "an address for documentation", "RFC 5737; special"),
            ("203.0.113.0/24", "an address for documentation", "RFC 5737; special"),
            ("224.0.0.0/4", "a multicast address", "RFC 1112, 4"),
            ("240.0.0.0/4", "a reserved or the broadcast address", "RFC 1112, 4; RFC 919, 7; special"),
            ("::/8", "a reserved address", "RFC 4291; space"),
            ("::/128", "the unspecified address", "RFC 4291, 2.5.2; special"),
            ("::1/128", "a loopback address", "RFC 4291, 2.5.3; special"),
            ("64:ff9b:1::/48", "an address of the local network's own IPv4 translation", "RFC 8215; special"),
            ("100::/8", "a reserved or discarded address", "RFC 6666; space"),
            ("200::/7", "a reserved address", "RFC 4048; space"),
            ("400::/6", "a reserved address", "RFC 4291; space"),
            ("800::/5", "a reserved address", "RFC 4291; space"),
            ("1000::/4", "a reserved address", "RFC 4291; space"),
            # 2001:1::1 to ::3 are called globally reachable: anycast, answered by the nearest gateway, which is one's own.
            ("2001::/23", "an address of a network protocol", "RFC 2928; special"),
            ("2001::/32", "a Teredo address, a tunnel to an IPv4 address", "RFC 4380; special"),
            ("2001:2::/48", "an address for benchmarks", "RFC 5180; special"),
            ("2001:db8::/32", "an address for documentation", "RFC 3849; special"),
            ("2002::/16", "a 6to4 address, a tunnel to an IPv4 address", "RFC 3056, RFC 7526; special"),
            ("3fff::/20", "an address for documentation", "RFC 9637; special"),
            ("4000::/3", "a reserved address", "RFC 4291; space"),
            ("6000::/3", "a reserved address", "RFC 4291; space"),
            ("8000::/3", "a reserved address", "RFC 4291; space"),
            ("a000::/3", "a reserved address", "RFC 4291; space"),
            ("c000::/3", "a reserved address", "RFC 4291; space"),
            ("e000::/4", "a reserved address", "RFC 4291; space"),
            ("f000::/5", "a reserved address", "RFC 4291; space"),
            ("f800::/6", "a reserved address", "RFC 4291; space"),
            ("fc00::/7", "a private (unique local) address", "RFC 4193; special"),
            ("fe00::/9", "a reserved address", "RFC 4291; space"),
            ("fe80::/10", "a link-local address", "RFC 4291, 2.5.6; special"),
            ("fec0::/10", "a private (site-local) address", "RFC 3879; space"),
            ("ff00::/8", "a multicast address", "RFC 4291, 2.7; space"),
        )
    ),
    *_rows(
        (
            ("2001:3::/32", "a multicast relay", "RFC 7450; special"),
            ("2001:4:112::/48", "an AS112 name server", "RFC 7535; special"),
            ("2001:20::/28", "an ORCHIDv2 identifier", "RFC 7343; special"),
            ("2001:30::/28", "a drone's identifier", "RFC 9374; special"),
        ),
        public=True,
    ),
)

_V4_MAPPED = 0xFFFF  # ::ffff:0:0/96, RFC 4291, 2.5.5.2: the system dials the IPv4 address inside
_NAT64 = 0x0064_FF9B << 64  # 64:ff9b::/96, RFC 6052, 2.1: the network's translator dials it
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214, 6.1: ::[0,200]:5efe:a.b.c.d in any /64


@lru_cache(maxsize=4096)
def refusal(ip: IPAddress) -> str | None:
    """Say what keeps an address from being public (completes "it is …"), or None when it is."""
    row = judge(ip)
    if row is None:
        return None
    inner = embedded_ipv4(ip)
    instead = f"the IPv4 address {inner} in another form, " if inner is not None and inner in row.network else ""
    return f"{instead}{row.what} ({row.network})"


def judge(ip: IPAddress, ranges: Sequence[Range] = RANGES) -> Range | None:
    """The row that keeps an address from being dialled, or None for a public one. A scope (``%eth0``) changes nothing.

    An IPv6 address that only writes an IPv4 one, or that a translator turns into one, is judged as that; one that
    tunnels to an IPv4 address (ISATAP; 6to4 and Teredo never pass) must pass as both.
    """
    inner = embedded_ipv4(ip)
    if inner is not None and int(ip) >> 32 in {_V4_MAPPED, _NAT64}:
        return _refusing(inner, ranges)
    return _refusing(ip, ranges) or (None if inner is None else _refusing(inner, ranges))


def embedded_ipv4(ip: IPAddress) -> IPv4Address | None:
    """The IPv4 address inside of an IPv6 one: IPv4-mapped, NAT64's well-known prefix, or ISATAP."""
    if isinstance(ip, IPv4Address):
        return None
    high, low = int(ip) >> 32, int(ip) & 0xFFFF_FFFF
    if high in {_V4_MAPPED, _NAT64} or high & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(low)
    return None


def _refusing(ip: IPAddress, ranges: Sequence[Range]) -> Range | None:
    holding = [row for row in ranges if row.network.version == ip.version and ip in row.network]
    row = max(holding, key=lambda row: row.network.prefixlen, default=None)
    return None if row is None or row.public else row


SCHEMES = frozenset({"http", "https"})
_LOCALHOST = "localhost"

BLOCKED_PORTS = frozenset(
    {
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587),
        *(601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061),
        *(6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    }
)
"""The bad ports of the Fetch standard (2.9, "Port blocking"), and port 0, which nobody can listen on."""


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
    return (
        f"it is {what}; allow it with --allow-host {_written(dial.host)}{_port_after(':', dial.port)}, "
        "or every such address with --allow-private"
    )


def never(host: str, port: int) -> bool:  # noqa: ARG001 - the shape of `Opened`
    """Open no blocked port."""
    return False


def check_scheme(scheme: str) -> None:
    """Raise `SchemeRefused` unless the scheme (lower case, no colon) is http or https."""
    if scheme not in SCHEMES:
        raise SchemeRefused(f"Only http and https are fetched, not {scheme or 'a URL without scheme'}.")


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
            port = _port_after(", port ", dial.ip_port)
            raise AddressRefused(f"{dial.host} was not contacted at {dial.ip}{port}: {reason}.")


def parse_ip(text: str, host: str) -> IPAddress:
    """Read an address as a resolver returns it, IPv6 scope and all; what is not one can't be judged, so it is refused."""
    try:
        return ip_address(text)
    except ValueError:
        raise ConnectFailed(f"{host} resolved to {text!r}, which is not an address.") from None


@lru_cache(maxsize=1024)
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


def _port_after(before: str, port: int) -> str:
    """A port as a sentence names it: not where it goes without saying."""
    return "" if port in {80, 443} else f"{before}{port}"


_ALLOW_HOST = pattern(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]/:]+)(/[0-9]{1,3})?(?::([0-9]{1,5}))?")
_NAME = pattern(r"[^\s*?@#%\\]+")


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
    match = _ALLOW_HOST.fullmatch(word)
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
    if host[0] != "[" and not _NAME.fullmatch(host):
        raise _unreadable(text)
    try:
        return ada_url.URL(f"http://{host}/").hostname
    except ValueError:
        raise _unreadable(text) from None


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"--allow-host needs a name, an address or a block such as 10.0.0.0/8, and perhaps :PORT; it got {text!r}."
    )


_PART = r"(\[[0-9A-Za-z:.%]*\]|[^:\[\]]*)"
_CONNECT_TO = pattern(rf"{_PART}:([0-9]*):{_PART}:([0-9]*)")


def parse_connect_to(text: str) -> Rewired:
    """Read ``HOST:PORT:HOST2:PORT2``; any part may be empty, IPv6 addresses stand in brackets. Raises `UsageError`."""
    match = _CONNECT_TO.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--connect-to needs HOST:PORT:HOST2:PORT2, IPv6 addresses in brackets; it got {text!r}.")
    host, port, to_host, to_port = match.groups()
    return Rewired(_host(host), _port(port, text), _host(to_host), _port(to_port, text))


def rewire(host: str, port: int, rules: Sequence[Rewired]) -> tuple[str, int]:
    """Where to dial for a URL's host and port."""
    wanted = _host(host)
    rule = rule_for(host, port, rules)
    if rule is None:
        return wanted, port
    return rule.to_host or wanted, rule.to_port if rule.to_port is not None else port


def rule_for(host: str, port: int, rules: Sequence[Rewired]) -> Rewired | None:
    """The rule for a URL's host and port. As in curl, the first that matches decides, alone."""
    wanted = _host(host)
    return next((rule for rule in rules if rule.host in {"", wanted} and rule.port in {None, port}), None)


def _host(text: str) -> str:
    return text.lower().strip("[]")


def _port(text: str, whole: str) -> int | None:
    if not text:
        return None
    port = int(text) if len(text) <= 5 else 0
    if not 0 < port < 65536:
        raise UsageError(f"--connect-to got port {text} in {whole!r}; a port is 1 to 65535.")
    return port


def guard_for(options: FetchOptions) -> Guard:
    """Build the guard: public addresses only, unless the options open more. Raises `UsageError` for ``allow_hosts``."""
    permits = tuple(parse_allow_host(text) for text in options.allow_hosts)

    def policy(dial: Dial) -> str | None:
        reason = public_only(dial)
        if reason is not None and any(permit.opens(dial.host, dial.port, dial.ip) for permit in permits):
            return None
        return reason

    def opened(host: str, port: int) -> bool:
        rule = rule_for(host, port, options.connect_to)
        if rule is not None and rule.to_port is not None:
            return True
        ip = literal(host)
        return any(permit.port == port and permit.opens(host, port, ip) for permit in permits)

    return Guard(allow_all if options.allow_private else policy, opened, by_proxy=options.proxy is not None)

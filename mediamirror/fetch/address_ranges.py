"""Which addresses are not of the public internet: a table of our own, row by row with its source.

`ipaddress.is_global` follows the same registries, but calls ``::127.0.0.1``, ``64:ff9b::7f00:1``, ``64:ff9b:1::1``,
``2002:7f00:1::``, ``224.0.0.1`` and ``fec0::1`` global (Python 3.11). Sources, read in 2026:

- "special": IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), the column "Globally Reachable";
- "space": IANA Internet Protocol Version 6 Address Space, where only 2000::/3 is global unicast;
- the RFC that gives a block its meaning.

The most specific row decides, as in a routing table, so that a row may lie inside another: to be named for what it
is, or (``public``) to pass. What no row holds is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from mediamirror.first_use import dataclass

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

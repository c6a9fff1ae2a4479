"""The table of addresses: each row is needed, each address falls where its registry says, and no public one is refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mediamirror.fetch.guard import RANGES, embedded_ipv4, judge, refusal

# Block: the block that takes over without it (None: its addresses would pass), and addresses that only it speaks for.
REFUSED = {
    "0.0.0.0/8": (None, ["0.0.0.0", "0.0.0.1", "0.255.255.255"]),
    "10.0.0.0/8": (None, ["10.0.0.0", "10.0.0.1", "10.255.255.255"]),
    "100.64.0.0/10": (None, ["100.64.0.0", "100.100.100.200", "100.127.255.255"]),
    "127.0.0.0/8": (None, ["127.0.0.0", "127.0.0.1", "127.255.255.255"]),
    "168.63.129.16/32": (None, ["168.63.129.16"]),
    "169.254.0.0/16": (None, ["169.254.0.0", "169.254.169.254", "169.254.255.255"]),
    "172.16.0.0/12": (None, ["172.16.0.0", "172.17.0.1", "172.31.255.255"]),
    "192.0.0.0/24": (None, ["192.0.0.0", "192.0.0.8", "192.0.0.192", "192.0.0.255"]),
    "192.0.2.0/24": (None, ["192.0.2.0", "192.0.2.255"]),
    "192.88.99.0/24": (None, ["192.88.99.0", "192.88.99.1", "192.88.99.255"]),
    "192.168.0.0/16": (None, ["192.168.0.0", "192.168.1.1", "192.168.255.255"]),
    "198.18.0.0/15": (None, ["198.18.0.0", "198.19.255.255"]),
    "198.51.100.0/24": (None, ["198.51.100.0", "198.51.100.255"]),
    "203.0.113.0/24": (None, ["203.0.113.0", "203.0.113.255"]),
    "224.0.0.0/4": (None, ["224.0.0.0", "224.0.0.1", "239.255.255.255"]),
    "240.0.0.0/4": (None, ["240.0.0.0", "255.255.255.255"]),
    "::/8": (None, ["::2", "::127.0.0.1", "::ffff:0:7f00:1", "ff:ffff::1", "64:ff9b:2::1", "64:ff9a::7f00:1"]),
    "::/128": ("::/8", ["::"]),
    "::1/128": ("::/8", ["::1"]),
    "64:ff9b:1::/48": ("::/8", ["64:ff9b:1::1", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"]),
    "100::/8": (None, ["100::", "100::1", "1ff:ffff::1"]),
    "200::/7": (None, ["200::", "3ff:ffff::1"]),
    "400::/6": (None, ["400::", "7ff:ffff::1"]),
    "800::/5": (None, ["800::", "fff:ffff::1"]),
    "1000::/4": (None, ["1000::", "1fff:ffff::1"]),
    "2001::/23": (None, ["2001:1::1", "2001:10::1", "2001:4:111::1", "2001:1ff:ffff::1"]),
    "2001::/32": ("2001::/23", ["2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:ffff::1"]),
    "2001:2::/48": ("2001::/23", ["2001:2::", "2001:2:0:ffff::1"]),
    "2001:db8::/32": (None, ["2001:db8::", "2001:db8:ffff::1"]),
    "2002::/16": (None, ["2002:7f00:1::", "2002:c0a8:101::1", "2002:808:808::1"]),
    "3fff::/20": (None, ["3fff::", "3fff:fff:ffff::1"]),
    "4000::/3": (None, ["4000::", "5f00::1", "5fff:ffff::1"]),
    "6000::/3": (None, ["6000::", "7fff:ffff::1"]),
    "8000::/3": (None, ["8000::", "9fff:ffff::1"]),
    "a000::/3": (None, ["a000::", "bfff:ffff::1"]),
    "c000::/3": (None, ["c000::", "dfff:ffff::1"]),
    "e000::/4": (None, ["e000::", "efff:ffff::1"]),
    "f000::/5": (None, ["f000::", "f7ff:ffff::1"]),
    "f800::/6": (None, ["f800::", "fbff:ffff::1"]),
    "fc00::/7": (None, ["fc00::", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff::1"]),
    "fe00::/9": (None, ["fe00::", "fe7f:ffff::1"]),
    "fe80::/10": (None, ["fe80::1", "fe80::1%lo", "febf:ffff::1"]),
    "fec0::/10": (None, ["fec0::1", "feff:ffff::1"]),
    "ff00::/8": (None, ["ff00::", "ff02::1", "ffff:ffff::1"]),
}
# Blocks inside a refused one that the registries call globally reachable, the refused one, and addresses.
PASSING = {
    "2001:3::/32": ("2001::/23", ["2001:3::1"]),
    "2001:4:112::/48": ("2001::/23", ["2001:4:112::1"]),
    "2001:20::/28": ("2001::/23", ["2001:20::1", "2001:2f:ffff::1"]),
    "2001:30::/28": ("2001::/23", ["2001:30::1", "2001:3f:ffff::1"]),
}
IN_ANOTHER_FORM = {
    "::ffff:127.0.0.1": "127.0.0.0/8",
    "::ffff:10.0.0.1": "10.0.0.0/8",
    "::ffff:169.254.169.254": "169.254.0.0/16",
    "64:ff9b::7f00:1": "127.0.0.0/8",
    "64:ff9b::a9fe:a9fe": "169.254.0.0/16",
    "2a00:1450::5efe:10.0.0.1": "10.0.0.0/8",
    "2a00:1450::200:5efe:192.168.0.1": "192.168.0.0/16",
}
EDGES_THAT_PASS = [
    *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
    *("168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"),
    *("191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.31.196.1", "192.52.193.1", "192.88.98.255"),
    *("192.88.100.0", "192.167.255.255", "192.169.0.0", "192.175.48.1", "198.17.255.255", "198.20.0.0"),
    *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8", "93.184.216.34"),
    *("2000::", "2001:200::1", "2001:db7:ffff::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1"),
    *("2620:4f:8000::1", "2a00:1450:4001::1", "3ffe:ffff::1", "3fff:1000::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    *("2606:4700::5efe:8.8.8.8", "2606:4700::1:5efe:10.0.0.1"),
]
KNOWN = {**REFUSED, **PASSING}


def without(block):
    rest = tuple(row for row in RANGES if str(row.network) != block)
    assert len(rest) == len(RANGES) - 1
    return rest


def judged(text, ranges=RANGES):
    row = judge(ip_address(text), ranges)
    return None if row is None else str(row.network)


def test_every_row_of_the_table_has_its_cases_and_its_source():
    assert sorted(str(row.network) for row in RANGES) == sorted(KNOWN)
    assert sorted(str(row.network) for row in RANGES if row.public) == sorted(PASSING)
    assert all("RFC" in row.source or "Azure" in row.source for row in RANGES)


@pytest.mark.parametrize("block", REFUSED)
def test_a_block_refuses_its_addresses_by_its_own_name(block):
    network = ip_network(block)
    texts = REFUSED[block][1]
    assert {judged(text) for text in texts} == {block}
    assert all(ip_address(text) in network and f"({block})" in refusal(ip_address(text)) for text in texts)


@pytest.mark.parametrize("block", PASSING)
def test_a_block_that_is_globally_reachable_inside_another_passes(block):
    assert {judged(text) for text in PASSING[block][1]} == {None}


@pytest.mark.parametrize("block", KNOWN)
def test_without_its_row_the_addresses_of_a_block_fare_otherwise(block):
    """The mutants: no row is there in vain. A row inside another is there to be named, or to pass."""
    instead, texts = KNOWN[block]
    assert {judged(text, without(block)) for text in texts} == {instead}


@pytest.mark.parametrize(("text", "block"), IN_ANOTHER_FORM.items())
def test_an_ipv4_address_in_another_form_is_judged_as_that_address(text, block):
    assert judged(text) == block
    assert judged(text, without(block)) is None
    assert refusal(ip_address(text)).startswith("the IPv4 address ")


@pytest.mark.parametrize("text", EDGES_THAT_PASS)
def test_public_addresses_next_to_a_block_pass(text):
    assert (judged(text), refusal(ip_address(text))) == (None, None)


IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address) | st.ip_addresses(v=4)
IPV6 = (st.integers(0, 2**128 - 1) | st.integers(2**125, 2**126 - 1)).map(IPv6Address) | st.ip_addresses(v=6)


@settings(max_examples=2000, deadline=None)
@given(IPV4)
@example(IPv4Address("192.0.0.9"))
def test_ipv4_agrees_with_the_standard_library_but_for_what_that_gets_wrong(ip):
    closer = ip.is_multicast or ip in ip_network("192.0.0.0/24") or ip in ip_network("192.88.99.0/24")
    known = ip.is_global and not closer and ip != IPv4Address("168.63.129.16")
    assert (judge(ip) is None) == known


@settings(max_examples=2000, deadline=None)
@given(IPV6)
def test_global_unicast_addresses_that_no_registry_sets_apart_pass_and_others_do_not(ip):
    unicast = ip in ip_network("2000::/3")
    set_apart = any(ip in ip_network(b) for b in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
    inner = embedded_ipv4(ip)
    if unicast and not set_apart:
        assert judge(ip) == (None if inner is None else judge(inner))
    elif not unicast and inner is None:
        assert judge(ip) is not None


@settings(max_examples=500, deadline=None)
@given(IPV4, st.sampled_from(["::ffff:0:0", "64:ff9b::", "2a00::5efe:0:0", "2a00::200:5efe:0:0"]))
def test_no_form_of_an_ipv4_address_is_judged_otherwise_than_the_address(ip, prefix):
    assert judge(IPv6Address(int(IPv6Address(prefix)) | int(ip))) == judge(ip)

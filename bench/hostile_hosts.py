"""``python -m bench.hostile_hosts``: the figures of docs/measurements/guard.md, counted by listeners in a network namespace.

The installed command reads one page that names every hostile host and URL of `fixtures.hostile`, redirects to some of
them, and public addresses drawn at random; then the same page with ``--allow-private``, to see that the canaries do sing.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from random import Random

from fixtures.hostile import REFUSED_ADDRESSES, REFUSED_URLS
from fixtures.hostile.canaries import NoNamespace, Ran, run_in_namespace
from fixtures.servers.process import executable

IPAddress = IPv4Address | IPv6Address

NAMES = ("private.test", "mixed.test", "mixed6.test", "metadata.test")
"""Names that lead inside, two of them beside a public address."""

REDIRECTED = (
    "http://10.0.0.1/",
    "http://127.0.0.1:6379/",
    "http://[::1]/",
    "http://metadata.test/",
    "file:///etc/passwd",
    "\\\\10.0.0.3\\x",
    "/\\10.0.0.3/",
    "//0x0a000003/",
    "///10.0.0.3/",
    "//0012.3/",
    "//[::ffff:10.0.0.3]/",
    "//10.0.0.3:80\\@93.184.216.34/",
    "//10。0。0。3/",
    "https:10.0.0.3/",
    "//2130706433/",
    "//0x7f.1:6379/",
    "http://u:p@10.0.0.3/",
    "http://10.0.0.3:22/",
    "//[::ffff:a9fe:a9fe]/",
    "data:image/png;base64,AA",
    "https://10.0.0.3:80/",
    "\thttp://10.0.0.3/",
)
PROXIES = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://10.9.9.9:8080")
"""What nobody asked for: a proxy has to be named by --proxy."""
_SET_APART = [
    ip_network(block) for block in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "2002::/16")
]


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it."""

    hostile: int
    refused: int
    canary_hits: int
    public: int
    wrongly_refused: int
    hits_when_allowed: int
    not_refused: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True when nothing got in, nothing public was kept out, and the canaries can sing."""
        return (self.refused, self.canary_hits, self.wrongly_refused) == (
            self.hostile,
            0,
            0,
        ) and self.hits_when_allowed > 0

    def __str__(self) -> str:
        """One sentence for the page."""
        return (
            f"hostile hosts and URLs refused {self.refused}/{self.hostile}, canary hits {self.canary_hits}, "
            f"public addresses wrongly refused {self.wrongly_refused}/{self.public}; "
            f"canary hits with --allow-private {self.hits_when_allowed}"
        )


def measure(public: int, seed: int = 1) -> Figures:
    """Run the command in a namespace. Raises `NoNamespace`."""
    addresses = public_addresses(public, Random(seed))
    hostile = _hostile()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        page = folder / "page.html"
        page.write_text(_page([*hostile, *(f"http://{_in_url(ip)}/p{n}.png" for n, ip in enumerate(addresses))]))
        words = [executable("mediamirror"), "verify", str(page), "--format", "jsonl", "--host-concurrency", "64"]
        strict, open_ = run_in_namespace(
            [words, [*words, "--allow-private", "--timeout", "5", "--retries", "0"]],
            {"XDG_STATE_HOME": scratch, **PROXIES},
            folder,
        )
    return _figures(hostile, addresses, strict, open_)


def public_addresses(count: int, random: Random) -> list[IPAddress]:
    """Addresses that the standard library calls global, less what it is known to be wrong about: not by our own table."""
    found: list[IPAddress] = []
    while len(found) < count:
        # 2000::/3, and an interface part that is no ISATAP by chance
        ip = ip_address(random.getrandbits(32)) if len(found) % 2 else IPv6Address(random.getrandbits(125) | 1 << 125)
        if ip.is_global and not ip.is_multicast and not any(ip in block for block in _SET_APART):
            found.append(ip)
    return found


def _hostile() -> list[str]:
    urls = [f"http://{host}/" for host in (*REFUSED_ADDRESSES, *NAMES)]
    urls += [url for url, _ in REFUSED_URLS]
    # A path of its own for each: two forms of one host with one path would be one URL.
    urls = [f"{url}h{n}.png" if re.search(r"[/\r]$", url) else url for n, url in enumerate(urls)]
    # A goal of each redirect stands last in the query, where the canaries look for it.
    return [*urls, *(f"http://redirecting.test/r{n}.png?to={goal}" for n, goal in enumerate(REDIRECTED))]


def _page(urls: list[str]) -> str:
    """One picture for each, told apart by its text; control characters as references, so that they arrive."""
    escaped = [re.sub(r"[&\"<\x00-\x1f]", lambda m: f"&#{ord(m[0])};", url) for url in urls]
    return "<!doctype html>\n" + "\n".join(f'<img src="{url}" alt="item {n}">' for n, url in enumerate(escaped))


def _in_url(ip: IPAddress) -> str:
    return str(ip) if ip.version == 4 else f"[{ip}]"


def _figures(hostile: list[str], addresses: list[IPAddress], strict: Ran, open_: Ran) -> Figures:
    lines = range(2, 2 + len(hostile))
    status = {row["url"]: row for row in strict.rows("variant")}
    told = {
        row["line"] for kind in ("problem", "finding") for row in strict.rows(kind)
    }  # what can't be a URL is a finding
    told |= {p["line"] for row in strict.rows("image-set") for p in row["problems"]}
    wanted = {row["line"]: [c["url"] for c in row["candidates"]] for row in strict.rows("image-set")}
    refused = [n for n in lines if _is_refused([status.get(u) for u in wanted.get(n, [])], n in told)]
    known = {str(ip) for ip in addresses} | {"93.184.216.34"}
    reached = {entry.partition(" ")[0] for entry in strict.asked if not entry.endswith("/robots.txt")}
    return Figures(
        hostile=len(hostile),
        refused=len(refused),
        canary_hits=sum(1 for address in strict.dialled if address not in known),
        public=len(addresses),
        wrongly_refused=sum(1 for ip in addresses if str(ip) not in reached),
        hits_when_allowed=sum(1 for address in open_.dialled if address not in known),
        not_refused=tuple(hostile[n - 2] for n in lines if n not in refused),
    )


def _is_refused(rows: list[dict[str, object] | None], told: bool) -> bool:
    if not rows:
        return told
    codes = [row["error"]["code"] if row and row["status"] == "failed" else None for row in rows]  # type: ignore[index]
    return all(
        code in {"address-refused", "port-refused", "scheme-refused", "invalid-url", "connect-failed"} for code in codes
    )


def main() -> int:
    """Print the figures; 1 when one of them is bad."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.hostile_hosts")
    parser.add_argument("--public", type=int, default=1000, help="how many public addresses are drawn")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    given = parser.parse_args()
    try:
        figures = measure(given.public, given.seed)
    except NoNamespace as error:
        sys.exit(f"No canaries here: {error}.")
    print(figures)
    for url in figures.not_refused:
        print(f"  not refused: {url!r}")
    return 0 if figures.clean else 1


if __name__ == "__main__":
    sys.exit(main())

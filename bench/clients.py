"""The measurement behind docs/decisions/0001: GET/s and CPU per GET of the HTTP clients we could stand on.

    python -m bench.clients                    # the table, and the cancellation check
    python -m bench.clients --rounds 5 --gets 2000 --loop uvloop
    python -m bench.clients --profile stack    # where the full stack's CPU goes

One nginx on loopback serves random files of 67 KB; clients take turns, one round each, and the table shows medians. CPU is
user plus system time of this process alone, as the OS counts it. All bodies are read whole into memory. Ratios taken
in one run count; absolute figures belong to one machine and one hour.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pycurl
import uvloop

from mediamirror.fetch.guard import Guard, allow_all
from mediamirror.fetch.open import open_fetcher
from mediamirror.fetch.request import Request, parse_target
from mediamirror.fetch.transport import CurlTransport
from mediamirror.settings import FetchOptions
from mediamirror.wire import WireRequest

# httpx itself is measured where it is installed (the extra "bench"); nothing else here needs it.
httpx: Any = import_module("httpx") if find_spec("httpx") else None

FILES = 200
SIZE = 67_000
AT_ONCE = 32
OPEN = Guard(allow_all)

Get = Callable[[str], Awaitable[int]]
"""Fetches one URL into memory and returns its size."""


@contextmanager
def nginx() -> Iterator[str]:
    """Serve random files; yields the base URL. Stopped and removed in the end."""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        sys.exit("bench.clients needs nginx (apt install nginx-light).")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for number in range(FILES):
            (root / f"{number}.webp").write_bytes(os.urandom(SIZE))
        port = free_port()
        (root / "nginx.conf").write_text(_config(root, port))
        process = subprocess.Popen([binary, "-e", str(root / "error.log"), "-c", str(root / "nginx.conf")])
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _config(root: Path, port: int) -> str:
    temporary = "".join(
        f"{kind}_temp_path {root}/tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
daemon off; worker_processes 1; pid {root}/nginx.pid; {"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; types {{ image/webp webp; }} {temporary}
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit("nginx did not start.")


@asynccontextmanager
async def by_httpx(at_once: int = AT_ONCE) -> AsyncIterator[Get]:
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(trust_env=False, limits=limits) as client:

        async def get(url: str) -> int:
            return len((await client.get(url)).content)

        yield get


@asynccontextmanager
async def by_httpx2(at_once: int = AT_ONCE) -> AsyncIterator[Get]:
    limits = httpx2.Limits(max_connections=at_once)
    async with httpx2.AsyncClient(trust_env=False, limits=limits) as client:

        async def get(url: str) -> int:
            return len((await client.get(url)).content)

        yield get


@asynccontextmanager
async def by_transport() -> AsyncIterator[Get]:
    async with CurlTransport(guard=OPEN) as transport:
        yield over(transport)


def over(transport: CurlTransport) -> Get:
    async def get(url: str) -> int:
        target = parse_target(url, OPEN)
        reply = await transport.send(WireRequest("GET", target.origin, target.target, ()))
        try:
            return len(b"".join([chunk async for chunk in reply]))
        finally:
            await reply.aclose()

    return get


@asynccontextmanager
async def by_aiohttp() -> AsyncIterator[Get]:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def get(url: str) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        yield get


@asynccontextmanager
async def by_pycurl() -> AsyncIterator[Get]:
    """pycurl's own driver for asyncio: whole transfers, no limit, no guard."""
    async with pycurl.AsyncCurlMulti() as multi:
        free: list[pycurl.Curl] = []

        async def get(url: str) -> int:
            parts: list[bytes] = []
            curl = free.pop() if free else pycurl.Curl()
            curl.setopt(pycurl.URL, url)
            curl.setopt(pycurl.WRITEFUNCTION, parts.append)
            await multi.perform(curl)
            free.append(curl)
            return len(b"".join(parts))

        yield get


@asynccontextmanager
async def by_stack() -> AsyncIterator[Get]:
    options = FetchOptions(concurrency=AT_ONCE, host_concurrency=AT_ONCE, allow_private=True)
    with tempfile.TemporaryDirectory() as spool:
        async with open_fetcher(options, spool_dir=Path(spool)) as fetcher:

            async def get(url: str) -> int:
                download = await fetcher.fetch(Request(url))
                return download.body.size if download.body else 0

            yield get


CLIENTS = {
    "httpx": ("httpx 0.28.1, its own transport", by_httpx),
    "httpx2": ("httpx2, its own transport", by_httpx2),
    "transport": ("our transport, called straight", by_transport),
    "pycurl": ("pycurl's own driver, alone", by_pycurl),
    "aiohttp": ("aiohttp alone", by_aiohttp),
    "stack": ("open_fetcher: sha256, limits, robots, politeness, retry", by_stack),
}


async def fetch_all(client: str, base: str, gets: int) -> tuple[float, float]:
    """Run ``gets`` GETs, ``AT_ONCE`` at a time; return GET/s and CPU ms per GET."""
    async with CLIENTS[client][1]() as get:
        await asyncio.gather(*(get(f"{base}/{n % FILES}.webp") for n in range(AT_ONCE)))
        numbers = iter(range(gets))

        async def worker() -> None:
            for number in numbers:
                assert await get(f"{base}/{number % FILES}.webp") == SIZE

        before, started = cpu(), time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return gets / (time.perf_counter() - started), (cpu() - before) * 1000 / gets


def cpu() -> float:
    """User and system seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def churn(get: Get, base: str) -> str:
    """Cancel requests for 2.5 s over 10 connections, then ask 5 times in peace; how many of these get through?"""
    until = time.monotonic() + 2.5

    async def canceller(seed: int) -> None:
        pause = 0.0001 * (1 + seed % 17)
        while time.monotonic() < until:
            task = asyncio.ensure_future(get(f"{base}/{seed}.webp"))
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(canceller(seed) for seed in range(40)))
    healthy = 0
    for _ in range(5):
        try:
            async with asyncio.timeout(2):
                healthy += await get(f"{base}/1.webp") == SIZE
        except Exception:
            continue
    return f"{healthy}/5"


async def churn_all(base: str) -> None:
    """Print the cancellation check of each pool of 10 connections."""
    print("\nHealthy requests after 2.5 s of cancellations, pool of 10:")
    if httpx is not None:
        async with by_httpx(10) as old:
            print(f"  {CLIENTS['httpx'][0]:<56} {await churn(old, base)}")
    async with by_httpx2(10) as own:
        print(f"  {CLIENTS['httpx2'][0]:<56} {await churn(own, base)}")
    async with CurlTransport(guard=OPEN, limit=10) as ours:
        healthy = await churn(over(ours), base)
        print(f"  {CLIENTS['transport'][0]:<56} {healthy}, {ours.connections} of 10 slots still taken")


def compare(base: str, names: list[str], options: argparse.Namespace) -> None:
    """Let the clients take turns; print the medians."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            gets = options.gets if name != "httpx" else min(options.gets, 500)
            with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
                results[name].append(runner.run(fetch_all(name, base, gets)))
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {options.loop}, {options.rounds} rounds of {options.gets} GETs, {AT_ONCE} at once"
    )
    print(f"{'client':<58}{'GET/s':>8}{'CPU ms/GET':>12}")
    for name, rows in results.items():
        rate, cost = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{CLIENTS[name][0]:<58}{rate:>8,.0f}{cost:>12.3f}")


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """The event loop by name."""
    return uvloop.new_event_loop if name == "uvloop" else asyncio.new_event_loop


def profile(base: str, name: str, options: argparse.Namespace) -> None:
    """Print where a client's CPU goes."""
    profiler = cProfile.Profile()
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        profiler.enable()
        runner.run(fetch_all(name, base, options.gets))
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gets", type=int, default=2000)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="asyncio")
    parser.add_argument("--only", help="client names, with commas between")
    parser.add_argument("--profile", choices=sorted(CLIENTS))
    parser.add_argument("--no-churn", action="store_true")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [n for n in CLIENTS if n != "httpx" or httpx is not None]
    with nginx() as base:
        if options.profile:
            profile(base, options.profile, options)
            return
        compare(base, names, options)
        if not options.no_churn:
            with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
                runner.run(churn_all(base))


if __name__ == "__main__":
    main()

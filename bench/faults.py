"""How many requests a sick network costs, and how many images it keeps from arriving.

    python -m bench.faults                     # 0%, 10% and 20% of all answers spoilt; the table of docs/measurements/networks.md
    python -m bench.faults --images 500 --hosts 5 --seed 2 --rates 30

A server on loopback plays the hosts and spoils its answers: a reset before the first byte, 500, 503, a body that ends too
early, a body that stops coming. Which answer is spoilt, and how, follows from the seed, the path and the number of the try,
so a run is the same whoever comes first. What runs is the mirror job whole, with its defaults, but for
timeouts that suit a loopback. robots.txt is answered in order and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.model import Event, Outcome, Status
from mediamirror.settings import CheckOptions, FetchOptions, JobOptions, MirrorOptions, ReadOptions, Rewired

KINDS = ("reset", "500", "503", "truncated", "stall")
READ_TIMEOUT = 0.5


@dataclass(slots=True)
class Faulty:
    """The server: what it serves, how much of it is spoilt, and what it was asked."""

    image: bytes
    rate: float
    seed: int
    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    spoilt: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    def fault(self, url: str) -> str | None:
        """Decide the fate of a URL's next answer."""
        self.asked[url] += 1
        random = Random(f"{self.seed} {url} {self.asked[url]}")
        if random.random() >= self.rate:
            return None
        kind = random.choice(KINDS)
        self.spoilt[kind] += 1
        return kind

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until one is spoilt."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                host = next(
                    line[5:].strip() for line in head.decode().split("\r\n") if line.lower().startswith("host:")
                )
                path = head.split(b" ", 2)[1].decode()
                if path == "/robots.txt":
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                self.inside[host] += 1
                self.most[host] = max(self.most[host], self.inside[host])
                try:
                    if not await self._answer(writer, self.fault(host + path), reader):
                        return
                finally:
                    self.inside[host] -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, kind: str | None, reader: asyncio.StreamReader) -> bool:
        whole = (
            b"HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\nContent-Length: %d\r\n\r\n" % len(self.image) + self.image
        )
        match kind:
            case None:
                writer.write(whole)
            case "500" | "503":
                writer.write(f"HTTP/1.1 {kind} Spoilt\r\nContent-Length: 0\r\n\r\n".encode())
            case "reset":
                writer.transport.abort()
                return False
            case "truncated":
                writer.write(whole[:-10])
                return False
            case "stall":
                writer.write(whole[:-10])
                await writer.drain()
                await reader.read(1)  # until the other side gives up
                return False
        await writer.drain()
        return True


@asynccontextmanager
async def serving(rate: float, seed: int) -> AsyncIterator[Faulty]:
    """Run the server until the block ends."""
    faulty = Faulty(make_image(48, 27, "webp"), rate, seed)
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0)
    faulty.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class Row:
    """What one run came to."""

    rate: float
    images: int
    arrived: int
    requests: int
    spoilt: dict[str, int]
    most_per_host: int
    seconds: float
    failures: dict[str, int]


async def measure(rate: float, *, images: int, hosts: int, seed: int) -> Row:
    """Mirror ``images`` files of ``hosts`` hosts with a share ``rate`` of the answers spoilt."""
    failures: Counter[str] = Counter()
    arrived = 0

    def note(event: Event) -> None:
        nonlocal arrived
        if isinstance(event, Outcome):
            if event.status in {Status.STORED, Status.DUPLICATE}:
                arrived += 1
            else:
                failures[event.error.code if event.error else event.status] += 1

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        urls = (f"http://h{n % hosts}.example/{n}.webp" for n in range(images))
        (place / "urls.txt").write_text("\n".join(urls) + "\n")
        async with serving(rate, seed) as faulty:
            options = MirrorOptions(
                read=ReadOptions(as_="urls"),
                fetch=FetchOptions(
                    connect_to=(Rewired("", None, "127.0.0.1", faulty.port),),
                    read_timeout=READ_TIMEOUT,
                    allow_private=True,
                ),
                check=CheckOptions(check="header"),
                job=JobOptions(tell_sets=False),
            )
            started = time.perf_counter()
            await mirror(
                [str(place / "urls.txt")],
                to=str(place / "to"),
                options=options,
                catalog=place / "catalog.sqlite",
                on_event=note,
            )
            seconds = time.perf_counter() - started
    return Row(
        *(rate, images, arrived, faulty.asked.total(), dict(faulty.spoilt)),
        *(max(faulty.most.values()), seconds, dict(failures)),
    )


def table(rows: Sequence[Row]) -> str:
    """Write the rows as Markdown."""
    head = "| answers spoilt | images | arrived | requests | per image | at once to a host | seconds | not arrived |\n"
    lines = (
        f"| {row.rate:.0%} ({sum(row.spoilt.values()):,}) | {row.images:,} | {row.arrived:,} ({row.arrived / row.images:.2%}) "
        f"| {row.requests:,} | {row.requests / row.images:.2f} | {row.most_per_host} | {row.seconds:.0f} "
        f"| {', '.join(f'{n} {code}' for code, n in sorted(row.failures.items())) or 'none'} |"
        for row in rows
    )
    return head + "|---|---|---|---|---|---|---|---|\n" + "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 10, 20], metavar="PERCENT")
    chosen = parser.parse_args()
    rows = [
        asyncio.run(measure(rate / 100, images=chosen.images, hosts=chosen.hosts, seed=chosen.seed))
        for rate in chosen.rates
    ]
    print(table(rows))


if __name__ == "__main__":
    main()

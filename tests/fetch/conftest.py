"""Raw servers on loopback: each test says byte for byte what its origin answers, and reads byte for byte what was asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from fixtures.patience import PATIENCE
from mediamirror.fetch.client import Client, Following, admit_all
from mediamirror.fetch.guard import Guard, allow_all
from mediamirror.fetch.transport import CurlTransport
from mediamirror.settings import FetchOptions


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    head: bytes
    body: bytes = b""
    sni: str | None = None
    connection: int = 0

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ", 1)[1].rsplit(b" ", 1)[0]

    @property
    def fields(self) -> list[tuple[str, str]]:
        pairs = [line.partition(b":") for line in self.head.strip().split(b"\r\n")[1:]]
        return [(name.decode().lower(), value.strip().decode()) for name, _, value in pairs]

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Origin:
    """A running server, and what it was asked."""

    port: int
    scheme: str
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def url(self, target: str = "/a.webp", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{target}"

    @property
    def targets(self) -> list[str]:
        return [seen.target.decode() for seen in self.seen]


Serve = Callable[..., Awaitable[Origin]]


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole response with a Content-Length; header names with underscores for hyphens."""
    fields = {"Content_Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    """A chunked response, cut before its end on request."""
    parts = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + (b"0\r\n\r\n" if end else b"")


def routes(pages: dict[str, bytes]) -> Answer:
    """Answer by target; 404 for the rest."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(pages.get(seen.target.decode(), reply(b"nothing here", "404 Not Found")))

    return answer


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = Seen(head).headers.get("content-length")
    return await reader.readexactly(int(length)) if length else b""


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start an origin: bytes (sent, then closed after) or a function (the connection stays open after it)."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(answer: bytes | Answer, *, context: ssl.SSLContext | None = None, keep: bool = True) -> Origin:
            origin = Origin(0, "https" if context else "http")
            tasks: set[asyncio.Task[None]] = set()
            names: dict[int, str | None] = {}
            if context is not None:
                context.sni_callback = lambda sock, name, _: names.__setitem__(0, name)

            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                assert task is not None
                tasks.add(task)
                origin.connections += 1
                number = origin.connections
                try:
                    while head := await reader.readuntil(b"\r\n\r\n"):
                        seen = Seen(head, await _read_body(reader, head), names.get(0), number)
                        origin.seen.append(seen)
                        if isinstance(answer, bytes):
                            writer.write(answer)
                        else:
                            await answer(seen, writer)
                        await writer.drain()
                        if isinstance(answer, bytes) or not keep:
                            break
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    tasks.discard(task)
                    writer.close()

            async def finish() -> None:
                server.close()
                for task in list(tasks):
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

            server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, limit=2**20)
            stack.push_async_callback(finish)
            origin.port = server.sockets[0].getsockname()[1]
            return origin

        yield start


@pytest.fixture
async def transport() -> AsyncIterator[CurlTransport]:
    async with CurlTransport(guard=Guard(allow_all)) as opened:
        yield opened


@pytest.fixture
def client(transport: CurlTransport, tmp_path: Path) -> Callable[..., Following]:
    """Make a client with options of the test's own; it spools into ``tmp_path``."""

    def make(**options: object) -> Following:
        chosen = {"timeout": PATIENCE, **options}
        own_hosts = chosen.pop("own_hosts", frozenset())
        extra = {name: chosen.pop(name) for name in ("guard", "bucket") if name in chosen}
        admit = chosen.pop("admit", admit_all)
        settings = FetchOptions(**chosen)  # type: ignore[arg-type]
        one_hop = Client(
            transport,
            settings,
            spool_dir=tmp_path,
            own_hosts=own_hosts,  # type: ignore[arg-type]
            **extra,  # type: ignore[arg-type]
        )
        return Following(one_hop, settings, extra.get("guard", Guard()), admit)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """A server context with a certificate for the names given."""

    def make(*names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return context

    return make


@pytest.fixture
def cacert(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def make_reply() -> Callable[..., bytes]:
    return reply


@pytest.fixture
def make_chunked() -> Callable[..., bytes]:
    return chunked


@pytest.fixture
def make_routes() -> Callable[[dict[str, bytes]], Answer]:
    return routes


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait for something another task will bring about."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
                await asyncio.sleep(0.001)

    return wait

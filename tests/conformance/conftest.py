"""Every kind of store, on every server it is used with, behind one fixture."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.certs import Certs, make_certs
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.servers.rclone import running_rclone
from fixtures.servers.seaweed import running_seaweed
from mediamirror.fetch.late import open_transport
from mediamirror.settings import MiB, StoreOptions
from mediamirror.store.base import Store
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.memory import MemoryStore
from mediamirror.store.s3 import store as s3
from mediamirror.store.s3.exchange import Backoff
from mediamirror.store.s3.store import S3Store

RUNNERS = {"seaweed": running_seaweed, "rclone": running_rclone, "moto": running_moto}
S3_KINDS = [f"{server}-{scheme}" for server in RUNNERS for scheme in ("http", "https")]
KINDS = ["memory", "directory", *S3_KINDS]

Endpoints = Callable[[str], S3Endpoint]


@dataclass(frozen=True)
class Case:
    """A store to test and what may be expected of it beyond the contract."""

    kind: str
    store: Store
    another: Callable[[str], Store]
    """The same place under a further prefix (S3), or the same place again."""

    @property
    def is_s3(self) -> bool:
        return self.kind in S3_KINDS

    @property
    def keeps_attributes(self) -> bool:
        return self.kind != "directory"


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certs:
    return make_certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory, certs: Certs) -> Iterator[Endpoints]:
    """Start a server the first time that it is asked for; stop them all at the end."""
    running: dict[str, tuple[AbstractContextManager[S3Endpoint], S3Endpoint]] = {}

    def start(kind: str) -> S3Endpoint:
        if kind not in running:
            server, _, scheme = kind.partition("-")
            manager = RUNNERS[server](tmp_path_factory.mktemp(kind), certs=certs if scheme == "https" else None)
            running[kind] = (manager, manager.__enter__())
        return running[kind][1]

    yield start
    for manager, _ in running.values():
        manager.__exit__(None, None, None)


_CONNECT_ONCE = functools.cache(s3.connect)


@pytest.fixture(scope="module", autouse=True)
def _connect_once() -> Iterator[None]:
    """boto3 takes 0.2 s to make a client; the tests of one server share it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "connect", _CONNECT_ONCE)
        yield


_CONNECT = s3.connect


@pytest.fixture
def fresh_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that changes the credentials in the environment."""
    monkeypatch.setattr(s3, "connect", _CONNECT)


@pytest.fixture(scope="session")
def buckets(endpoints: Endpoints) -> Callable[[str], str]:
    """A bucket on each server, made once."""
    return functools.cache(lambda kind: endpoints(kind).create_bucket(f"test-{uuid.uuid4().hex[:12]}"))


@pytest.fixture
def use_endpoint(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], S3Endpoint]:
    """Put a server's credentials into the environment, as a user would."""

    def use(kind: str) -> S3Endpoint:
        endpoint = endpoints(kind)
        for name, value in endpoint.environment().items():
            if name not in {"AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"}:
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        return endpoint

    return use


def options_for(endpoint: S3Endpoint, **changes: object) -> StoreOptions:
    fields: dict[str, object] = {
        "endpoint_url": endpoint.url,
        "region": endpoint.region,
        "cacert": endpoint.cacert,
        "multipart_over": 5 * MiB,
        "part_size": 5 * MiB,
        "retries": 2,
        "timeout": PATIENCE,
    }
    return StoreOptions(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
async def case(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    use_endpoint: Callable[[str], S3Endpoint],
    buckets: Callable[[str], str],
) -> AsyncIterator[Case]:
    kind: str = request.param
    opened: list[Store] = []

    def keep(store: Store) -> Store:
        opened.append(store)
        return store

    if kind == "memory":
        memory = keep(MemoryStore())
        made = Case(kind, memory, lambda _: memory)
    elif kind == "directory":
        made = Case(
            kind, keep(DirectoryStore(tmp_path / "mirror")), lambda _: keep(DirectoryStore(tmp_path / "mirror"))
        )
        await made.store.check(create=True)
    async with AsyncExitStack() as stack:
        if kind in S3_KINDS:
            endpoint = use_endpoint(kind)
            transport = await stack.enter_async_context(open_transport(endpoint.cacert, limit=32))
            made = _s3_case(kind, endpoint, buckets(kind), keep, transport)
        yield made
        for store in opened:
            await store.aclose()


def _s3_case(
    kind: str,
    endpoint: S3Endpoint,
    bucket: str,
    keep: Callable[[Store], Store],
    transport: httpx2.AsyncBaseTransport,
) -> Case:
    """A store under a prefix of its own: the bucket holds what other tests left."""
    place = f"{uuid.uuid4().hex[:8]}/some prefix"

    def make(prefix: str) -> Store:
        backoff = Backoff(base=0.01, cap=0.05)
        whole = f"{place}/{prefix}".rstrip("/")
        options = options_for(endpoint)
        return keep(S3Store(bucket, whole, options=options, transport=transport, page_size=7, backoff=backoff))

    return Case(kind, make(""), make)

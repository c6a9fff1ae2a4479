"""What real servers say to wrong settings: refused before the first item, in one sentence that says what to do."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.ports import free_ports
from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreDenied, StoreError, StoreRefused, UsageError
from mediamirror.fetch.late import open_transport
from mediamirror.model import Body
from mediamirror.settings import StoreOptions
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.s3.exchange import Backoff
from mediamirror.store.s3.store import S3Store
from tests.conformance.conftest import options_for

BODY = Body(size=1, sha256=hashlib.sha256(b"x").hexdigest(), data=b"x")
WEBP = ObjectAttributes("image/webp")

Use = Callable[[str], S3Endpoint]


@asynccontextmanager
async def store_at(options: StoreOptions, bucket: str = "media") -> AsyncIterator[S3Store]:
    backoff = Backoff(base=0.01, cap=0.02)
    async with (
        open_transport(options.cacert, limit=32) as transport,
        S3Store(bucket, options=options, transport=transport, backoff=backoff) as store,
    ):
        yield store


async def refusal(options: StoreOptions, bucket: str = "media") -> str:
    async with store_at(options, bucket) as store:
        with pytest.raises(StoreRefused) as raised:
            await store.check()
    return raised.value.message


@pytest.mark.parametrize("kind", ["seaweed-http", "seaweed-https", "rclone-http", "moto-http"])
async def test_a_bucket_that_is_not_there(use_endpoint: Use, kind: str) -> None:
    options = options_for(use_endpoint(kind))
    assert "no bucket no-such-bucket" in await refusal(options, "no-such-bucket")
    async with store_at(options, "no-such-bucket") as store:
        if kind.startswith("seaweed"):
            # SeaweedFS makes a bucket for an administrator who puts into it; `check` is what protects from a typo.
            return
        with pytest.raises(NoSuchBucket):
            await store.put("a.webp", BODY, WEBP)


@pytest.mark.parametrize("kind", ["seaweed-http", "rclone-http"])
async def test_an_unknown_access_key(
    use_endpoint: Use,
    buckets: Callable[[str], str],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    fresh_connections: None,
) -> None:
    endpoint = use_endpoint(kind)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNOBODY")
    assert "access key" in await refusal(options_for(endpoint), buckets(kind))


@pytest.mark.parametrize("kind", ["seaweed-http", "rclone-http"])
async def test_a_wrong_secret_key(
    use_endpoint: Use,
    buckets: Callable[[str], str],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    fresh_connections: None,
) -> None:
    endpoint = use_endpoint(kind)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    said = await refusal(options_for(endpoint), buckets(kind))
    assert "secret key does not fit" in said
    assert "wrong-secret" not in said
    async with store_at(options_for(endpoint), buckets(kind)) as store:
        with pytest.raises(StoreDenied):
            await store.put("a.webp", BODY, WEBP)
        with pytest.raises(StoreDenied):
            [row async for row in store.list()]


async def test_an_endpoint_where_nothing_listens(use_endpoint: Use) -> None:
    use_endpoint("moto-http")
    (port,) = free_ports(1)
    said = await refusal(StoreOptions(endpoint_url=f"http://127.0.0.1:{port}", retries=1))
    assert f"Nothing answers at http://127.0.0.1:{port} (connection refused)" in said


async def test_a_certificate_of_an_unknown_authority(use_endpoint: Use) -> None:
    endpoint = use_endpoint("rclone-https")
    assert "Give the authority's file with --cacert" in await refusal(options_for(endpoint, cacert=None))


async def test_an_http_server_called_by_https(use_endpoint: Use) -> None:
    endpoint = use_endpoint("moto-http")
    said = await refusal(options_for(endpoint, endpoint_url=endpoint.url.replace("http:", "https:")))
    assert "does not speak TLS" in said


async def test_a_certificate_file_that_is_not_there(use_endpoint: Use) -> None:
    endpoint = use_endpoint("rclone-https")
    with pytest.raises(UsageError, match=r"--cacert /no/such/file\.pem can't be read"):
        await refusal(options_for(endpoint, cacert="/no/such/file.pem"))


@pytest.fixture
def web_server() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>It works!</html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_web_site_instead_of_s3(use_endpoint: Use, web_server: str) -> None:
    use_endpoint("moto-http")
    assert "does not answer like an S3 server" in await refusal(StoreOptions(endpoint_url=web_server))


async def test_an_unknown_profile() -> None:
    assert "no-such-profile" in await refusal(StoreOptions(profile="no-such-profile"))


async def test_an_endpoint_that_is_no_url(use_endpoint: Use) -> None:
    use_endpoint("moto-http")
    assert "Invalid endpoint" in await refusal(StoreOptions(endpoint_url="not-a-url"))


@pytest.mark.parametrize("kind", ["seaweed-http", "rclone-http", "moto-http"])
async def test_a_missing_bucket_is_made_only_where_that_is_asked(use_endpoint: Use, kind: str) -> None:
    endpoint, name = use_endpoint(kind), f"made-{kind}"
    assert "--create-bucket" not in await refusal(options_for(endpoint), name)
    async with store_at(options_for(endpoint, create_bucket=True), name) as store:
        with pytest.raises(DestinationMissing):
            await store.check()
        assert (await store.is_empty(), await store.head("a")) == (True, None)
        with pytest.raises(DestinationMissing):
            await store.check()
    async with store_at(options_for(endpoint, create_bucket=True), name) as store:
        await store.check(create=True)
        await store.put("a.webp", BODY, WEBP)
        assert [row.key async for row in store.list()] == ["a.webp"]
    async with store_at(options_for(endpoint), "no-such-bucket") as store:
        with pytest.raises(StoreRefused, match="--create-bucket makes it"):
            await store.check(create=True)


@pytest.mark.parametrize("kind", ["seaweed-http", "rclone-http", "moto-http"])
async def test_an_upload_that_fails_leaves_no_parts_behind(
    use_endpoint: Use, buckets: Callable[[str], str], kind: str
) -> None:
    endpoint = use_endpoint(kind)
    data = bytes(6 * 1024 * 1024)
    wrong = Body(size=len(data), sha256="0" * 64, data=data)
    async with store_at(options_for(endpoint), buckets(kind)) as store:
        with pytest.raises(StoreError):
            await store.put("never.webp", wrong, WEBP)
        assert await store.head("never.webp") is None
    uploads = await asyncio.to_thread(endpoint.client().list_multipart_uploads, Bucket=buckets(kind))
    assert uploads.get("Uploads", []) == []


@pytest.mark.parametrize("kind", ["seaweed-http", "moto-http"])
@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
async def test_an_upload_that_is_cancelled_leaves_no_parts_behind(
    use_endpoint: Use, buckets: Callable[[str], str], kind: str, after: float
) -> None:
    endpoint = use_endpoint(kind)
    data = bytes(12 * 1024 * 1024)
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)
    async with store_at(options_for(endpoint), buckets(kind)) as store:
        await store.check()
        task = asyncio.create_task(store.put("cancelled.webp", body, WEBP))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    uploads = await asyncio.to_thread(endpoint.client().list_multipart_uploads, Bucket=buckets(kind))
    assert uploads.get("Uploads", []) == []

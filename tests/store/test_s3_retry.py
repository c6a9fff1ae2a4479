"""When a call to S3 is tried again, and when it is not: a scripted transport, everything else is real."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from mediamirror.errors import ObjectCorrupt, StoreDenied, StoreRefused, StoreUnavailable
from mediamirror.fetch.handed_in import OverHttpx2
from mediamirror.model import Body
from mediamirror.settings import StoreOptions
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.s3.exchange import Backoff
from mediamirror.store.s3.store import S3Store

DATA = b"RIFF....WEBP"
BODY = Body(size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest(), data=DATA)
WEBP = ObjectAttributes("image/webp", metadata=(("width", "480"),))
THERE = {
    "content-length": str(len(DATA)),
    "content-type": "image/webp",
    "etag": '"abc"',
    "x-amz-meta-sha256": BODY.sha256,
    "x-amz-meta-width": "480",
}

Step = httpx2.Response | Exception


class Scripted(httpx2.AsyncBaseTransport):
    """Answers with the next step; remembers what was asked."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


def answer(status: int, code: str = "", headers: dict[str, str] | None = None) -> httpx2.Response:
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))


def stored() -> httpx2.Response:
    return answer(200, headers={"etag": '"abc"'})


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., S3Store]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)

    def build(transport: Scripted, backoff: Backoff | None = None, **changes: object) -> S3Store:
        options = StoreOptions(endpoint_url="http://127.0.0.1:1", retries=3, **changes)  # type: ignore[arg-type]
        return S3Store(
            "media", "news", options=options, transport=OverHttpx2(transport), backoff=backoff or Backoff(base=0, cap=0)
        )

    return build


@pytest.mark.parametrize(
    "trouble",
    [
        answer(503, "SlowDown"),
        answer(429),
        answer(400, "RequestTimeout"),
        answer(409, "ConditionalRequestConflict"),
    ],
    ids=["slow-down", "too-many", "request-timeout", "conflict"],
)
async def test_a_passing_refusal_is_tried_again(make: Callable[..., S3Store], trouble: Step) -> None:
    transport = Scripted(trouble, stored())
    await make(transport).put("a.webp", BODY, WEBP)
    assert transport.methods == ["PUT", "PUT"]


@pytest.mark.parametrize(
    "trouble",
    [answer(500, "InternalError"), answer(200, "InternalError"), httpx2.ReadError("reset"), TimeoutError()],
    ids=["500", "200-with-error", "reset", "timeout"],
)
async def test_after_an_ambiguous_failure_a_head_decides(make: Callable[..., S3Store], trouble: Step) -> None:
    transport = Scripted(trouble, answer(200, headers=THERE))
    found = await make(transport).put("a.webp", BODY, WEBP)
    assert transport.methods == ["PUT", "HEAD"]
    assert found.token == "abc"


@pytest.mark.parametrize(
    "change", [{"x-amz-meta-sha256": "0" * 64}, {"content-length": "1"}, {"x-amz-meta-width": "1"}]
)
async def test_an_older_object_is_not_taken_for_ours(make: Callable[..., S3Store], change: dict[str, str]) -> None:
    transport = Scripted(answer(500), answer(200, headers=THERE | change), stored())
    await make(transport).put("a.webp", BODY, WEBP)
    assert transport.methods == ["PUT", "HEAD", "PUT"]


async def test_tries_are_bounded(make: Callable[..., S3Store]) -> None:
    transport = Scripted(*(answer(503, "SlowDown") for _ in range(9)))
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        await make(transport).put("a.webp", BODY, WEBP)
    assert transport.methods == ["PUT"] * 4


@pytest.mark.parametrize(
    "code", ["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"]
)
async def test_what_cannot_pass_is_not_tried_again(make: Callable[..., S3Store], code: str) -> None:
    transport = Scripted(answer(403, code))
    with pytest.raises(StoreDenied) as raised:
        await make(transport).put("a.webp", BODY, WEBP)
    assert transport.methods == ["PUT"]
    assert "very-secret" not in raised.value.message


@pytest.mark.parametrize(
    ("method", "needs"), [("put", "s3:PutObject"), ("head", "s3:GetObject"), ("delete", "s3:DeleteObject")]
)
async def test_a_denial_names_the_permission_that_it_takes(
    make: Callable[..., S3Store], method: str, needs: str
) -> None:
    store = make(Scripted(answer(403, "AccessDenied")))
    words = ("a.webp", BODY, WEBP) if method == "put" else ("a.webp",)
    with pytest.raises(StoreDenied) as raised:
        await getattr(store, method)(*words)
    assert f"Ask the owner of the bucket for {needs}, or use other credentials" in raised.value.message


async def test_an_expired_token_is_renewed_once(make: Callable[..., S3Store], monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Scripted(stored(), answer(400, "ExpiredToken"), stored())
    store = make(transport)
    await store.put("a.webp", BODY, WEBP)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKFRESH")
    await store.put("a.webp", BODY, WEBP)
    used = [request.headers["authorization"].partition("/")[0] for request in transport.requests]
    assert [name.removeprefix("AWS4-HMAC-SHA256 Credential=") for name in used] == ["AKEXAMPLE", "AKEXAMPLE", "AKFRESH"]


async def test_an_expired_token_without_a_new_one_says_so(make: Callable[..., S3Store]) -> None:
    transport = Scripted(answer(400, "ExpiredToken"))
    with pytest.raises(StoreDenied, match="Sign in again"):
        await make(transport).put("a.webp", BODY, WEBP)


async def test_a_request_goes_out_as_it_was_signed(make: Callable[..., S3Store]) -> None:
    transport = Scripted(stored())
    attributes = ObjectAttributes(
        "image/webp", "max-age=60", "public-read", "STANDARD_IA", (("source", "https://x/й"),)
    )
    await make(transport, metadata=(("site", "news"),)).put("a b+~(é)%.webp", BODY, attributes)
    request = transport.requests[0]
    assert request.url.raw_path == b"/media/news/a%20b%2B~%28%C3%A9%29%25.webp"
    assert request.content == DATA
    sent = dict(request.headers)
    assert sent["x-amz-content-sha256"] == BODY.sha256
    assert {name: sent[name] for name in ("cache-control", "x-amz-acl", "x-amz-storage-class")} == {
        "cache-control": "max-age=60",
        "x-amz-acl": "public-read",
        "x-amz-storage-class": "STANDARD_IA",
    }
    assert {name: value for name, value in sent.items() if name.startswith("x-amz-meta-")} == {
        "x-amz-meta-site": "news",
        "x-amz-meta-source": "https://x/%D0%B9",
        "x-amz-meta-sha256": BODY.sha256,
    }


async def test_anonymous_access_signs_nothing(make: Callable[..., S3Store]) -> None:
    transport = Scripted(answer(200, headers=THERE))
    await make(transport, no_sign_request=True).head("a.webp")
    assert "authorization" not in transport.requests[0].headers


async def test_a_spool_that_changed_is_never_sent_whole(make: Callable[..., S3Store], tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"other bytes!")
    with pytest.raises(ObjectCorrupt):
        await make(Scripted()).put("a.webp", Body(len(DATA), BODY.sha256, path=tmp_path / "spool"), WEBP)


async def test_a_page_instead_of_s3_is_refused_at_the_check(make: Callable[..., S3Store]) -> None:
    page = httpx2.Response(200, stream=httpx2.ByteStream(b"<html>welcome</html>"))
    with pytest.raises(StoreRefused, match="does not answer like an S3 server"):
        await make(Scripted(page)).check()


async def test_a_download_that_breaks_off_is_raised(make: Callable[..., S3Store]) -> None:
    class Broken(httpx2.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b"half"
            raise httpx2.ReadError("reset")

    store = make(Scripted(httpx2.Response(200, headers=THERE, stream=Broken())))
    with pytest.raises(StoreUnavailable, match="reset"):
        [chunk async for chunk in store.get("a.webp")]


async def test_no_credentials_is_said_before_the_first_item(
    make: Callable[..., S3Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreRefused, match="--no-sign-request"):
        await make(Scripted()).check()


async def test_slow_down_to_one_call_holds_every_later_call_back(make: Callable[..., S3Store]) -> None:
    transport = Scripted(answer(503, "SlowDown"), stored(), stored())
    store = make(transport, backoff=Backoff(base=0.4, cap=0.4))
    told = asyncio.create_task(store.put("a.webp", BODY, WEBP))
    while not transport.requests:  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(0)
    other = asyncio.create_task(store.put("b.webp", BODY, WEBP))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(transport.requests) == 1
    await asyncio.gather(told, other)
    assert transport.methods == ["PUT", "PUT", "PUT"]


async def test_another_passing_refusal_holds_nobody_else_back(make: Callable[..., S3Store]) -> None:
    transport = Scripted(answer(409, "ConditionalRequestConflict"), stored(), stored())
    store = make(transport, backoff=Backoff(base=0.4, cap=0.4))
    told = asyncio.create_task(store.put("a.webp", BODY, WEBP))
    while not transport.requests:  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(0)
    await store.put("b.webp", BODY, WEBP)
    assert not told.done()
    await told


def test_delays_double_up_to_the_cap_and_never_fall_below_what_was_asked() -> None:
    backoff = Backoff(base=1.0, cap=10.0)
    assert [backoff.delay(n, 0.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [backoff.delay(n, 1.0) for n in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert backoff.delay(0, 0.0, asked=7.0) == 7.0
    assert backoff.delay(0, 0.0, asked=9_999.0) == 30.0


SUM = base64.b64encode(bytes.fromhex(BODY.sha256)).decode()
ECHO = {"etag": '"abc"', "x-amz-checksum-sha256": SUM}


async def digests(make: Callable[..., S3Store], *steps: Step, puts: int = 2) -> list[set[str]]:
    """Which digests of the body each request of some puts carried."""
    transport = Scripted(*steps)
    store = make(transport)
    for number in range(puts):
        await store.put(f"{number}.webp", BODY, WEBP)
    assert transport.steps == []
    return [{"content-md5", "x-amz-checksum-sha256"} & set(request.headers) for request in transport.requests]


BOTH, SHA, MD5 = {"content-md5", "x-amz-checksum-sha256"}, {"x-amz-checksum-sha256"}, {"content-md5"}


async def test_over_plain_http_a_server_that_tells_the_checksum_gets_no_md5_again(make: Callable[..., S3Store]) -> None:
    assert await digests(make, answer(200, headers=ECHO), answer(200, headers=ECHO)) == [BOTH, SHA]


async def test_over_plain_http_a_server_that_does_not_tell_it_gets_an_md5(make: Callable[..., S3Store]) -> None:
    assert await digests(make, stored(), stored()) == [BOTH, MD5]


async def test_a_server_that_knows_no_checksum_is_asked_again_without(make: Callable[..., S3Store]) -> None:
    assert await digests(make, answer(400, "InvalidArgument"), stored(), stored()) == [BOTH, MD5, MD5]

"""A bucket that stumbles, lies and refuses, behind a proxy in front of a real server: nothing is lost, nothing is half there."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.s3_faults import Fault, FaultProxy, running_fault_proxy
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site
from fixtures.site.contents import seed_variants
from mediamirror.jobs.mirror.publish import ENDURED
from mediamirror.jobs.run.lanes import PER_REQUEST
from mediamirror.settings import FetchOptions

Command = Callable[..., CompletedProcess[str]]

BUCKET = "faults"
SEED = "fixtures/seed/news-by.txt"
SOUND = {resource.path.rsplit("_", 1)[1]: resource.sha256 for resource in seed_variants()}
"""The seed's four files: the end of the name, and the sha256."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as endpoint:
        endpoint.create_bucket(BUCKET)
        yield endpoint


@pytest.fixture(scope="module")
def proxy(server: S3Endpoint) -> Iterator[FaultProxy]:
    with running_fault_proxy(server.url) as running:
        yield running


class Runner:
    """Mirrors the seed into a prefix of its own, through the proxy, and looks into the bucket behind it."""

    def __init__(self, command: Command, server: S3Endpoint, proxy: FaultProxy, site: Site) -> None:
        self._command, self._server, self._proxy, self._site = command, server, proxy, site
        self.dest = f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}"

    def mirror(self, *words: str, faults: tuple[Fault, ...] = ()) -> tuple[int, dict[str, Any], str]:
        """Return the exit code, the variants by the end of their URL, and what was said to people."""
        self._proxy.inject(*faults)
        done = self._command(
            *("mirror", SEED, "--to", self.dest, "--endpoint-url", self._proxy.url, "--format", "jsonl"),
            *self._site.arguments(),
            *words,
            **self._server.environment(),
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return (
            done.returncode,
            {r["url"].rsplit("_", 1)[1]: r for r in rows if r["type"] == "variant"},
            done.stderr,
        )

    def held(self) -> dict[str, str]:
        """The sha256 of what is in the bucket, by the end of the key."""
        client = self._server.client()
        prefix = self.dest.removeprefix(f"s3://{BUCKET}/") + "/"
        keys = [row["Key"] for row in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return {
            key.rsplit("_", 1)[1]: hashlib.sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest()
            for key in keys
            if "/_mediamirror/" not in key
        }

    def is_whole_after_another_run(self) -> bool:
        """Run again without faults: everything is there, and a scrub agrees."""
        code, _, _ = self.mirror()
        scrub = self._command(
            "verify", "--mirror", self.dest, "--endpoint-url", self._server.url, **self._server.environment()
        )
        return (code, self.held(), scrub.returncode) == (0, SOUND, 0)


@pytest.fixture
def run(mediamirror: Command, server: S3Endpoint, proxy: FaultProxy, site: Site) -> Runner:
    return Runner(mediamirror, server, proxy, site)


PASSING = [
    Fault("refuse", part="_480", times=2),
    Fault("refuse", part="_480", times=2, status=503, code="SlowDown"),
    Fault("refuse", part="_480", times=1, status=409, code="ConditionalRequestConflict"),
    Fault("error-in-200", part="_480", times=1),
    Fault("reset-in-body", part="_480", times=1),
    Fault("damage", part="_480", times=1),
    Fault("refuse", method="HEAD", part="_480", times=1),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind}-{fault.method}-{fault.status}")
def test_what_passes_is_tried_again_until_every_byte_is_there(run: Runner, fault: Fault) -> None:
    code, rows, said = run.mirror(faults=(fault,))
    assert (code, {row["status"] for row in rows.values()}) == (0, {"stored"}), said
    assert run.held() == SOUND


def test_an_object_that_was_stored_before_the_failure_is_not_sent_twice(run: Runner, proxy: FaultProxy) -> None:
    code, rows, said = run.mirror(faults=(Fault("refuse-after", part="_1280", times=1),))
    assert (code, {row["status"] for row in rows.values()}) == (0, {"stored"}), said
    assert (len(proxy.seen("PUT", "_1280")), len(proxy.seen("HEAD", "_1280"))) == (1, 1)
    assert run.held() == SOUND


def test_a_connection_lost_after_the_object_was_stored_is_no_failure(run: Runner, proxy: FaultProxy) -> None:
    # The HTTP client sends a request once more when a kept connection goes, as it may be an old one that the server closed.
    code, rows, said = run.mirror(faults=(Fault("reset-after", part="_1280", times=2),))
    assert (code, {row["status"] for row in rows.values()}) == (0, {"stored"}), said
    assert len(proxy.seen("PUT", "_1280")) <= 2
    assert len(proxy.seen("HEAD", "_1280")) == 1
    assert run.held() == SOUND


LASTING = [
    (Fault("refuse", part="_768"), "store-unavailable"),
    (Fault("error-in-200", part="_768"), "store-unavailable"),
    (Fault("reset-in-body", part="_768"), "store-unavailable"),
    (Fault("stall", part="_768"), "store-unavailable"),
    (Fault("damage", part="_768"), "object-corrupt"),
    (Fault("refuse", part="_768", status=403, code="AccessDenied"), "store-denied"),
    (Fault("refuse", part="_768", status=403, code="RequestTimeTooSkewed"), "store-denied"),
    (Fault("refuse", part="_768", status=400, code="ExpiredToken"), "store-denied"),
    (Fault("refuse", part="_768", status=403, code="QuotaExceeded"), "store-full"),
]


@pytest.mark.parametrize(("fault", "reason"), LASTING, ids=lambda value: getattr(value, "code", str(value)))
def test_what_lasts_fails_its_item_with_a_reason_and_no_other(run: Runner, fault: Fault, reason: str) -> None:
    within = ("--timeout", "8") if fault.kind == "stall" else ()
    code, rows, said = run.mirror("--retries", "1", *within, faults=(fault,))
    failed = rows.pop("768.webp")
    assert (code, failed["status"], failed["error"]["code"]) == (1, "failed", reason), said
    assert {row["status"] for row in rows.values()} == {"stored"}
    assert run.held() == {name: sha for name, sha in SOUND.items() if name != "768.webp"}


def test_another_run_completes_what_faults_left(run: Runner) -> None:
    faults = (
        Fault("reset-in-body", part="_480"),
        Fault("refuse", part="_768", status=403, code="AccessDenied"),
        Fault("error-in-200", part="_1280"),
        Fault("refuse", part="/manifest/"),
    )
    code, rows, said = run.mirror("--retries", "0", faults=faults)
    assert (code, [row["status"] for row in rows.values()].count("failed")) == (1, 3), said
    assert "1 problem" in said  # the manifest could not be written either
    assert run.is_whole_after_another_run()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "RequestTimeTooSkewed", ("clock is 7,", "seconds behind")),
        (403, "AccessDenied", ("denied", "s3:PutObject")),
        (400, "ExpiredToken", ("expired", "Sign in again")),
        (403, "SignatureDoesNotMatch", ("secret",)),
        (503, "SlowDown", ("Try again later",)),
    ],
)
def test_a_bucket_that_refuses_at_once_ends_the_run_before_anything_is_fetched(
    run: Runner, site: Site, status: int, code: str, words: tuple[str, ...]
) -> None:
    exit_code, rows, said = run.mirror("--retries", "0", faults=(Fault("refuse", "GET", status=status, code=code),))
    assert (exit_code, rows, site.requests()) == (2, {}, [])
    assert all(word in said for word in words), said
    assert said.count("\n") == 1, said


def test_a_bucket_that_refuses_everything_is_left_alone_after_a_while(
    mediamirror: Command, server: S3Endpoint, proxy: FaultProxy, site: Site, tmp_path: Path
) -> None:
    url = next(f"https://{resource.host}{resource.path}" for resource in seed_variants())
    urls = tmp_path / "list.txt"
    urls.write_text("".join(f"{url}?{number}\n" for number in range(ENDURED + 60)))
    proxy.inject(Fault("refuse", status=403, code="AccessDenied"))
    done = mediamirror(
        *("mirror", str(urls), "--as", "urls", "--to", f"s3://{BUCKET}/all", "--endpoint-url", proxy.url),
        *("--format", "jsonl", "--check", "header", "--concurrency", "4", *site.arguments()),
        **server.environment(),
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    codes = Counter(row["error"]["code"] for row in rows if row["type"] == "variant")
    assert (done.returncode, set(codes), sum(codes.values())) == (1, {"store-denied", "store-stopped"}, ENDURED + 60)
    under_way, waiting_for_their_host = PER_REQUEST * 4, FetchOptions().host_concurrency
    assert ENDURED <= codes["store-denied"] < ENDURED + under_way + waiting_for_their_host
    assert len(site.bodies()) == codes["store-denied"]


def test_a_permanent_refusal_is_asked_for_once(run: Runner, proxy: FaultProxy) -> None:
    run.mirror(faults=(Fault("refuse", part="_768", status=403, code="AccessDenied"),))
    assert len(proxy.seen("PUT", "_768")) == 1

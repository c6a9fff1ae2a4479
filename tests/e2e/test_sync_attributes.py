"""``sync --attributes`` comes to rest on each server: the second run copies nothing, whatever the server made of the attributes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.servers.rclone import running_rclone
from fixtures.servers.seaweed import running_seaweed

Command = Callable[..., CompletedProcess[str]]
SERVERS = {"seaweed": running_seaweed, "rclone": running_rclone, "moto": running_moto}
OBJECTS: dict[str, dict[str, Any]] = {
    "plain.webp": {"ContentType": "image/webp"},
    "no-type": {},
    "named.webp": {"ContentType": "image/webp", "ContentDisposition": 'inline; filename="a b.webp"'},
    "foreign.webp": {
        "ContentType": "image/webp",
        "ContentDisposition": "inline; filename*=UTF-8''%C5%82%C3%B3d%C5%BA.webp",
    },
    "empty.webp": {"ContentType": "image/webp", "Metadata": {"note": "", "colour": "red"}},
    "dated.webp": {"ContentType": "image/webp", "Expires": "Thu, 01 Jan 2032 00:00:00 GMT"},
    "cached.webp": {"ContentType": "image/webp", "CacheControl": "public, max-age=60", "ContentLanguage": "be"},
    "aged.webp": {"ContentType": "image/webp", "Metadata": {"mtime": "1764460800.5"}},
    "encoded.svg": {"ContentType": "image/svg+xml", "ContentEncoding": "identity"},
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as endpoint:
        client = endpoint.client()
        for bucket in ("from", "to", "through", "up"):
            client.create_bucket(Bucket=f"{bucket}-rest")
        for key, attributes in OBJECTS.items():
            client.put_object(Bucket="from-rest", Key=key, Body=key.encode(), **attributes)
        yield endpoint


@pytest.fixture
def run(mediamirror: Command, server: S3Endpoint) -> Callable[..., dict[str, int]]:
    def statuses(*words: str) -> dict[str, int]:
        done = mediamirror(*words, "--format", "jsonl", "--endpoint-url", server.url, **server.environment())
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(last["statuses"])

    return statuses


@pytest.mark.parametrize("chain", [["from", "to"], ["from", "to", "through"]])
def test_what_the_server_itself_copied(run: Callable[..., dict[str, int]], chain: list[str]) -> None:
    for source, to in itertools.pairwise(chain):
        pair = f"s3://{source}-rest", f"s3://{to}-rest"
        run("sync", *pair, "--attributes")
        assert run("sync", *pair, "--attributes") == {"skipped": len(OBJECTS)}
        assert run("check", *pair, "--attributes") == {"same": len(OBJECTS)}


def test_what_passed_through_us(run: Callable[..., dict[str, int]], server: S3Endpoint) -> None:
    """The same server under another name is another service."""
    other = server.url.replace("127.0.0.1", "localhost")
    words = ("sync", "s3://from-rest", "s3://through-rest", "--source-endpoint-url", other, "--attributes")
    run(*words)
    assert run(*words) == {"skipped": len(OBJECTS)}


def test_what_came_from_a_directory_with_attributes_given(run: Callable[..., dict[str, int]], tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for key in OBJECTS:
        (tmp_path / "src" / key).write_text(key)
    given = ("--cache-control", "public, max-age=60", "--metadata", "note= a  b ", "--metadata", "colour=ródź")
    words = ("sync", str(tmp_path / "src"), "s3://up-rest", "--attributes", *given)
    assert run(*words) == {"uploaded": len(OBJECTS)}
    assert run(*words) == {"skipped": len(OBJECTS)}

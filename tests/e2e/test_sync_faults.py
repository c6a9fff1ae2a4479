"""Sync when things go wrong in the middle: killed, cut off, out of space; and beside another tool that writes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.cutting import cutting_relay
from fixtures.patience import PATIENCE
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.s3_faults import Fault, running_fault_proxy
from fixtures.servers.seaweed import running_seaweed

Command = Callable[..., CompletedProcess[str]]
BUCKET = "faults"
MiB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as endpoint:
        endpoint.create_bucket(BUCKET)
        yield endpoint


@pytest.fixture
def dest() -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}"


def write_files(root: Path, count: int, size: int = 20) -> None:
    chance = random.Random(count)
    for number in range(count):
        path = root / f"set-{number // 100:03}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))


def summary(done: CompletedProcess[str]) -> dict[str, Any]:
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def uploads(server: S3Endpoint) -> list[Any]:
    return list(server.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def test_more_keys_than_a_page_holds_are_all_seen_again(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str
) -> None:
    write_files(tmp_path / "src", 1_030)
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url, "--format", "jsonl")
    assert summary(mediamirror(*words, **server.environment()))["statuses"] == {"uploaded": 1_030}
    assert summary(mediamirror(*words, **server.environment()))["statuses"] == {"skipped": 1_030}
    (tmp_path / "src/set-010/01029.bin").unlink()
    done = mediamirror(*words, "--delete", **server.environment())
    assert summary(done)["statuses"] == {"deleted": 1, "skipped": 1_029}


def test_a_listing_in_the_order_of_directories_hides_nothing(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str
) -> None:
    for key in ("page/a", "page.html", "page-b/c", "page", "pagé"):
        if key != "page":
            (tmp_path / "src" / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "src" / key).write_text(key)
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url, "--format", "jsonl", "--delete")
    for statuses in ({"uploaded": 4}, {"skipped": 4}):
        assert summary(mediamirror(*words, **server.environment()))["statuses"] == statuses


def test_a_killed_sync_is_finished_by_the_next_one(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str
) -> None:
    write_files(tmp_path / "src", 150)
    (tmp_path / "src" / "large.bin").write_bytes(random.Random(1).randbytes(20 * MiB))
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url, "--format", "jsonl")
    environment = {**os.environ, **server.environment(), "XDG_STATE_HOME": str(tmp_path / "state")}
    first = subprocess.Popen(
        [executable("mediamirror"), *words, "--concurrency", "2"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    next(line for line in first.stdout if '"op":"upload"' in line)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=PATIENCE)
    assert summary(mediamirror(*words, **server.environment()))["exit_code"] == 0
    check = ("check", str(tmp_path / "src"), dest, "--download", "--endpoint-url", server.url)
    assert mediamirror(*check, **server.environment()).returncode == 0


@pytest.mark.parametrize(("times", "code"), [(2, 0), (10_000, 1)])
def test_connections_that_drop_in_a_multipart_upload(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str, times: int, code: int
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "large.bin").write_bytes(random.Random(2).randbytes(20 * MiB))
    (tmp_path / "src" / "small.bin").write_bytes(b"small")
    before = len(uploads(server))
    with cutting_relay(server.url, after=3 * MiB, times=times) as url:
        words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", url, "--format", "jsonl")
        done = mediamirror(*words, **server.environment())
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert summary(done)["statuses"] == ({"uploaded": 2} if not code else {"failed": 1, "uploaded": 1})
    assert len(uploads(server)) == before
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url)
    assert mediamirror(*words, **server.environment()).returncode == 0
    assert mediamirror("check", *words[1:3], "--download", *words[3:], **server.environment()).returncode == 0


def test_a_disk_that_fills_is_one_sentence_an_item_and_nothing_is_half_there(
    mediamirror: Command, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        write_files(tmp_path / "src", 8, size=300_000)
        done = mediamirror("sync", str(tmp_path / "src"), str(disk / "m"), "--format", "jsonl")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        codes = {row["error"]["code"] for row in rows if row["type"] == "object" and row["error"]}
        assert (done.returncode, codes, "Traceback" in done.stderr) == (1, {"store-full"}, False), done.stderr
        for path in (disk / "m").rglob("*.bin"):
            assert path.read_bytes() == (tmp_path / "src" / path.relative_to(disk / "m")).read_bytes()
        assert not list((disk / "m").rglob("_mediamirror/*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_another_tool_wrote_meanwhile_is_seen_by_the_next_run(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str
) -> None:
    write_files(tmp_path / "src", 400)
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url, "--format", "jsonl")
    environment = {**os.environ, **server.environment(), "XDG_STATE_HOME": str(tmp_path / "state")}
    prefix, client = dest.removeprefix(f"s3://{BUCKET}/"), server.client()
    first = subprocess.Popen(
        [executable("mediamirror"), *words, "--concurrency", "2"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    done = json.loads(next(line for line in first.stdout if '"op":"upload"' in line))["key"]
    client.put_object(Bucket=BUCKET, Key=f"{prefix}/{done}", Body=bytes(20))
    client.put_object(Bucket=BUCKET, Key=f"{prefix}/theirs.bin", Body=b"theirs")
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    second = mediamirror(*words, **server.environment())
    rows = [json.loads(line) for line in second.stdout.splitlines()]
    changed = {row["key"]: row["reason"] for row in rows if row["type"] == "object" and row["op"] != "skip"}
    assert (second.returncode, changed) == (0, {done: "sha256 differs"})
    assert client.get_object(Bucket=BUCKET, Key=f"{prefix}/theirs.bin")["Body"].read() == b"theirs"


@pytest.mark.parametrize(("times", "code"), [(2, 0), (1_000, 1)])
def test_an_object_whose_connection_breaks_off_in_the_middle_is_read_again(
    mediamirror: Command, server: S3Endpoint, tmp_path: Path, dest: str, times: int, code: int
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "breaks.bin").write_bytes(random.Random(3).randbytes(100_000))
    (tmp_path / "src" / "other.bin").write_bytes(b"other")
    words = ("sync", str(tmp_path / "src"), dest, "--endpoint-url", server.url)
    assert mediamirror(*words, **server.environment()).returncode == 0
    with running_fault_proxy(server.url, [Fault("cut-answer", method="GET", part="breaks.bin", times=times)]) as proxy:
        for command in ("sync", "check"):
            place = (dest, str(tmp_path / "down")) if command == "sync" else (dest, str(tmp_path / "src"), "--download")
            proxy.inject(Fault("cut-answer", method="GET", part="breaks.bin", times=times))
            words = (command, *place, "--endpoint-url", proxy.url, "--format", "jsonl")
            done = mediamirror(*words, **server.environment())
            assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
            assert len(proxy.seen("GET", "breaks.bin")) == 3
    names = {path.name for path in (tmp_path / "down").iterdir() if path.is_file()}
    assert names == ({"breaks.bin", "other.bin"} if not code else {"other.bin"})

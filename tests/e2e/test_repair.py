"""``verify --mirror --repair``: what is damaged or missing gets its recorded bytes back, and nothing else does."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.patience import PATIENCE
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]
SEED = "fixtures/seed/news-by.txt"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


def rows_of(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def repairs(done: CompletedProcess[str]) -> dict[str, str]:
    return {row["key"]: row["reason"] for row in rows_of(done) if row["type"] == "object" and not row["error"]}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_damaged_and_lost_files_are_fetched_again_and_a_later_run_finds_nothing_to_do(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    mirror = tmp_path / "m"
    mediamirror("mirror", SEED, "--to", str(mirror), *site.arguments())
    before = contents(mirror)
    damaged, lost = next(mirror.rglob("*_768.webp")), next(mirror.rglob("*_1280.webp"))
    flip(damaged)
    lost.unlink()
    words = ("verify", "--mirror", str(mirror), "--repair", "--format", "jsonl", *site.arguments())
    dry = mediamirror(*words, "-n")
    assert (dry.returncode, len(repairs(dry)), lost.exists()) == (1, 2, False)
    done = mediamirror(*words)
    key = str(damaged.relative_to(mirror))
    assert (done.returncode, contents(mirror)) == (0, before), done.stderr
    assert repairs(done)[key] == f"MM502, from https://{key}"
    assert (rows_of(done)[-1]["statuses"], rows_of(done)[-1]["findings"]) == ({"checked": 2, "repaired": 2}, {})
    assert mediamirror("verify", "--mirror", str(mirror)).returncode == 0
    site.reset_requests()
    assert mediamirror("mirror", SEED, "--to", str(mirror), *site.arguments()).returncode == 0
    assert site.bodies() == []


def test_a_second_mirror_is_asked_first_and_a_damaged_copy_of_it_is_not_taken(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    mirror, second = tmp_path / "m", tmp_path / "copy"
    mediamirror("mirror", SEED, "--to", str(mirror), *site.arguments())
    mediamirror("sync", str(mirror), str(second))
    before = contents(mirror)
    one, other = next(mirror.rglob("*_480.webp")), next(mirror.rglob("*_768.webp"))
    flip(one)
    flip(other)
    flip(second / other.relative_to(mirror))
    site.reset_requests()
    words = ("verify", "--mirror", str(mirror), "--repair", "--from", str(second), "--format", "jsonl")
    done = mediamirror(*words, *site.arguments())
    assert (done.returncode, contents(mirror)) == (0, before), done.stderr
    assert {key[-8:]: reason for key, reason in repairs(done).items()} == {
        "480.webp": f"MM502, from {second}/{one.relative_to(mirror)}",
        "768.webp": f"MM502, from https://{other.relative_to(mirror)}",
    }
    assert len(site.bodies()) == 1


def test_a_source_that_has_other_bytes_now_is_named_and_not_stored(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    mirror, catalog = tmp_path / "m", tmp_path / "c.sqlite"
    mediamirror("mirror", SEED, "--to", str(mirror), "--catalog", str(catalog), *site.arguments())
    file = next(mirror.rglob("*_768.webp"))
    with sqlite3.connect(catalog) as db:
        db.execute("UPDATE objects SET sha256 = ? WHERE key LIKE '%_768.webp'", ("0" * 64,))
    before = file.read_bytes()
    words = ("verify", "--mirror", str(mirror), "--catalog", str(catalog), "--repair", *site.arguments())
    done = mediamirror(*words, "--format", "jsonl")
    (error,) = [row["error"] for row in rows_of(done) if row["type"] == "object"]
    assert (done.returncode, error["code"], file.read_bytes()) == (1, "not-repaired", before)
    assert "has other bytes now" in error["message"]
    assert "could not be repaired" in mediamirror(*words).stdout


def test_sixty_flipped_objects_of_a_bucket_are_found_and_repaired_and_no_other_is_touched(
    mediamirror: Command, bucket: S3Endpoint, tmp_path: Path
) -> None:
    source, chance = tmp_path / "src", random.Random(7)
    for number in range(80):
        (source / "set").mkdir(parents=True, exist_ok=True)
        (source / "set" / f"{number:03}.jpg").write_bytes(make_image(16, 16, "jpeg", seed=number))
    where = ("--endpoint-url", bucket.url)
    mediamirror("sync", str(source), "s3://media/flips", *where, "--metadata", "colour=red", **bucket.environment())
    client, flipped = bucket.client(), {f"set/{number:03}.jpg" for number in chance.sample(range(80), 60)}
    for key in flipped:
        data = bytearray((source / key).read_bytes())
        data[-1] ^= 1
        head = client.head_object(Bucket="media", Key=f"flips/{key}")
        client.put_object(
            Bucket="media", Key=f"flips/{key}", Body=bytes(data), Metadata=head["Metadata"], ContentType="image/jpeg"
        )
    words = ("verify", "--mirror", "s3://media/flips", *where, "--format", "jsonl")
    found = mediamirror(*words, **bucket.environment())
    assert {row["url"] for row in rows_of(found) if row["type"] == "finding"} == flipped
    done = mediamirror(*words, "--repair", "--from", str(source), **bucket.environment())
    assert (done.returncode, set(repairs(done))) == (0, flipped), done.stderr
    assert rows_of(done)[-1]["statuses"] == {"checked": 20, "repaired": 60}
    head = client.head_object(Bucket="media", Key=f"flips/{min(flipped)}")
    assert (head["ContentType"], head["Metadata"]["colour"]) == ("image/jpeg", "red")
    assert mediamirror(*words, **bucket.environment()).returncode == 0
    check = ("check", str(source), "s3://media/flips", "--download", *where)
    assert mediamirror(*check, **bucket.environment()).returncode == 0


def test_an_interrupted_scrub_goes_on_where_it_was(mediamirror: Command, tmp_path: Path) -> None:
    source, mirror = tmp_path / "src", tmp_path / "m"
    source.mkdir()
    for number in range(40):
        (source / f"{number:02}.bin").write_bytes(random.Random(number).randbytes(50_000))
    mediamirror("sync", str(source), str(mirror))
    flip(mirror / "00.bin")
    words = ("verify", "--mirror", str(mirror), "--format", "jsonl")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    first = subprocess.Popen(
        [executable("mediamirror"), *words, "--limit-rate", "200K", "--concurrency", "2"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    next(line for line in first.stdout if '"03.bin"' in line)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    second = mediamirror(*words)
    rows = rows_of(second)
    read = [row["key"] for row in rows if row["type"] == "variant"]
    assert (rows[0]["code"], max(read), second.returncode) == ("resumed", "39.bin", 1), second.stderr
    assert 30 < len(read) < 40
    assert "1 of them bad" in rows[0]["message"]
    third = mediamirror(*words)
    assert [row["type"] for row in rows_of(third)].count("variant") == 40


def test_restart_forgets_where_an_interrupted_scrub_was(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in "abc":
        (tmp_path / "src" / name).write_text(name)
    catalog = tmp_path / "c.sqlite"
    mediamirror("sync", str(tmp_path / "src"), str(tmp_path / "m"), "--catalog", str(catalog))
    (tmp_path / "c.sqlite.scrub.json").write_text('{"seed": 1, "sample": 1.0, "after": "b", "read": 2, "bad": 0}')
    words = ("verify", "--mirror", str(tmp_path / "m"), "--catalog", str(catalog), "--format", "jsonl")
    assert rows_of(mediamirror(*words, "--restart"))[-1]["statuses"] == {"checked": 3}
    (tmp_path / "c.sqlite.scrub.json").write_text('{"seed": 1, "sample": 1.0, "after": "b", "read": 2, "bad": 0}')
    assert rows_of(mediamirror(*words))[-1]["statuses"] == {"checked": 1}


def test_a_repair_after_an_interrupted_scrub_mends_what_that_one_found(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in "abc":
        (tmp_path / "src" / name).write_text(name * 9)
    catalog = tmp_path / "c.sqlite"
    mediamirror("sync", str(tmp_path / "src"), str(tmp_path / "m"), "--catalog", str(catalog))
    flip(tmp_path / "m" / "a")
    (tmp_path / "c.sqlite.scrub.json").write_text('{"seed": 1, "sample": 1.0, "after": "b", "read": 2, "bad": 1}')
    words = ("verify", "--mirror", str(tmp_path / "m"), "--catalog", str(catalog), "--format", "jsonl")
    done = mediamirror(*words, "--repair", "--from", str(tmp_path / "src"))
    rows = rows_of(done)
    assert (done.returncode, rows[0]["code"], rows[-1]["statuses"]) == (0, "restarted", {"checked": 2, "repaired": 1})
    assert (tmp_path / "m" / "a").read_text() == "a" * 9


def test_what_goes_with_a_mirror_alone_is_refused_without_one(mediamirror: Command) -> None:
    assert mediamirror("verify", SEED, "--repair").returncode == 2
    assert mediamirror("verify", "--mirror", "m", "--from", "n").returncode == 2


def test_an_object_under_a_wrong_type_is_stored_again_under_that_of_its_bytes_with_all_else_kept(
    mediamirror: Command, site: Site, bucket: S3Endpoint
) -> None:
    client, where = bucket.client(), ("--endpoint-url", bucket.url)
    mirror = "s3://media/mislabelled"
    mediamirror("mirror", SEED, "--to", mirror, *where, *site.arguments(), **bucket.environment())
    listed = client.list_objects_v2(Bucket="media", Prefix="mislabelled/")["Contents"]
    key = next(row["Key"] for row in listed if row["Key"].endswith("_480.webp"))
    was = client.head_object(Bucket="media", Key=key)
    body = client.get_object(Bucket="media", Key=key)["Body"].read()
    client.put_object(
        Bucket="media",
        Key=key,
        Body=body,
        ContentType="text/plain",
        Metadata=was["Metadata"],
        CacheControl="max-age=60",
    )
    site.reset_requests()
    words = ("verify", "--mirror", mirror, *where, "--repair", "--format", "jsonl", *site.arguments())
    dry = mediamirror(*words, "-n", **bucket.environment())
    assert (dry.returncode, len(repairs(dry))) == (0, 1), dry.stderr
    assert client.head_object(Bucket="media", Key=key)["ContentType"] == "text/plain"
    done = mediamirror(*words, **bucket.environment())
    now = client.head_object(Bucket="media", Key=key)
    assert (now["ContentType"], now["Metadata"], now["CacheControl"]) == ("image/webp", was["Metadata"], "max-age=60")
    assert client.get_object(Bucket="media", Key=key)["Body"].read() == body
    assert (done.returncode, list(repairs(done).values())) == (0, [f"MM503, from s3://media/{key}"]), done.stderr
    assert site.bodies() == []
    again = mediamirror("verify", "--mirror", mirror, *where, "--format", "jsonl", **bucket.environment())
    assert rows_of(again)[-1]["findings"] == {}

"""``verify --mirror``: what is stored is re-read and compared with what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]
SEED = "fixtures/seed/news-by.txt"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


def told(done: CompletedProcess[str]) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    return sorted((row["rule"], row["url"].rsplit("_", 1)[1]) for row in rows if row["type"] == "finding")


def test_a_flipped_bit_and_a_lost_file_are_found_and_nothing_else(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    mirror = tmp_path / "m"
    mediamirror("mirror", SEED, "--to", str(mirror), *site.arguments())
    words = ("verify", "--mirror", str(mirror), "--format", "jsonl")
    assert (mediamirror(*words).returncode, told(mediamirror(*words))) == (0, [])
    flipped = next(mirror.rglob("*_768.webp"))
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    next(mirror.rglob("*_1280.webp")).unlink()
    done = mediamirror(*words)
    assert (done.returncode, told(done)) == (1, [("MM501", "1280.webp"), ("MM502", "768.webp")])
    assert mediamirror(*words, "--ignore", "MM5").returncode == 0


def test_what_a_config_file_switches_off_counts_for_nothing_in_a_mirror(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    mirror = tmp_path / "m"
    mediamirror("mirror", str(Path(SEED).resolve()), "--to", str(mirror), *site.arguments(), cwd=tmp_path)
    next(mirror.rglob("*_1280.webp")).unlink()
    next(mirror.rglob("*_768.webp")).write_bytes(b"RIFF")
    (tmp_path / "mediamirror.toml").write_text(
        '[[verify.per-path]]\nimage = "*_1280.webp"\nignore = ["MM5"]\nreason = "taken down on purpose"\n'
    )
    words = ("verify", "--mirror", str(mirror), "--format", "jsonl")
    done = mediamirror(*words, cwd=tmp_path)
    assert (done.returncode, told(done)) == (1, [("MM502", "768.webp")])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    (off,) = (row for row in rows if row["type"] == "suppressed")
    assert (off["rule"], off["reason"], rows[-1]["suppressed"]) == ("MM501", "taken down on purpose", 1)
    next(mirror.rglob("*_768.webp")).unlink()
    assert mediamirror(*words, "--ignore", "MM501", cwd=tmp_path).returncode == 0


def test_a_bucket_without_its_catalog_is_checked_by_its_own_metadata(
    mediamirror: Command, site: Site, bucket: S3Endpoint, tmp_path: Path
) -> None:
    where = ("--endpoint-url", bucket.url)
    mediamirror("mirror", SEED, "--to", "s3://media/scrub", *where, *site.arguments(), **bucket.environment())
    client = bucket.client()
    keys = [row["Key"] for row in client.list_objects_v2(Bucket="media", Prefix="scrub/")["Contents"]]
    (key,) = [key for key in keys if key.endswith("_480.webp")]
    head = client.head_object(Bucket="media", Key=key)
    client.put_object(Bucket="media", Key=key, Body=b"RIFF", Metadata=head["Metadata"], ContentType="image/webp")
    (mislabelled,) = [key for key in keys if key.endswith("_1920.webp")]
    body = client.get_object(Bucket="media", Key=mislabelled)["Body"].read()
    client.put_object(Bucket="media", Key=mislabelled, Body=body, ContentType="image/png")
    done = mediamirror(
        "verify", "--mirror", "s3://media/scrub", *where, "--catalog", str(tmp_path / "none.sqlite"),
        "--format", "jsonl", **bucket.environment(),
    )  # fmt: skip
    assert (done.returncode, told(done)) == (1, [("MM502", "480.webp"), ("MM503", "1920.webp")])


def test_a_thousand_flipped_objects_are_a_thousand_findings(mediamirror: Command, tmp_path: Path) -> None:
    import hashlib
    import sqlite3

    mirror = tmp_path / "m"
    (mirror / "h.example").mkdir(parents=True)
    catalog = tmp_path / "c.sqlite"
    mediamirror("mirror", _nothing(tmp_path), "--to", str(mirror), "--catalog", str(catalog))
    with sqlite3.connect(catalog) as db:
        db.execute("INSERT INTO variants (id, url, host) VALUES (1, 'https://h.example/', 'h.example')")
        (store,) = db.execute("SELECT id FROM stores").fetchone()
        for number in range(1200):
            data = number.to_bytes(4, "big") * 50
            (mirror / "h.example" / f"{number}.bin").write_bytes(
                data if number >= 1000 else data[:-1] + bytes([data[-1] ^ 1])
            )
            row = (store, f"h.example/{number}.bin", 1, hashlib.sha256(data).hexdigest(), len(data), "", "", "2026")
            db.execute(
                "INSERT INTO objects (store_id, key, variant_id, sha256, size, content_type, token, stored_at) "
                "VALUES (?,?,?,?,?,?,?,?)",
                row,
            )
    done = mediamirror("verify", "--mirror", str(mirror), "--catalog", str(catalog), "--format", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    numbers = {int(Path(row["url"]).stem) for row in found if row["type"] == "finding" and row["rule"] == "MM502"}
    assert numbers == set(range(1000))
    assert found[-1]["statuses"] == {"checked": 200, "rejected": 1000}


def _nothing(folder: Path) -> str:
    (folder / "empty.txt").write_text("no picture")
    return str(folder / "empty.txt")


def test_a_mirror_of_which_nothing_is_known_or_held_is_never_a_success(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a").write_text("a")
    words = ("verify", "--mirror", str(tmp_path / "m"))
    done = mediamirror(*words)
    assert (done.returncode, "No record says what" in done.stderr, "catalog rebuild" in done.stderr) == (2, True, True)
    mediamirror("catalog", "import", str(tmp_path / "m"))
    tiny = mediamirror(*words, "--sample", "0.000000001")
    assert (tiny.returncode, "None of its objects is in the sample" in tiny.stderr) == (1, True)
    assert mediamirror(*words).returncode == 0


def test_verify_wants_inputs_or_a_mirror(mediamirror: Command) -> None:
    assert mediamirror("verify").returncode == 2
    assert mediamirror("verify", SEED, "--mirror", "m").returncode == 2
    assert mediamirror("verify", "--mirror", "m", "--sample", "200%").returncode == 2

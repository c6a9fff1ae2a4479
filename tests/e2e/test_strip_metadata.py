"""``mirror --strip-metadata``, run as people run it: a real site, a directory, a bucket."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from PIL import Image

from fixtures.images import encode, exif_block, make_image, photo, turned_jpeg
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.site import Resource, Site, running_site

Command = Callable[..., CompletedProcess[str]]
HOST = "photos.example"


def told(width: int, height: int, kind: str) -> bytes:
    return encode(photo(width, height), kind, exif=exif_block(orientation=3, gps=True))


FILES = {
    "turned.jpg": turned_jpeg(96, 64),
    "told.webp": told(96, 64, "webp"),
    "told.png": told(96, 64, "png"),
    "large.png": told(1000, 800, "png"),
    "plain.webp": make_image(60, 40, "webp"),
    "moving.gif": make_image(60, 40, "gif"),
}


def resource(name: str, data: bytes) -> Resource:
    kind = {"jpg": "jpeg"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
    return Resource(HOST, f"/{name}", data, f"image/{kind}")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("photos"), [resource(*item) for item in FILES.items()]) as site:
        yield site


@pytest.fixture
def run(mediamirror: Command, photos: Site, tmp_path: Path) -> Command:
    photos.reset_requests()
    urls = tmp_path / "urls.txt"
    urls.write_text("".join(f"https://{HOST}/{name}\n" for name in FILES))

    def mirror(*words: str, **extra: str) -> CompletedProcess[str]:
        where = () if "--to" in words else ("--to", str(tmp_path / "m"))
        command = ("mirror", str(urls), "--as", "urls", *where, "--format", "jsonl", *photos.arguments(), *words)
        return mediamirror(*command, **extra)

    return mirror


def rows(done: CompletedProcess[str], kind: str = "variant") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    return [row for row in found if row["type"] == kind]


def by_name(done: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {row["url"].rpartition("/")[2]: row for row in rows(done)}


def statuses(done: CompletedProcess[str]) -> set[str]:
    return {row["status"] for row in rows(done)}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / HOST).iterdir()}


def test_what_is_stored_tells_no_place_shows_the_same_and_both_hashes_are_told(run: Command, tmp_path: Path) -> None:
    assert len(FILES["large.png"]) > 1024**2, "it has to go through a file"
    done = run("--strip-metadata")
    assert done.returncode == 0, done.stderr
    held = stored(tmp_path / "m")
    for name, data in held.items():
        with Image.open(io.BytesIO(data)) as now, Image.open(io.BytesIO(FILES[name])) as was:
            assert now.getexif().get_ifd(0x8825) == {}, name
            assert now.getexif().get(0x0112, 1) == was.getexif().get(0x0112, 1), name
            assert now.tobytes() == was.tobytes(), name
    assert {name: (row["sha256"], row["source_sha256"], row["bytes"]) for name, row in by_name(done).items()} == {
        name: (sha(held[name]), sha(data), len(held[name])) for name, data in FILES.items()
    }
    changed = {name for name, data in FILES.items() if held[name] != data}
    assert changed == {"turned.jpg", "told.webp", "told.png", "large.png"}
    assert [(row["code"], row["message"]) for row in rows(done, "problem")] == [
        ("metadata-kept", "Stored with their metadata: 1 GIF; --strip-metadata supports only WebP, JPEG and PNG.")
    ]


def test_a_second_run_fetches_no_body_writes_nothing_and_says_the_same_hashes(
    run: Command, photos: Site, tmp_path: Path
) -> None:
    first = by_name(run("--strip-metadata"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.*")}
    photos.reset_requests()
    again = run("--strip-metadata")
    assert (statuses(again), photos.bodies()) == ({"unchanged"}, [])
    assert {row.status for row in photos.requests() if row.path != "/robots.txt"} == {304}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.*")} == before
    kept = ("key", "sha256", "source_sha256", "bytes", "width", "format")
    assert {n: [r[k] for k in kept] for n, r in by_name(again).items()} == {
        n: [r[k] for k in kept] for n, r in first.items()
    }


def test_the_mirror_verifies_and_a_flipped_byte_is_found(run: Command, mediamirror: Command, tmp_path: Path) -> None:
    run("--strip-metadata")
    assert mediamirror("verify", "--mirror", str(tmp_path / "m")).returncode == 0
    copied = mediamirror("sync", str(tmp_path / "m"), str(tmp_path / "copy"))
    assert (copied.returncode, stored(tmp_path / "copy")) == (0, stored(tmp_path / "m")), copied.stderr
    path = tmp_path / "m" / HOST / "told.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert mediamirror("verify", "--mirror", str(tmp_path / "m")).returncode == 1
    assert by_name(run("--strip-metadata"))["told.png"]["status"] == "stored"
    assert mediamirror("verify", "--mirror", str(tmp_path / "m")).returncode == 0


def test_what_was_stored_as_it_came_is_stripped_when_that_is_asked_for_and_the_other_way_round(
    run: Command, photos: Site, tmp_path: Path
) -> None:
    as_it_came = by_name(run())
    assert {row["source_sha256"] for row in as_it_came.values()} == {None}
    stripping = by_name(run("--strip-metadata"))
    assert {name for name, row in stripping.items() if row["status"] == "stored"} == {
        *("turned.jpg", "told.webp", "told.png", "large.png")
    }
    photos.reset_requests()
    assert (statuses(run("--strip-metadata")), photos.bodies()) == ({"unchanged"}, [])
    back = by_name(run())
    assert {name: row["sha256"] for name, row in back.items()} == {name: sha(data) for name, data in FILES.items()}
    assert stored(tmp_path / "m") == FILES


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_moto(tmp_path_factory.mktemp("moto")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


def test_an_object_names_its_source_a_lost_catalog_costs_no_upload_and_a_wrong_source_is_mended(
    run: Command, bucket: S3Endpoint, tmp_path: Path
) -> None:
    where = ("--to", "s3://media/path", "--endpoint-url", bucket.url, "--strip-metadata")
    first = by_name(run(*where, **bucket.environment()))
    for name, row in first.items():
        seen = bucket.client().head_object(Bucket="media", Key="path/" + row["key"])
        assert (seen["Metadata"]["sha256"], seen["Metadata"]["source-sha256"]) == (row["sha256"], sha(FILES[name]))
        assert (seen["ContentLength"], seen["ContentType"]) == (row["bytes"], f"image/{row['format']}")
    again = run(*where, "--catalog", str(tmp_path / "lost.sqlite"), **bucket.environment())
    assert statuses(again) == {"unchanged"}
    assert rows(again, "summary")[0]["bytes_out"] == 0
    # An object with the same bytes, said to be made from others, and no record that knows better: what it says is put right.
    for row in bucket.client().list_objects_v2(Bucket="media", Prefix="path/_mediamirror/").get("Contents", []):
        bucket.client().delete_object(Bucket="media", Key=row["Key"])
    key = {"Bucket": "media", "Key": "path/" + first["told.png"]["key"]}
    said = {**bucket.client().head_object(**key)["Metadata"], "source-sha256": "0" * 64}
    bucket.client().copy_object(**key, CopySource=key, Metadata=said, MetadataDirective="REPLACE")
    mended = by_name(run(*where, "--catalog", str(tmp_path / "another.sqlite"), **bucket.environment()))
    assert {name for name, row in mended.items() if row["status"] == "stored"} == {"told.png"}
    assert bucket.client().head_object(**key)["Metadata"]["source-sha256"] == sha(FILES["told.png"])


def test_in_the_hash_layout_the_key_is_the_hash_of_what_is_stored(
    run: Command, bucket: S3Endpoint, photos: Site
) -> None:
    where = ("--to", "s3://media/hash", "--endpoint-url", bucket.url, "--layout", "hash", "--strip-metadata")
    first = run(*where, **bucket.environment())
    assert {row["sha256"] in row["key"] for row in rows(first)} == {True}
    photos.reset_requests()
    assert (statuses(run(*where, **bucket.environment())), photos.bodies()) == ({"unchanged"}, [])


def test_the_catalog_keeps_what_came_and_what_is_stored_as_two_blobs(run: Command, tmp_path: Path) -> None:
    run("--strip-metadata", "--catalog", str(tmp_path / "c.sqlite"))
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        found = db.execute(
            "SELECT o.key, a.has_gps, b.has_gps, a.size > b.size, a.width = b.width, f.sha256 = o.source_sha256 "
            "FROM objects o JOIN blobs a ON a.sha256 = o.source_sha256 JOIN blobs b ON b.sha256 = o.sha256 "
            "JOIN fetches f ON f.variant_id = o.variant_id WHERE o.source_sha256 <> o.sha256 ORDER BY o.key"
        ).fetchall()
    db.close()
    assert found == [(f"{HOST}/{n}", 1, 0, 1, 1, 1) for n in ("large.png", "told.png", "told.webp", "turned.jpg")]


def test_a_web_archive_leaves_out_what_was_stripped_and_says_so_also_when_the_catalog_was_made_anew(
    run: Command, mediamirror: Command, bucket: S3Endpoint, tmp_path: Path
) -> None:
    dest, keys = "s3://media/warc", bucket.environment()
    where = ("--endpoint-url", bucket.url)
    first = by_name(run("--to", dest, *where, "--strip-metadata", **keys))
    stripped = {name for name, row in first.items() if row["sha256"] != row["source_sha256"]}
    assert stripped
    shown = mediamirror("catalog", "show", first["told.png"]["key"], dest, *where, **keys)
    assert f"the origin gave sha256 {sha(FILES['told.png'])}" in shown.stdout, shown.stderr
    for again in (False, True):
        if again:
            assert mediamirror("catalog", "rebuild", dest, "--force", *where, **keys).returncode == 0
        archive = tmp_path / f"{again}.warc"
        done = mediamirror("catalog", "export", dest, "-o", str(archive), *where, **keys)
        assert f"{len(stripped)} objects were stripped of their metadata" in done.stderr, done.stderr
        urls = [line for line in archive.read_bytes().split(b"\r\n") if line.startswith(b"WARC-Target-URI")]
        assert {url.decode().rpartition("/")[2] for url in urls} == FILES.keys() - stripped


def test_a_gain_map_that_is_dropped_is_said(mediamirror: Command, tmp_path: Path) -> None:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description hdrgm:Version='1.0'/>"
    first, gains = make_image(96, 64, "jpeg"), encode(photo(24, 16).convert("L"), "jpeg")
    bright = first[:2] + b"\xff\xe1" + (2 + len(xmp)).to_bytes(2, "big") + xmp + first[2:] + gains
    (tmp_path / "site").mkdir()
    with running_site(tmp_path / "site", [resource("bright.jpg", bright)]) as site:
        urls = tmp_path / "urls.txt"
        urls.write_text(f"https://{HOST}/bright.jpg\n")
        words = (
            "mirror",
            str(urls),
            "--as",
            "urls",
            "--to",
            str(tmp_path / "m"),
            "--format",
            "jsonl",
            *site.arguments(),
        )
        done = mediamirror(*words, "--strip-metadata")
    assert done.returncode == 0, done.stderr
    (told,) = [row for row in rows(done, "problem") if row["code"] == "picture-dropped"]
    assert told["message"].endswith(
        "was stored without a gain map for brighter screens, which came after its image data."
    )
    assert gains not in stored(tmp_path / "m")["bright.jpg"]


def test_what_was_stripped_is_in_no_web_archive_and_that_is_told_as_a_failure(
    run: Command, mediamirror: Command, tmp_path: Path
) -> None:
    assert run("--strip-metadata").returncode == 0
    words = ("catalog", "export", str(tmp_path / "m"), "-o", str(tmp_path / "x.warc.gz"))
    done = mediamirror(*words)
    assert (done.returncode, "stripped of their metadata" in done.stderr) == (1, True), done.stderr
    assert mediamirror(*words, "-q").returncode == 1

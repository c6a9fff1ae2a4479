"""The catalog commands on a bucket: rebuilt from its manifest alone, tidied up, never emptied by mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]

SEED = "fixtures/seed/news-by.txt"
TOWER = "fixtures/demo/clock-tower.txt"
FIELDS = (
    "key",
    "sha256",
    "bytes",
    "width",
    "height",
    "format",
    "url",
    "token",
    "content_type",
    "declared_width",
    "set_id",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_moto(tmp_path_factory.mktemp("moto")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


class Bucket:
    """Commands on one prefix of the bucket, and another client to look into it."""

    def __init__(self, command: Command, server: S3Endpoint, name: str, site: Site) -> None:
        self._command = command
        self._environment = server.environment()
        self._where = ("--endpoint-url", server.url)
        self.dest = f"s3://media/{name}"
        self._name = name
        self.client = server.client()
        self._site = site

    def __call__(self, *words: str) -> CompletedProcess[str]:
        return self._command(*words, *self._where, **self._environment)

    def mirror(self, *inputs: str) -> None:
        done = self("mirror", *inputs, "--to", self.dest, *self._site.arguments())
        assert "stored" in done.stdout, done.stderr

    def site_arguments(self) -> list[str]:
        return list(self._site.arguments())

    def keys(self, under: str = "") -> list[str]:
        rows = self.client.list_objects_v2(Bucket="media", Prefix=f"{self._name}/{under}").get("Contents", [])
        return [row["Key"].removeprefix(f"{self._name}/") for row in rows]

    def segments(self) -> list[str]:
        return self.keys("_mediamirror/manifest/")

    def rows(self, *words: str) -> list[tuple[Any, ...]]:
        done = self("catalog", "ls", self.dest, "--format", "jsonl", *words)
        assert done.returncode == 0, done.stderr
        found = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "variant"]
        return sorted(tuple(str(row[name]) for name in FIELDS) for row in found)


@pytest.fixture
def bucket(mediamirror: Command, server: S3Endpoint, site: Site, request: pytest.FixtureRequest) -> Bucket:
    return Bucket(mediamirror, server, request.node.name[:40], site)


def lose_catalogs(folder: Path) -> None:
    found = list((folder / "state/mediamirror/catalogs").glob("*.sqlite*"))
    assert found
    for path in found:
        path.unlink()


def test_a_lost_catalog_comes_back_from_the_manifest_alone(bucket: Bucket, tmp_path: Path) -> None:
    bucket.mirror(SEED)
    bucket.mirror(TOWER)
    before = bucket.rows("--status", "stored")
    assert len(before) == 7
    lose_catalogs(tmp_path)
    done = bucket("catalog", "rebuild", bucket.dest, "-v")
    assert (done.returncode, done.stdout.count("as the manifest says")) == (0, 7), done.stderr
    assert bucket.rows("--status", "stored") == before
    assert [row[6].rsplit("_", 1)[1] for row in bucket.rows("--status", "rejected")] == ["1280.webp"]
    segments = bucket.segments()
    assert bucket("sync", "fixtures/seed", bucket.dest, "-n").returncode == 0
    assert bucket("verify", "--mirror", bucket.dest).returncode == 0
    assert bucket.segments() == segments


def test_a_bucket_without_a_catalog_here_answers_from_its_manifest(bucket: Bucket, tmp_path: Path, site: Site) -> None:
    bucket.mirror(SEED)
    before = bucket.rows()
    url = before[0][FIELDS.index("url")]
    lose_catalogs(tmp_path)
    assert [row[:8] for row in bucket.rows()] == [row[:8] for row in before]
    public = ("--public-url", "https://cdn.example/")
    report = tmp_path / "report"
    page = tmp_path / "page.html"
    page.write_text(f'<img src="{url}" alt="A">')
    for words, said in (
        (("catalog", "show", url, bucket.dest), url),
        (("map", bucket.dest, *public), "https://cdn.example/"),
        (("report", bucket.dest, "-o", str(report)), ""),
        (("rewrite", str(page), "--mirror", bucket.dest, *public, "--stdout"), 'src="https://cdn.example/'),
        (("rewrite", str(page), "--mirror", bucket.dest, *public, "--in-place"), "1 page rewritten"),
    ):
        done = bucket(*words)
        assert (done.returncode, said in done.stdout) == (0, True), f"{words}: {done.stdout}{done.stderr}"
    assert not list((tmp_path / "state").rglob("*.sqlite"))  # to ask leaves nothing behind


def test_a_bucket_without_catalog_and_manifest_is_said_what_to_run_for(bucket: Bucket, tmp_path: Path) -> None:
    bucket.mirror(SEED)
    (segment,) = bucket.segments()
    bucket.client.delete_object(Bucket="media", Key=f"{bucket.dest.removeprefix('s3://media/')}/{segment}")
    lose_catalogs(tmp_path)
    public = ("--public-url", "https://cdn.example/")
    for words in (("catalog", "ls"), ("catalog", "show", "x"), ("catalog", "export"), ("report",), ("map", *public)):
        done = bucket(*words, bucket.dest)
        assert (done.returncode, "`mediamirror catalog rebuild" in done.stderr) == (2, True), f"{words}: {done.stderr}"
    done = bucket("rewrite", SEED, "--mirror", bucket.dest, *public, "--stdout")
    assert (done.returncode, "`mediamirror catalog rebuild" in done.stderr) == (2, True), done.stderr


def test_without_a_manifest_metadata_and_bytes_tell(bucket: Bucket, tmp_path: Path) -> None:
    bucket.mirror(SEED)
    before = bucket.rows()
    (segment,) = bucket.segments()
    bucket.client.delete_object(Bucket="media", Key=f"{bucket.dest.removeprefix('s3://media/')}/{segment}")
    lose_catalogs(tmp_path)
    done = bucket("catalog", "rebuild", bucket.dest, "-v")
    assert done.stdout.count("as its metadata say") == 4, done.stdout
    assert [row[:9] for row in bucket.rows()] == [row[:9] for row in before]


def test_gc_compacts_the_manifest_and_aborts_old_uploads_and_deletes_only_what_is_unnamed(bucket: Bucket) -> None:
    bucket.mirror(SEED)
    bucket.mirror(TOWER)
    name = bucket.dest.removeprefix("s3://media/")
    bucket.client.put_object(Bucket="media", Key=f"{name}/stray.webp", Body=b"x")
    bucket.client.create_multipart_upload(Bucket="media", Key=f"{name}/half.bin")
    bucket.client.create_multipart_upload(Bucket="media", Key="elsewhere/half.bin")
    named = set(bucket.keys()) - {"stray.webp"} - set(bucket.segments())
    assert len(bucket.segments()) == 2
    survey = bucket("catalog", "gc", bucket.dest, "-n", "--older-than", "0")
    assert ("stray.webp" in survey.stdout, "2 segments become one" in survey.stdout, "half.bin" in survey.stdout) == (
        True,
    ) * 3
    assert len(bucket.segments()) == 2
    done = bucket("catalog", "gc", bucket.dest, "--delete", "--max-delete", "1", "--older-than", "0")
    assert (done.returncode, len(bucket.segments())) == (0, 1), done.stderr
    assert set(bucket.keys()) - set(bucket.segments()) == named
    uploads = bucket.client.list_multipart_uploads(Bucket="media").get("Uploads", [])
    assert [each["Key"] for each in uploads] == ["elsewhere/half.bin"]
    again = bucket("catalog", "gc", bucket.dest, "--delete", "--format", "jsonl")
    assert json.loads(again.stdout.splitlines()[-1])["counts"] == {}


def test_what_another_machine_told_of_in_the_manifest_is_named(bucket: Bucket, tmp_path: Path) -> None:
    bucket.mirror(SEED)
    (tmp_path / "state").rename(tmp_path / "other-machine")
    bucket.mirror(TOWER)
    before = bucket.keys()
    done = bucket("catalog", "gc", bucket.dest, "--delete", "--force", "--older-than", "0")
    assert (done.returncode, "deleted" in done.stdout) == (0, False), done.stdout
    assert set(before) - set(bucket.keys()) == {key for key in before if key.startswith("_mediamirror/")}
    lose_catalogs(tmp_path)
    bucket("catalog", "rebuild", bucket.dest)
    assert len(bucket.rows("--status", "stored")) == 7


def test_a_damaged_segment_lets_nothing_be_deleted(bucket: Bucket) -> None:
    bucket.mirror(SEED)
    name = bucket.dest.removeprefix("s3://media/")
    bucket.client.put_object(Bucket="media", Key=f"{name}/_mediamirror/manifest/2020.jsonl.gz", Body=b"junk")
    bucket.client.put_object(Bucket="media", Key=f"{name}/stray.webp", Body=b"x")
    done = bucket("catalog", "gc", bucket.dest, "--delete", "--older-than", "0")
    assert (done.returncode, "stray.webp" in set(bucket.keys()), "2020.jsonl.gz is damaged" in done.stderr) == (
        1,
        True,
        True,
    )


def test_what_no_document_names_any_more_is_listed_and_deleted_in_a_bucket_also_without_its_catalog(
    bucket: Bucket, tmp_path: Path
) -> None:
    page = tmp_path / "news.txt"
    page.write_text(Path(SEED).read_text() + Path(TOWER).read_text())
    bucket.mirror(str(page))
    before = len(bucket.rows("--status", "stored"))
    page.write_text(Path(SEED).read_text())
    assert bucket("mirror", str(page), "--to", bucket.dest, *bucket.site_arguments()).returncode == 0
    lose_catalogs(tmp_path)
    assert bucket("mirror", str(page), "--to", bucket.dest, *bucket.site_arguments()).returncode == 0
    listed = bucket("catalog", "gc", bucket.dest, "--unreferenced")
    gone = listed.stdout.count("no document names it any more; --delete removes it")
    assert (listed.returncode, before - gone) == (0, 4), listed.stdout + listed.stderr
    bounded = bucket("catalog", "gc", bucket.dest, "--unreferenced", "--delete", "--max-delete", str(gone - 1))
    assert (bounded.returncode, len(bucket.rows("--status", "stored"))) == (2, before)
    assert bucket("catalog", "gc", bucket.dest, "--unreferenced", "--delete").returncode == 0
    left = bucket.keys()
    assert sum(not key.startswith("_mediamirror/") for key in left) == 4
    assert bucket("verify", "--mirror", bucket.dest).returncode == 0

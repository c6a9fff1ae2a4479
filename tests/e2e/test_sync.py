"""Sync and check as people run them, between directories and buckets of a real server."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]

BUCKET = "sync-test"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8 "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as endpoint:
        endpoint.create_bucket(BUCKET)
        yield endpoint


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex[:8]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    root = tmp_path / "src"
    for key, data in {
        "host/a/one_480.webp": WEBP + b"1",
        "host/a-b/two.jpg": b"\xff\xd8\xff2",
        "page with space & ü.html": b"<html>",
    }.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)
    return root


class Runner:
    """Runs the command against the server, and looks into the bucket with another client."""

    def __init__(self, command: Command, server: S3Endpoint) -> None:
        self._command = command
        self._server = server
        self.client = server.client()

    def __call__(self, *words: str) -> tuple[int, list[dict[str, Any]], str]:
        rest = ("--endpoint-url", self._server.url, "--format", "jsonl")
        done = self._command(*words, *rest, **self._server.environment())
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def held(self, prefix: str) -> dict[str, bytes]:
        rows = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix + "/").get("Contents", [])
        keys = [row["Key"] for row in rows if "/_mediamirror/" not in row["Key"]]
        return {
            key.removeprefix(prefix + "/"): self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
        }


@pytest.fixture
def run(mediamirror: Command, server: S3Endpoint) -> Runner:
    return Runner(mediamirror, server)


def files(root: Path) -> dict[str, bytes]:
    paths = [p for p in root.rglob("*") if p.is_file() and "_mediamirror" not in p.parts]
    return {str(p.relative_to(root)): p.read_bytes() for p in paths}


def ops(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["op"], row["reason"]) for row in rows if row["type"] == "object"}


def test_a_directory_goes_up_typed_and_hashed_and_a_second_run_sends_nothing(
    run: Runner, src: Path, prefix: str
) -> None:
    code, rows, said = run("sync", str(src), f"s3://{BUCKET}/{prefix}")
    assert (code, run.held(prefix)) == (0, files(src)), said
    head = run.client.head_object(Bucket=BUCKET, Key=f"{prefix}/host/a/one_480.webp")
    assert (head["ContentType"], len(head["Metadata"]["sha256"])) == ("image/webp", 64)
    code, rows, _ = run("sync", str(src), f"s3://{BUCKET}/{prefix}")
    assert (code, {op for op, _ in ops(rows).values()}, rows[-1]["bytes_out"]) == (0, {"skip"}, 0)
    assert rows[-1]["type"] == "summary"


def test_a_lost_catalog_costs_questions_and_no_upload(run: Runner, src: Path, prefix: str, tmp_path: Path) -> None:
    run("sync", str(src), f"s3://{BUCKET}/{prefix}")
    code, rows, _ = run("sync", str(src), f"s3://{BUCKET}/{prefix}", "--catalog", str(tmp_path / "new.sqlite"))
    assert (code, set(ops(rows).values())) == (0, {("skip", "same sha256")})


def test_planted_differences_are_found_and_mended(run: Runner, src: Path, prefix: str) -> None:
    dest = f"s3://{BUCKET}/{prefix}"
    run("sync", str(src), dest)
    one = src / "host/a/one_480.webp"
    seen = one.stat()
    one.write_bytes(WEBP + b"X")
    os.utime(one, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (src / "host/a-b/two.jpg").rename(src / "host/a-b/TWO.jpg")
    run.client.put_object(Bucket=BUCKET, Key=f"{prefix}/page with space & ü.html", Body=b"<HTML>")
    code, rows, _ = run("check", str(src), dest)
    assert (code, {row["key"]: row["mark"] for row in rows if row["type"] == "object"}) == (
        1,
        {
            "host/a/one_480.webp": "*",
            "host/a-b/two.jpg": "-",
            "host/a-b/TWO.jpg": "+",
            "page with space & ü.html": "*",
        },
    )
    code, rows, _ = run("sync", str(src), dest, "--delete")
    assert (code, run.held(prefix)) == (0, files(src))
    assert run("check", str(src), dest, "--download")[0] == 0


def test_a_server_copies_within_itself_and_all_attributes_travel(run: Runner, prefix: str, tmp_path: Path) -> None:
    attributes: dict[str, Any] = {
        "ContentType": "image/webp",
        "CacheControl": "max-age=60",
        "ContentDisposition": "inline",
        "Metadata": {"colour": "red"},
    }
    run.client.put_object(Bucket=BUCKET, Key=f"{prefix}/from/k.webp", Body=b"bytes", **attributes)
    pair = (f"s3://{BUCKET}/{prefix}/from", f"s3://{BUCKET}/{prefix}/to")
    for words in (("-n",), ()):
        code, rows, said = run("sync", *pair, *words)
        assert (code, rows[-1]["statuses"], rows[-1]["bytes_in"]) == (0, {"copied": 1}, 0), said
        assert ops(rows) == {"k.webp": ("copy", "not in the destination")}
    head = run.client.head_object(Bucket=BUCKET, Key=f"{prefix}/to/k.webp")
    assert {name: head[name] for name in attributes} == attributes  # type: ignore[literal-required]
    code, rows, _ = run("sync", *pair)
    assert ops(rows) == {"k.webp": ("skip", "copied from it before, unchanged since")}
    assert run("check", *pair, "--download")[0] == 0
    code, rows, _ = run("sync", pair[0], str(tmp_path / "down"))
    assert (code, files(tmp_path / "down"), rows[-1]["statuses"]) == (0, {"k.webp": b"bytes"}, {"downloaded": 1})


def test_other_attributes_of_the_same_bytes_are_found_and_mended_where_that_is_asked(
    run: Runner, src: Path, prefix: str
) -> None:
    dest = f"s3://{BUCKET}/{prefix}/a"
    run("sync", str(src), dest, "--metadata", "colour=red")
    key = f"{prefix}/a/host/a/one_480.webp"
    sha256 = run.client.head_object(Bucket=BUCKET, Key=key)["Metadata"]["sha256"]
    body = (src / "host/a/one_480.webp").read_bytes()
    meta = {"sha256": sha256, "colour": "red", "theirs": "x"}
    run.client.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="text/plain", Metadata=meta)
    assert ops(run("sync", str(src), dest)[1])["host/a/one_480.webp"] == ("skip", "same sha256")
    code, rows, _ = run("check", str(src), dest, "--attributes")
    marks = {row["key"]: (row["mark"], row["reason"]) for row in rows if row["type"] == "object"}
    assert (code, marks["host/a/one_480.webp"]) == (1, ("*", "attributes differ"))
    assert {mark for mark, _ in marks.values()} == {"*", "="}
    code, rows, _ = run("sync", str(src), dest, "--attributes", "--metadata", "colour=red")
    assert (code, ops(rows)["host/a/one_480.webp"]) == (0, ("upload", "attributes differ"))
    assert rows[-1]["statuses"] == {"skipped": 2, "uploaded": 1}
    assert run.client.head_object(Bucket=BUCKET, Key=key)["ContentType"] == "image/webp"
    copy = f"s3://{BUCKET}/{prefix}/b"
    run("sync", dest, copy)
    assert run("check", dest, copy, "--attributes")[0] == 0
    replaced: dict[str, Any] = {
        "MetadataDirective": "REPLACE",
        "ContentType": "image/webp",
        "Metadata": {"colour": "blue"},
    }
    run.client.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": key}, **replaced)
    code, rows, _ = run("sync", dest, copy, "--attributes")
    assert (code, rows[-1]["statuses"], rows[-1]["bytes_in"]) == (0, {"copied": 1, "skipped": 2}, 0)
    assert run.client.head_object(Bucket=BUCKET, Key=key.replace("/a/host", "/b/host"))["Metadata"]["colour"] == "blue"


def test_an_object_goes_to_another_service_with_its_attributes(
    run: Runner, prefix: str, server: S3Endpoint, src: Path
) -> None:
    """The same server under another name: its bytes pass through here."""
    run("sync", str(src), f"s3://{BUCKET}/{prefix}/from", "--metadata", "colour=red", "--cache-control", "max-age=9")
    other = server.url.replace("127.0.0.1", "localhost")
    code, rows, said = run(
        "sync", f"s3://{BUCKET}/{prefix}/from", f"s3://{BUCKET}/{prefix}/to", "--source-endpoint-url", other
    )
    assert (code, rows[-1]["statuses"], run.held(f"{prefix}/to")) == (0, {"uploaded": 3}, files(src)), said
    head = run.client.head_object(Bucket=BUCKET, Key=f"{prefix}/to/host/a/one_480.webp")
    assert (head["ContentType"], head["CacheControl"], head["Metadata"]["colour"]) == ("image/webp", "max-age=9", "red")


def test_an_object_that_does_not_hold_what_its_sha256_says_is_not_copied(
    run: Runner, prefix: str, tmp_path: Path
) -> None:
    run.client.put_object(Bucket=BUCKET, Key=f"{prefix}/bad", Body=b"flipped", Metadata={"sha256": "0" * 64})
    run.client.put_object(Bucket=BUCKET, Key=f"{prefix}/good", Body=b"fine")
    code, rows, _ = run("sync", f"s3://{BUCKET}/{prefix}", str(tmp_path / "down"))
    errors = {row["key"]: row["error"]["code"] for row in rows if row["type"] == "object" and row["error"]}
    assert (code, errors, files(tmp_path / "down")) == (1, {"bad": "object-corrupt"}, {"good": b"fine"})


def test_a_dry_run_into_a_bucket_that_is_not_there_fails_as_the_real_one_would(run: Runner, src: Path) -> None:
    code, rows, said = run("sync", str(src), "s3://no-such-bucket-here/x", "-n")
    assert (code, rows) == (2, [])
    assert "There is no bucket no-such-bucket-here" in said
    assert "--create-bucket makes it" in said
    code, _, said = run("sync", "s3://no-such-bucket-here/x", str(src.parent / "down"))
    assert (code, "There is no bucket" in said, "--create-bucket" in said) == (2, True, False)


def test_a_destination_inside_what_is_ours_in_a_bucket_is_refused(run: Runner, src: Path, prefix: str) -> None:
    code, rows, said = run("sync", str(src), f"s3://{BUCKET}/{prefix}/_mediamirror/manifest")
    assert (code, rows) == (2, [])
    assert "lies inside _mediamirror/" in said


def test_a_missing_bucket_is_refused_with_the_option_named_and_made_with_it(run: Runner, src: Path) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    dest = f"s3://{name}/x"
    code, rows, said = run("sync", str(src), dest)
    assert (code, rows, "--create-bucket makes it" in said) == (2, [], True)
    code, rows, said = run("sync", str(src), dest, "--create-bucket", "-n")
    assert (code, rows[-1]["statuses"]) == (0, {"uploaded": 3}), said
    assert name not in {bucket["Name"] for bucket in run.client.list_buckets()["Buckets"]}
    code, rows, said = run("sync", str(src), dest, "--create-bucket")
    assert (code, rows[-1]["statuses"]) == (0, {"uploaded": 3}), said
    assert run("sync", str(src), dest, "--create-bucket")[1][-1]["statuses"] == {"skipped": 3}
    assert run("check", str(src), dest, "--download")[0] == 0


def test_what_rclone_wrote_is_adopted_and_what_we_wrote_rclone_finds_the_same(
    run: Runner, src: Path, prefix: str, server: S3Endpoint
) -> None:
    remote = f":s3,provider=Other,env_auth=true,endpoint='{server.url}',region={server.region}:{BUCKET}/{prefix}"
    environment = {**os.environ, **server.environment(), "RCLONE_CONFIG": os.devnull}

    def rclone(*words: str) -> int:
        return subprocess.run(
            [executable("rclone"), *words], env=environment, capture_output=True, check=False
        ).returncode

    assert rclone("copy", str(src), f"{remote}/theirs", "--s3-no-check-bucket") == 0
    code, rows, said = run("sync", str(src), f"s3://{BUCKET}/{prefix}/theirs")
    assert (code, set(ops(rows).values()), rows[-1]["bytes_out"]) == (0, {("skip", "same sha256")}, 0), said
    run("sync", str(src), f"s3://{BUCKET}/{prefix}/ours")
    assert rclone("check", str(src), f"{remote}/ours", "--download", "--exclude", "/_mediamirror/**") == 0


def test_check_writes_the_lists_that_rclone_writes(run: Runner, src: Path, prefix: str, tmp_path: Path) -> None:
    dest = f"s3://{BUCKET}/{prefix}"
    run("sync", str(src), dest)
    (src / "new").write_text("n")
    (src / "host/a-b/two.jpg").unlink()
    lists = {name: tmp_path / name for name in ("combined", "missing-on-dst", "missing-on-src", "match", "differ")}
    code, _, _ = run("check", str(src), dest, *(w for n, p in lists.items() for w in (f"--{n}", str(p))))
    said = {name: sorted(path.read_text().splitlines()) for name, path in lists.items()}
    assert (code, said) == (
        1,
        {
            "combined": ["+ new", "- host/a-b/two.jpg", "= host/a/one_480.webp", "= page with space & ü.html"],
            "missing-on-dst": ["new"],
            "missing-on-src": ["host/a-b/two.jpg"],
            "match": ["host/a/one_480.webp", "page with space & ü.html"],
            "differ": [],
        },
    )


def test_a_list_for_a_dash_is_printed(mediamirror: Command, src: Path, tmp_path: Path) -> None:
    (tmp_path / "dest").mkdir()
    done = mediamirror("check", str(src), str(tmp_path / "dest"), "--missing-on-dst", "-", cwd=tmp_path)
    assert (done.returncode, "host/a/one_480.webp" in done.stdout.splitlines()) == (1, True)
    assert not (tmp_path / "-").exists()


def manifest(run: Runner, prefix: str) -> list[dict[str, Any]]:
    listed = run.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/_mediamirror/manifest/").get("Contents", [])
    bodies = [run.client.get_object(Bucket=BUCKET, Key=row["Key"])["Body"].read() for row in listed]
    return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


def test_a_mirror_says_in_its_bucket_which_sets_are_whole_and_which_have_a_hole(
    mediamirror: Command, server: S3Endpoint, site: Site, run: Runner, prefix: str
) -> None:
    words = ("fixtures/seed/news-by.txt", "fixtures/demo/clock-tower.txt", "--to", f"s3://{BUCKET}/{prefix}")
    words = ("mirror", *words, "--endpoint-url", server.url, *site.arguments())
    mediamirror(*words, **server.environment())
    rows = manifest(run, prefix)
    sets = sorted(
        (r["status"], len(r["objects"]), [m["reason"] for m in r["missing"]]) for r in rows if r["type"] == "set"
    )
    assert sets == [("partial", 3, ["MM301"]), ("whole", 4, [])]
    assert {r["key"] for r in rows if r["type"] == "object"} == set(run.held(prefix))
    mediamirror(*words, **server.environment())
    assert manifest(run, prefix) == rows


def test_where_no_sets_are_wanted_in_the_manifest_it_tells_of_objects_alone(
    mediamirror: Command, server: S3Endpoint, site: Site, run: Runner, prefix: str
) -> None:
    words = ("mirror", "fixtures/seed/news-by.txt", "--to", f"s3://{BUCKET}/{prefix}", "--no-atomic-sets")
    mediamirror(*words, "--endpoint-url", server.url, *site.arguments(), **server.environment())
    assert [row["type"] for row in manifest(run, prefix)] == ["object"] * 4


def test_another_machine_learns_from_the_manifest_and_reads_only_its_own_files(
    run: Runner, src: Path, prefix: str, tmp_path: Path
) -> None:
    run("sync", str(src), f"s3://{BUCKET}/{prefix}")
    code, rows, _ = run("check", str(src), f"s3://{BUCKET}/{prefix}", "--catalog", str(tmp_path / "elsewhere.sqlite"))
    assert (code, rows[-1]["bytes_in"]) == (0, sum(map(len, files(src).values())))


def test_objects_of_keys_that_no_store_of_ours_takes_are_named_and_keep_deletions_back(
    run: Runner, prefix: str
) -> None:
    for key in ("from/ok.webp", "from/bell\x07.webp", "from/folder/", "to/extra.webp", "to/ok.webp"):
        run.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"" if key.endswith("/") else b"bytes")
    pair = (f"s3://{BUCKET}/{prefix}/from", f"s3://{BUCKET}/{prefix}/to")
    code, rows, _ = run("check", *pair, "--one-way")
    said = [row["message"] for row in rows if row["type"] == "problem"]
    assert (code, said) == (
        1,
        ["bell\x07.webp is left out: it holds a control character."],
    )
    assert rows[-1]["statuses"] == {"same": 1, "left out": 1}
    code, rows, _ = run("sync", *pair, "--delete")
    assert rows[-1]["statuses"]["left out"] == 1
    assert (code, set(run.held(f"{prefix}/to"))) == (1, {"extra.webp", "ok.webp"})
    assert {row["code"] for row in rows if row["type"] == "problem"} == {"left-out", "deletions-kept"}


def test_the_same_bucket_reached_by_the_environment_and_by_an_option_is_one_place(
    mediamirror: Command, server: S3Endpoint, prefix: str
) -> None:
    words = ("sync", f"s3://{BUCKET}/{prefix}", f"s3://{BUCKET}/{prefix}/in", "--source-endpoint-url", server.url + "/")
    done = mediamirror(*words, **server.environment())
    assert (done.returncode, "DEST lies inside SRC" in done.stderr) == (2, True), done.stderr


def test_with_delete_a_file_gives_way_to_a_directory_of_its_name_and_the_other_way_round(
    mediamirror: Command, tmp_path: Path
) -> None:
    source, to = tmp_path / "source", tmp_path / "to"
    for root, names in ((source, ("a.txt/b/c", "d", "keep")), (to, ("a.txt", "d/1", "d/e/2", "gone"))):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
    (to / "keep").write_text("keep")
    without = mediamirror("sync", str(source), str(to), "--format", "jsonl")
    assert (without.returncode, (to / "a.txt").is_file()) == (1, True)
    assert '"name-taken"' in without.stdout
    done = mediamirror("sync", "--delete", str(source), str(to), "--format", "jsonl")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["statuses"] == {"copied": 2, "deleted": 4, "skipped": 1}
    found = {str(path.relative_to(to)) for path in to.rglob("*") if path.is_file()}
    assert found == {"a.txt/b/c", "d", "keep"}


def test_where_something_failed_nothing_in_the_way_is_deleted(mediamirror: Command, tmp_path: Path) -> None:
    source, to = tmp_path / "source", tmp_path / "to"
    (source / "a").mkdir(parents=True)
    (source / "a" / "b").write_text("new")
    (source / "keep").write_text("keep")
    to.mkdir()
    (to / "a").write_text("old")
    (to / "keep").write_text("keep")
    (source / "bad\\name").write_text("no key may be called so")
    done = mediamirror("sync", "--delete", str(source), str(to), "--format", "jsonl")
    assert done.returncode == 1
    assert (to / "a").read_text() == "old"
    assert "deletions-kept" in done.stdout
    assert '"name-taken"' in done.stdout

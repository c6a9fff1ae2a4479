"""``mirror --keep-svg``: drawings are kept as they came, not looked into, and a bucket gives them out as attachments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.site import Resource, Site, running_site

Command = Callable[..., CompletedProcess[str]]
HOST = "drawings.example"
SCRIPTED = (
    b'<?xml version="1.0"?>\n<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("//10.0.0.1/")</script><text>&x;</text></svg>'
)
PLAIN = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
XHTML = b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body>' + PLAIN + b"</body></html>"
SVG = "image/svg+xml"
SITE = [
    Resource(HOST, "/scripted.svg", SCRIPTED, SVG),
    Resource(HOST, "/odd-label.svg", PLAIN, "text/plain"),
    Resource(HOST, "/drawn", PLAIN, SVG),
    Resource(HOST, "/photo.webp", make_image(60, 40, "webp"), "image/webp"),
    Resource(HOST, "/page.svg", XHTML, SVG),
    Resource(HOST, "/not-a-photo.png", PLAIN, "image/png"),
]
DRAWINGS = {"scripted.svg": SCRIPTED, "odd-label.svg": PLAIN, "drawn": PLAIN}
REFUSED = {"page.svg", "not-a-photo.png"}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("drawings"), SITE) as site:
        yield site


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_moto(tmp_path_factory.mktemp("moto")) as endpoint:
        endpoint.create_bucket("media")
        endpoint.create_bucket("copy")
        yield endpoint


@pytest.fixture
def run(mediamirror: Command, drawings: Site, tmp_path: Path) -> Command:
    drawings.reset_requests()
    urls = tmp_path / "urls.txt"
    urls.write_text("".join(f"https://{HOST}{resource.path}\n" for resource in SITE))

    def mirror(*words: str, **extra: str) -> CompletedProcess[str]:
        where = () if "--to" in words else ("--to", str(tmp_path / "m"))
        command = ("mirror", str(urls), "--as", "urls", *where, "--format", "jsonl", *drawings.arguments(), *words)
        return mediamirror(*command, **extra)

    return mirror


def rows(done: CompletedProcess[str], kind: str = "variant") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    return [row for row in found if row["type"] == kind]


def by_name(done: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {row["url"].rpartition("/")[2]: row for row in rows(done)}


def kept(folder: Path) -> dict[str, bytes]:
    host = folder / HOST
    return {path.name.partition("~")[0]: path.read_bytes() for path in host.iterdir()} if host.is_dir() else {}


def test_without_the_option_a_drawing_is_refused(run: Command, tmp_path: Path) -> None:
    told = by_name(run())
    assert {name for name, row in told.items() if row["status"] == "rejected"} == {*DRAWINGS, *REFUSED}
    assert {row["error"]["code"] for row in told.values() if row["error"]} == {"MM307"}
    assert set(kept(tmp_path / "m")) == {"photo.webp"}


def test_promised_drawings_are_kept_byte_for_byte_and_nothing_else_passes_for_one(run: Command, tmp_path: Path) -> None:
    done = run("--keep-svg")
    told = by_name(done)
    assert {name: data for name, data in kept(tmp_path / "m").items() if name != "photo.webp"} == DRAWINGS
    assert {name for name, row in told.items() if row["status"] == "rejected"} == REFUSED
    assert {(told[name]["format"], told[name]["width"]) for name in DRAWINGS} == {("svg", None)}
    assert [
        (row["rule"], row["url"].rpartition("/")[2]) for row in rows(done, "finding") if row["rule"] != "MM307"
    ] == [("MM201", "odd-label.svg")]


def test_a_second_run_fetches_no_drawing_again_and_one_without_the_option_keeps_what_is_there(
    run: Command, drawings: Site, tmp_path: Path
) -> None:
    run("--keep-svg", "--min-width", "10")
    drawings.reset_requests()
    again = by_name(run("--keep-svg", "--min-width", "10"))
    assert {again[name]["status"] for name in DRAWINGS} == {"unchanged"}
    assert not {request.path for request in drawings.bodies()} & {f"/{name}" for name in DRAWINGS}
    without = by_name(run())
    assert {without[name]["status"] for name in DRAWINGS} == {"rejected"}
    assert kept(tmp_path / "m").keys() >= DRAWINGS.keys()


def test_a_bucket_gives_drawings_out_as_attachments_and_sync_keeps_them_so(
    run: Command, mediamirror: Command, bucket: S3Endpoint
) -> None:
    where = ("--to", "s3://media/kept", "--endpoint-url", bucket.url)
    run("--keep-svg", *where, **bucket.environment())
    copied = mediamirror(
        "sync", "s3://media/kept", "s3://copy/kept", "--endpoint-url", bucket.url, **bucket.environment()
    )
    assert copied.returncode == 0, copied.stderr
    client = bucket.client()
    for name in ("media", "copy"):
        served = {
            each["Key"].rpartition("/")[2].partition("~")[0]: client.head_object(Bucket=name, Key=each["Key"])
            for each in client.list_objects_v2(Bucket=name, Prefix=f"kept/{HOST}/")["Contents"]
        }
        assert {key: (head["ContentType"], head.get("ContentDisposition")) for key, head in served.items()} == {
            **dict.fromkeys(DRAWINGS, (SVG, "attachment")),
            "photo.webp": ("image/webp", None),
        }


def test_a_drawing_that_is_repaired_is_an_attachment_again(
    run: Command, mediamirror: Command, drawings: Site, bucket: S3Endpoint
) -> None:
    where = ("--endpoint-url", bucket.url)
    run("--keep-svg", "--to", "s3://media/mended", *where, **bucket.environment())
    client = bucket.client()
    lost, mislabelled = f"mended/{HOST}/scripted.svg", f"mended/{HOST}/odd-label.svg"
    client.delete_object(Bucket="media", Key=lost)
    client.put_object(Bucket="media", Key=mislabelled, Body=PLAIN, ContentType="text/plain")
    words = ("verify", "--mirror", "s3://media/mended", "--repair", *where, *drawings.arguments())
    assert mediamirror(*words, **bucket.environment()).returncode == 0
    for key in (lost, mislabelled):
        head = client.head_object(Bucket="media", Key=key)
        assert (head["ContentType"], head.get("ContentDisposition")) == (SVG, "attachment")


def test_the_mirror_is_verified_reported_and_rebuilt_with_its_drawings(
    run: Command, mediamirror: Command, tmp_path: Path
) -> None:
    mirror, catalog = tmp_path / "m", tmp_path / "c.db"
    run("--keep-svg", "--strip-metadata", "--catalog", str(catalog))
    sound = mediamirror("verify", "--mirror", str(mirror), "--catalog", str(catalog), "--format", "jsonl")
    assert (sound.returncode, rows(sound, "finding")) == (0, [])
    report = mediamirror("report", str(mirror), "--catalog", str(catalog), "--output", str(tmp_path / "report"))
    assert report.returncode == 0, report.stderr
    assert not [
        path for path in (tmp_path / "report").rglob("*") if path.suffix == ".svg" or b"<script>fetch" in _read(path)
    ]
    shown = mediamirror("catalog", "show", f"https://{HOST}/scripted.svg", "--catalog", str(catalog))
    assert "svg, " in shown.stdout
    assert "stored unchanged" in shown.stdout
    rebuilt = mediamirror("catalog", "rebuild", str(mirror), "--catalog", str(tmp_path / "new.db"))
    assert rebuilt.returncode == 0, rebuilt.stderr
    again = by_name(run("--keep-svg", "--strip-metadata", "--catalog", str(tmp_path / "new.db")))
    assert {again[name]["status"] for name in DRAWINGS} == {"unchanged"}
    (mirror / HOST / "scripted.svg").write_bytes(SCRIPTED.replace(b"fetch", b"Fetch"))
    broken = mediamirror("verify", "--mirror", str(mirror), "--catalog", str(catalog), "--format", "jsonl")
    assert (broken.returncode, [row["rule"] for row in rows(broken, "finding")]) == (1, ["MM502"])


def test_in_the_hash_layout_a_drawing_has_its_extension(run: Command, tmp_path: Path) -> None:
    run("--keep-svg", "--layout", "hash")
    names = [path.name for path in (tmp_path / "m" / "sha256").rglob("*.svg")]
    assert len(names) == len(set(DRAWINGS.values()))


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""

"""``mediamirror report``: what is mirrored, shown with pictures made from the stored bytes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.hostile.pictures import blank_webp
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Resource, Site, running_site

Command = Callable[..., CompletedProcess[str]]
SEED = "fixtures/seed/news-by.txt"
LIAR = "fixtures/demo/clock-tower.txt"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


@pytest.fixture
def mirrored(mediamirror: Command, site: Site, tmp_path: Path) -> Path:
    folder = tmp_path / "m"
    done = mediamirror("mirror", SEED, LIAR, "--to", str(folder), *site.arguments())
    assert len(list(folder.rglob("*.webp"))) > 4, done.stdout + done.stderr
    site.reset_requests()
    return folder


def shown(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def frames(page: str) -> list[str]:
    return re.findall(r"thumbs/[0-9a-f]{24}\.\w+", page)


def test_a_mirrored_directory_is_shown_with_pictures_widths_and_findings_and_no_request(
    mediamirror: Command, site: Site, mirrored: Path, tmp_path: Path
) -> None:
    done = mediamirror("report", str(mirrored), "-o", str(tmp_path / "r"))
    page = shown(tmp_path / "r")
    stored = list(mirrored.rglob("*.webp"))
    assert done.returncode == 0, done.stderr
    assert len(set(frames(page))) == len(stored)
    assert all(word in page for word in ("480w", "1,920 × 1,080", "MM301", "MM504", "1 of 2 images"))
    assert site.bodies() == []


def test_a_changed_a_missing_and_an_undecodable_object_are_told_and_exit_1(
    mediamirror: Command, mirrored: Path, tmp_path: Path
) -> None:
    first, second, *_ = sorted(mirrored.rglob("*_[47]*.webp"))
    first.write_bytes(first.read_bytes()[:2000])
    second.unlink()
    done = mediamirror("report", str(mirrored), "-o", str(tmp_path / "r"))
    page = shown(tmp_path / "r")
    assert (done.returncode, "MM501" in page, "MM502" in page) == (1, True, True), done.stderr
    assert len(set(frames(page))) == len(list(mirrored.rglob("*.webp"))) - 1


def test_a_catalog_alone_says_which_bucket_it_is_about(
    mediamirror: Command, site: Site, bucket: S3Endpoint, tmp_path: Path
) -> None:
    catalog = str(tmp_path / "c.sqlite")
    words = ("mirror", SEED, "--to", "s3://media/news", "--endpoint-url", bucket.url, "--catalog", catalog)
    mirrored = mediamirror(*words, *site.arguments(), **bucket.environment())
    assert mirrored.returncode == 0, mirrored.stdout + mirrored.stderr
    done = mediamirror("report", "--catalog", catalog, "-o", str(tmp_path / "r"), **bucket.environment())
    assert (done.returncode, len(set(frames(shown(tmp_path / "r"))))) == (0, 4), done.stderr


def test_without_thumbnails_the_catalog_is_enough(mediamirror: Command, mirrored: Path, tmp_path: Path) -> None:
    shutil.rmtree(mirrored)
    done = mediamirror("report", str(mirrored), "-o", str(tmp_path / "r"), "--no-thumbnails")
    page = shown(tmp_path / "r")
    assert (done.returncode, frames(page), "1,920 × 1,080" in page) == (0, [], True), done.stderr


def test_what_is_not_there_or_not_writable_is_a_sentence_and_exit_2(
    mediamirror: Command, mirrored: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    out = str(tmp_path / "r")
    cases = {
        ("report", "-o", out): "needs a DEST, or --catalog FILE",
        ("report", "--catalog", str(tmp_path / "none.sqlite"), "-o", out): "does not exist",
        ("report", str(tmp_path / "nowhere"), "-o", out): "nowhere",
        ("report", str(tmp_path / "other"), "-o", out): "Nothing is recorded of",
        ("report", str(mirrored), "-o", str(tmp_path / "file")): "can't be written to",
        ("report", "--catalog", str(tmp_path / "file"), "-o", out): "is damaged",
    }
    for words, sentence in cases.items():
        done = mediamirror(*words)
        assert (done.returncode, sentence in done.stderr, len(done.stderr.splitlines())) == (2, True, 1), done.stderr
    assert not (tmp_path / "r").exists()


def test_a_set_left_out_on_purpose_is_no_partial_set(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    mirror = str(tmp_path / "m")
    mediamirror("mirror", SEED, "--to", mirror, "--rungs", "480,768", *site.arguments())
    assert mediamirror("report", mirror, "-o", str(tmp_path / "r")).returncode == 0
    assert "MM504" not in shown(tmp_path / "r")


def test_an_image_that_was_taken_in_under_a_higher_limit_has_no_picture_and_is_no_fault(
    mediamirror: Command, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    large = Resource("img.example", "/large.webp", blank_webp(7_000), "image/webp", width=7_000)
    with running_site(tmp_path / "site", [large]) as site:
        page = tmp_path / "page.html"
        page.write_text(f'<img src="{large.url}">')
        mirror = ("mirror", str(page), "--to", str(tmp_path / "m"), *site.arguments())
        refused = mediamirror(*mirror)
        assert (refused.returncode, "--max-decode-memory" in refused.stdout + refused.stderr) == (1, True)
        assert mediamirror(*mirror, "--check", "header", "--retry-failed").returncode == 0
    done = mediamirror("report", str(tmp_path / "m"), "-o", str(tmp_path / "r"))
    assert (done.returncode, frames(shown(tmp_path / "r"))) == (0, []), done.stderr

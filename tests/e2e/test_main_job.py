"""The main job, run as people run it, against a real site over TLS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from fixtures.site import LYING_WIDTH, MEDIA_HOST, NEWS_HOST, Resource, Site
from fixtures.site.contents import clock_tower, harvest, seed_variants

Command = Callable[..., CompletedProcess[str]]

SEED = "fixtures/seed/news-by.txt"
LIAR = "fixtures/demo/clock-tower.txt"
DEFECTS = "fixtures/demo/defects.txt"


def stored(directory: Path) -> dict[str, str]:
    files = [path for path in directory.rglob("*") if path.is_file() and "_mediamirror" not in path.parts]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def served(resources: list[Resource]) -> dict[str, str]:
    return {r.host + r.path: r.sha256 for r in resources}


def variants(done: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["url"].rsplit("/", 1)[1]: row for row in rows if row["type"] == "variant"}


def test_the_seed_becomes_four_files_equal_to_what_is_served(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    done = mediamirror("mirror", SEED, "--to", str(tmp_path / "m"), *site.arguments())
    assert (done.returncode, stored(tmp_path / "m")) == (0, served(seed_variants())), done.stderr


def test_a_second_run_gets_no_body_and_writes_no_file(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    command = ("mirror", SEED, "--to", str(tmp_path / "m"), *site.arguments())
    mediamirror(*command)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.webp")}
    site.reset_requests()
    again = mediamirror(*command, "--format", "jsonl")
    assert (again.returncode, len(site.bodies())) == (0, 0), again.stderr
    assert {row["status"] for row in variants(again).values()} == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.webp")} == before


def test_the_variant_that_lies_is_rejected_and_the_others_are_stored(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    done = mediamirror("mirror", LIAR, "--to", str(tmp_path / "m"), "--format", "jsonl", *site.arguments())
    liar = variants(done)["clock-tower-lg-___webp_1280.webp"]
    assert (done.returncode, liar["status"], liar["width"]) == (1, "rejected", LYING_WIDTH), done.stderr
    assert stored(tmp_path / "m") == served([r for r in clock_tower() if "1280" not in r.path])


def test_each_defect_of_the_site_ends_in_its_own_status(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    done = mediamirror("mirror", DEFECTS, "--to", str(tmp_path / "m"), "--format", "jsonl", *site.arguments())
    assert done.returncode == 1
    assert {name: row["status"] for name, row in variants(done).items()} == {
        "truncated_480.webp": "rejected",
        "cut_480.webp": "failed",
        "page_480.webp": "rejected",
        "page-as-image_480.webp": "rejected",
        "empty_480.webp": "failed",
        "missing_480.webp": "failed",
        "png_480.jpg": "stored",
        "flaky_480.webp": "stored",
        "slow_480.webp": "stored",
    }
    assert set(stored(tmp_path / "m")) == {
        f"{MEDIA_HOST}/defects/{name}" for name in ("png_480.jpg", "flaky_480.webp", "slow_480.webp")
    }


def test_a_page_is_read_from_its_url_and_all_its_images_are_stored(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    page = f"https://{NEWS_HOST}/articles/harvest.html"
    done = mediamirror("mirror", page, "--to", str(tmp_path / "m"), *site.arguments())
    assert (done.returncode, stored(tmp_path / "m")) == (0, served(harvest())), done.stderr


def test_a_dry_run_asks_for_no_image_and_writes_nothing(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    done = mediamirror("mirror", SEED, "--to", str(tmp_path / "m"), "-n", *site.arguments())
    assert (done.returncode, site.requests(), (tmp_path / "m").exists()) == (0, [], False), done.stderr

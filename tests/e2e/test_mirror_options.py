"""What the options of ``mirror`` promise, against a real site over TLS and a real bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Resource, Site, running_site
from fixtures.site.contents import NEWS_HOST, seed_variants

Command = Callable[..., CompletedProcess[str]]
SEED = "fixtures/seed/news-by.txt"
LIAR = "fixtures/demo/clock-tower.txt"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


def rows(done: CompletedProcess[str], kind: str = "variant") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    assert found[-1]["type"] == "summary", done.stderr
    return [row for row in found if row["type"] == kind]


def by_width(done: CompletedProcess[str]) -> dict[int, str]:
    return {row["declared_width"][0]: row["status"] for row in rows(done)}


def files(directory: Path) -> list[str]:
    found = [p for p in directory.rglob("*") if p.is_file() and "_mediamirror" not in p.parts]
    return sorted(str(p.relative_to(directory)) for p in found)


@pytest.fixture
def run(mediamirror: Command, site: Site, tmp_path: Path) -> Command:
    def mirror(document: str, *words: str, **extra: str) -> CompletedProcess[str]:
        where = () if "--to" in words else ("--to", str(tmp_path / "m"))
        return mediamirror("mirror", document, *where, "--format", "jsonl", *site.arguments(), *words, **extra)

    return mirror


def test_largest_fetches_one_and_lists_the_others_as_skipped(run: Command, site: Site) -> None:
    done = run(SEED, "--rungs", "largest")
    assert by_width(done) == {480: "skipped", 768: "skipped", 1280: "skipped", 1920: "stored"}
    assert len(site.bodies()) == 1


def test_a_list_of_rungs_and_a_least_width_are_kept_to(run: Command) -> None:
    done = run(SEED, "--rungs", "480,1280", "--min-width", "500")
    assert by_width(done) == {480: "skipped", 768: "skipped", 1280: "stored", 1920: "skipped"}


def test_a_least_width_goes_by_the_widths_in_addresses_and_asks_for_no_narrower_one(
    run: Command, tmp_path: Path, site: Site
) -> None:
    urls = tmp_path / "list.txt"
    urls.write_text("\n".join(r.url for r in seed_variants()))
    done = run(str(urls), "--as", "urls", "--min-width", "1000")
    assert {row["url"].rpartition("_")[2]: row["status"] for row in rows(done)} == {
        "480.webp": "skipped",
        "768.webp": "skipped",
        "1280.webp": "stored",
        "1920.webp": "stored",
    }
    assert (len(site.bodies()), len(files(tmp_path / "m"))) == (2, 2)


def test_what_was_too_small_is_not_fetched_again(run: Command, tmp_path: Path, site: Site) -> None:
    urls = tmp_path / "list.txt"
    urls.write_text("\n".join(r.url for r in seed_variants()))
    words = (str(urls), "--as", "urls", "--min-width", "1000")
    first = {row["url"]: row["status"] for row in rows(run(*words))}
    site.reset_requests()
    again = {row["url"]: row["status"] for row in rows(run(*words))}
    assert site.bodies() == []
    assert again == {url: status.replace("stored", "unchanged") for url, status in first.items()}


def test_fresh_for_asks_the_origin_nothing(run: Command, site: Site) -> None:
    run(SEED)
    site.reset_requests()
    done = run(SEED, "--fresh-for", "24h")
    assert (set(by_width(done).values()), site.requests()) == ({"unchanged"}, [])
    key, sha256 = rows(done)[0]["key"], rows(done)[0]["sha256"]
    assert key.endswith(".webp")
    assert len(sha256) == 64


def test_an_object_that_was_lost_is_fetched_again(run: Command, tmp_path: Path, site: Site) -> None:
    run(SEED)
    lost = next((tmp_path / "m").rglob("*_768.webp"))
    lost.unlink()
    site.reset_requests()
    done = run(SEED, "--fresh-for", "24h")
    assert by_width(done) == {480: "unchanged", 768: "stored", 1280: "unchanged", 1920: "unchanged"}
    assert lost.exists()
    assert len(site.bodies()) == 1


def test_a_file_that_was_changed_behind_our_back_is_put_right(run: Command, tmp_path: Path) -> None:
    run(SEED)
    changed = next((tmp_path / "m").rglob("*_768.webp"))
    good = changed.read_bytes()
    changed.write_bytes(good[:-1] + b"!")
    assert by_width(run(SEED))[768] == "stored"
    assert changed.read_bytes() == good


def test_without_a_catalog_what_the_directory_holds_is_adopted(run: Command, tmp_path: Path) -> None:
    run(SEED)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.webp")}
    done = run(SEED, "--catalog", str(tmp_path / "other.sqlite"))
    assert set(by_width(done).values()) == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.webp")} == before


def test_a_rejected_variant_is_not_fetched_again_and_is_still_rejected(run: Command, site: Site) -> None:
    run(LIAR)
    site.reset_requests()
    again = run(LIAR)
    assert (again.returncode, by_width(again)[1280], site.bodies()) == (1, "rejected", [])
    findings = {(row["rule"], row["declared"], row["actual"]) for row in rows(again, "finding")}
    assert len(findings) == 2
    assert {finding[0] for finding in findings} == {"MM301", "MM302"}


def test_keep_rejected_stores_it_with_its_findings(run: Command, tmp_path: Path) -> None:
    run(LIAR)
    done = run(LIAR, "--keep-rejected")
    kept = next(row for row in rows(done) if row["declared_width"] == [1280])
    assert (kept["status"], kept["findings"], kept["error"]) == ("stored", ["MM301", "MM302"], None)
    assert done.returncode == 1
    assert (tmp_path / "m" / kept["key"]).is_file()


def test_a_tolerance_in_per_cent_lets_it_pass(run: Command) -> None:
    done = run(LIAR, "--tolerance", "30%")
    assert (done.returncode, by_width(done)[1280]) == (0, "stored")


def test_the_header_check_finds_the_liar_too_and_knows_no_frames(run: Command) -> None:
    assert by_width(run(LIAR, "--check", "header"))[1280] == "rejected"


def test_the_hash_layout_stores_equal_bytes_once(mediamirror: Command, tmp_path: Path) -> None:
    body = make_image(64, 48, "png")
    twins = [Resource("h.example", f"/{name}.png", body, "image/png") for name in ("a", "b", "c")]
    urls = tmp_path / "list.txt"
    urls.write_text("\n".join(r.url for r in twins))
    (tmp_path / "site").mkdir()
    with running_site(tmp_path / "site", twins) as site:
        done = mediamirror(
            "mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--layout", "hash",
            "--format", "jsonl", *site.arguments(),
        )  # fmt: skip
    assert sorted(row["status"] for row in rows(done)) == ["duplicate", "duplicate", "stored"]
    digest = twins[0].sha256
    assert files(tmp_path / "m") == [f"sha256/{digest[:2]}/{digest[2:4]}/{digest}.png"]


def test_the_named_layout_tells_the_rungs_of_a_picture_apart_and_a_second_run_changes_nothing(
    mediamirror: Command, tmp_path: Path
) -> None:
    urls = tmp_path / "list.txt"
    urls.write_text("\n".join(f"https://h.example/up/boat-1600x900.png?w={w}" for w in (64, 96)))
    rungs = [
        Resource("h.example", f"/up/boat-1600x900.png?w={w}", make_image(w, 48, "png"), "image/png") for w in (64, 96)
    ]
    (tmp_path / "site").mkdir()
    with running_site(tmp_path / "site", rungs) as site:
        words = (
            "mirror",
            str(urls),
            "--as",
            "urls",
            "--to",
            str(tmp_path / "m"),
            "--layout",
            "named",
            "--format",
            "jsonl",
        )
        first = mediamirror(*words, *site.arguments())
        second = mediamirror(*words, *site.arguments())
    assert [row["status"] for row in rows(first)] == ["stored", "stored"], first.stderr
    assert [row["status"] for row in rows(second)] == ["unchanged", "unchanged"]
    names = [re.sub("~[0-9a-f]{10}", "", name) for name in files(tmp_path / "m")]
    assert names == ["h.example/up/boat-w64.png", "h.example/up/boat-w96.png"]


def test_objects_in_a_bucket_carry_type_hash_source_and_what_was_asked_for(run: Command, bucket: S3Endpoint) -> None:
    done = run(
        SEED, "--to", "s3://media/options", "--endpoint-url", bucket.url,
        "--cache-control", "max-age=60", "--metadata", "team=web", **bucket.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    row = next(row for row in rows(done) if row["declared_width"] == [768])
    head = bucket.client().head_object(Bucket="media", Key=f"options/{row['key']}")
    assert (head["ContentType"], head["CacheControl"]) == ("image/webp", "max-age=60")
    assert head["Metadata"] == {
        "sha256": row["sha256"],
        "source-url": row["url"],
        "width": "768",
        "height": "432",
        "team": "web",
    }


def test_a_bucket_without_catalog_row_is_adopted_by_its_recorded_hash(
    run: Command, bucket: S3Endpoint, tmp_path: Path
) -> None:
    words = ("--to", "s3://media/adopt", "--endpoint-url", bucket.url)
    run(SEED, *words, **bucket.environment())
    before = bucket.client().list_objects_v2(Bucket="media", Prefix="adopt/")["Contents"]
    done = run(SEED, *words, "--catalog", str(tmp_path / "new.sqlite"), **bucket.environment())
    assert set(by_width(done).values()) == {"unchanged"}
    after = bucket.client().list_objects_v2(Bucket="media", Prefix="adopt/")["Contents"]
    assert [o["LastModified"] for o in after] == [o["LastModified"] for o in before]


def test_include_and_exclude_choose_by_url(run: Command) -> None:
    done = run(SEED, "--include", "*webp_*8*", "--exclude", "*_1280*")
    assert by_width(done) == {480: "stored", 768: "stored", 1280: "skipped", 1920: "skipped"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--include", "*.jpg"), "all 4 variants are left out by --include *.jpg."),
        (("--rungs", "99", "--min-width", "640"), "all 4 variants are left out by --rungs 99 and --min-width 640."),
    ],
)
def test_what_the_users_own_options_leave_out_is_no_failure_and_is_said(
    run: Command, words: tuple[str, ...], why: str
) -> None:
    done = run(SEED, *words)
    assert (done.returncode, {row["status"] for row in rows(done)}) == (0, {"skipped"})
    assert [row["message"] for row in rows(done, "problem") if row["code"] == "nothing-wanted"] == [
        f"Nothing was stored: {why}"
    ]
    table = run(SEED, *words, "--format", "table")
    assert f"nothing-wanted: Nothing was stored: {why}" in table.stderr


def test_images_that_robots_txt_closes_are_failures(run: Command, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f'<img src="https://{NEWS_HOST}/drafts/a.webp" alt="A">')
    done = run(str(tmp_path / "page.html"))
    assert (done.returncode, [row["status"] for row in rows(done)]) == (1, ["failed"])
    assert [row["error"]["code"] for row in rows(done)] == ["robots-refused"]


def test_options_can_stand_in_the_environment_and_in_the_file(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    (tmp_path / "mediamirror.toml").write_text('rungs = "480"\nformat = "jsonl"\n')
    document = (Path(__file__).parents[2] / SEED).resolve()
    words = ("mirror", str(document), "--to", str(tmp_path / "m"), *site.arguments())
    assert by_width(mediamirror(*words, cwd=tmp_path))[480] == "stored"
    again = mediamirror(*words, cwd=tmp_path, MEDIAMIRROR_RUNGS="768")
    assert by_width(again) == {480: "skipped", 768: "stored", 1280: "skipped", 1920: "skipped"}


def test_the_catalog_belongs_to_the_place_and_not_to_its_spelling(run: Command, tmp_path: Path, site: Site) -> None:
    run(SEED)
    site.reset_requests()
    crooked = f"{tmp_path}/state/../m"
    assert set(by_width(run(SEED, "--to", crooked)).values()) == {"unchanged"}
    assert site.bodies() == []


def test_past_a_thousand_sets_only_trouble_and_totals_are_printed(mediamirror: Command, tmp_path: Path) -> None:
    body = make_image(16, 12, "png")
    served = [Resource("h.example", f"/{number}.png", body, "image/png") for number in range(1001)]
    urls = tmp_path / "list.txt"
    urls.write_text("\n".join([*(r.url for r in served), "https://h.example/gone.png"]))
    (tmp_path / "site").mkdir()
    with running_site(tmp_path / "site", served) as site:
        words = ("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--check", "header")
        done = mediamirror(*words, *site.arguments())
    said = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line for line in said if "list.txt" in line] == [f"{urls}:1002"]
    assert any("404" in line for line in said)
    assert said[-1].startswith("1,002 image sets, 1,002 variants: 1,001 stored, 1 failed")

"""`rewrite --fix` after a mirror of a server that never enlarges, and of pages whose descriptors are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.images import make_image
from fixtures.site import Resource, running_site
from mediamirror.markup.extract import extract_document

Command = Callable[..., CompletedProcess[str]]
HOST = "img.origin.example"
ORIGIN = f"https://{HOST}"
PUBLIC = "https://media.example.org/"
REAL = 400
LADDER = (160, 320, 640, 1200, 3840)

CAPPED = ", ".join(f"{ORIGIN}/boat-at-{width}?w={width} {width}w" for width in LADDER)
PAGE = f"""<!DOCTYPE html>
<!-- nothing here is touched: <img src="{ORIGIN}/x"> -->
<img sizes="100vw" alt="a > b, &amp; more"
  srcset="{CAPPED}" src="{ORIGIN}/boat-at-3840?w=3840">
<img alt=logo class='wide' src="{ORIGIN}/logo">
<img alt="sized" width=10 src="{ORIGIN}/logo">
<img alt="has 'width=' in its text" data-width="3" src={ORIGIN}/logo>
"""


def served() -> list[Resource]:
    rungs = [
        Resource(HOST, f"/boat-at-{width}?w={width}", make_image(min(width, REAL), 225, "webp"), "image/webp") for width in LADDER
    ]  # fmt: skip
    return [*rungs, Resource(HOST, "/logo", make_image(90, 60, "png"), "image/png")]


@pytest.fixture
def site(mediamirror: Command, tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A page that was mirrored, and the words that name the mirror."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(PAGE)
    (tmp_path / "site" / "wide.html").write_bytes(
        b"\xff\xfe" + PAGE.replace("logo class", "😀 class").encode("utf-16-le")
    )
    (tmp_path / "origin").mkdir()
    with running_site(tmp_path / "origin", served()) as origin:
        done = mediamirror(
            "mirror", str(tmp_path / "site"), "--to", str(tmp_path / "kept"), "--catalog", str(tmp_path / "c.sqlite"),
            "--quiet", *origin.arguments(),
        )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr  # what claims more than there is stays refused
    return tmp_path / "site", ("--catalog", str(tmp_path / "c.sqlite"), "--public-url", PUBLIC)


def candidates(data: bytes) -> list[tuple[str, int | None]]:
    found = extract_document(data, base_url="https://www.origin.example/", document="index.html", merge=False).sets
    return [(c.url, c.width) for each in found for source in each.sources for c in source.candidates]


@pytest.mark.parametrize("name", ["index.html", "wide.html"])
def test_a_ladder_ends_at_the_widest_file_and_then_moves_whole(
    mediamirror: Command, site: tuple[Path, tuple[str, ...]], tmp_path: Path, name: str
) -> None:
    done = mediamirror("rewrite", str(site[0]), "--to", str(tmp_path / "out"), "--fix", *site[1])
    after = (tmp_path / "out" / name).read_bytes()
    found = candidates(after)
    assert [width for _, width in found] == [160, 320, REAL], done.stdout + done.stderr
    assert all(url.startswith(PUBLIC) for url, _ in found), done.stderr
    assert f'src="{found[-1][0]}"'.encode("utf-16-le" if name == "wide.html" else "ascii") in after
    assert f"{name}:4: removed 2 of 5 candidates, of up to 3840w" in done.stderr
    assert f"{name}:4: changed 640w to 400w, the width of its file." in done.stderr


def test_an_img_without_dimensions_gets_those_of_its_file_and_no_other_does(
    mediamirror: Command, site: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    mediamirror("rewrite", str(site[0]), "--to", str(tmp_path / "out"), "--fix", *site[1])
    lines = (tmp_path / "out" / "index.html").read_text().splitlines()
    assert lines[4].startswith('<img width="90" height="60" alt=logo class=')
    assert lines[5].startswith('<img alt="sized" width=10 src=')
    assert lines[6].startswith('<img width="90" height="60" alt="has')
    assert lines[1] == PAGE.splitlines()[1]
    assert lines[2] == PAGE.splitlines()[2]
    wide = (tmp_path / "out" / "wide.html").read_bytes()[2:].decode("utf-16-le")
    assert '<img width="90" height="60" alt=😀 class=' in wide


def test_a_second_run_changes_nothing_and_undo_brings_every_byte_back(
    mediamirror: Command, site: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    page, other = site[0] / "index.html", site[0] / "wide.html"
    before = page.read_bytes(), other.read_bytes()
    mediamirror("rewrite", str(site[0]), "--in-place", "--fix", *site[1])
    once = page.read_bytes(), other.read_bytes()
    mediamirror("rewrite", str(site[0]), "--in-place", "--fix", *site[1])
    twice = page.read_bytes(), other.read_bytes()
    mediamirror("rewrite", str(site[0]), "--undo")
    assert once != before
    assert twice == once
    assert (page.read_bytes(), other.read_bytes()) == before


def test_without_fix_the_ladder_stays_as_it_is(
    mediamirror: Command, site: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    done = mediamirror("rewrite", str(site[0]), "--to", str(tmp_path / "out"), *site[1])
    assert CAPPED in (tmp_path / "out" / "index.html").read_text()
    assert "it was rejected" in done.stderr


def test_fix_with_a_map_is_refused_since_a_map_knows_no_files(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text(f"{ORIGIN}/logo,{PUBLIC}logo.png\n")
    (tmp_path / "p.html").write_text(PAGE)
    done = mediamirror("rewrite", "p.html", "--stdout", "--fix", "--map", "map.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "give --mirror DEST instead" in done.stderr

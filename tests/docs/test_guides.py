"""The guides' commands run as they are printed, from the first to the last, and print what the guide shows.

A guide holds blocks: ```` ```sh ```` is run by a shell (``exit=1`` behind it is the code of its last command), a
```` ```text ```` block behind it is what was printed (``…`` stands for anything), and a block with ``file=NAME`` is
written down first. The world that a guide needs (a built site, two buckets, a web site) is real and made here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.guides import MEDIA_HOST, built_site, crawl, running_magazine
from fixtures.patience import PATIENCE
from fixtures.servers.seaweed import running_seaweed

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
World = dict[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, what stands behind the language, and its text."""

    language: str
    words: str
    text: str

    def word(self, name: str) -> str | None:
        """Return the value of ``NAME=VALUE`` behind the language."""
        found = re.search(rf"\b{name}=(\S+)", self.words)
        return found[1] if found else None


def blocks(guide: str) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall((GUIDES / guide).read_text(encoding="utf-8"))]


@pytest.fixture
def magazine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_magazine(tmp_path_factory.mktemp("magazine")) as site:
        yield {"MEDIAMIRROR_CONNECT_TO": " ".join(site.connect_to), "MEDIAMIRROR_CACERT": str(site.cacert)}


@pytest.fixture
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        server.create_bucket("media")
        server.create_bucket("media-new")
        yield server.environment()


def follow(guide: str, folder: Path, world: World) -> None:
    """Do what a guide says, block by block."""
    printed = ""
    for block in blocks(guide):
        if name := block.word("file"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text, encoding="utf-8")
        elif block.language == "sh" and "not-run" not in block.words:
            done = subprocess.run(
                ["bash", "-c", block.text],
                cwd=folder,
                env=_bare(folder) | world,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            printed = done.stdout
            assert done.returncode == int(block.word("exit") or 0), f"{block.text}\n{printed}"
        elif block.language == "text" and "not-shown" not in block.words:
            assert shown_in(block.text, printed), f"The guide shows:\n{block.text}\nPrinted was:\n{printed}"


def _bare(folder: Path) -> World:
    """Return this process's environment with the program in PATH, and nothing of the user's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    return kept | {"XDG_STATE_HOME": str(folder / ".state"), "COLUMNS": "100", "NO_COLOR": "1", "PATH": path}


def url_table(path: Path) -> None:
    """Write a Parquet file of captioned srcset strings, as a dataset's builder has them."""

    def srcset(n: int) -> str:
        return ", ".join(f"https://{MEDIA_HOST}/{n}/photo-{w}.webp {w}w" for w in (480, 768, 1280))

    rows = {"id": [1, 2, 3], "caption": [f"Photo {n}" for n in (1, 2, 3)], "srcset": [srcset(n) for n in (1, 2, 3)]}
    pq.write_table(pa.table(rows), path)


def shown_in(shown: str, printed: str) -> bool:
    """Whether each line that a guide shows is in what was printed, in its order; blanks count as one, ``…`` is anything."""
    at = 0
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in shown.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")))
        at = next((i + 1 for i in range(at, len(lines)) if pattern.fullmatch(lines[i])), -1)
        if at < 0:
            return False
    return True


def test_what_was_not_printed_is_noticed() -> None:
    assert shown_in("a  …z\nb", "x\na 1 z\nb")
    assert not shown_in("b\na", "a\nb")


def test_the_guide_for_continuous_integration_is_right_and_so_are_the_files_that_it_gives(tmp_path: Path) -> None:
    built_site(tmp_path / "dist")
    follow("ci.md", tmp_path, {})
    files = "\n".join(block.text for block in blocks("ci.md") if block.language == "yaml")
    commands = re.findall(r"(mediamirror verify .*)", files)
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, timeout=PATIENCE, check=False, env=_bare(tmp_path))
        assert done.returncode == 0, command
    assert (tmp_path / "images.sarif").stat().st_size
    assert (tmp_path / "images.xml").stat().st_size


def test_the_guide_for_moving_to_another_bucket_is_right(tmp_path: Path, magazine: World, buckets: World) -> None:
    follow("move.md", tmp_path, magazine | buckets)


def test_the_guide_for_a_nightly_archive_is_right(tmp_path: Path, magazine: World) -> None:
    crawl(tmp_path / "crawl.warc.gz")
    follow("archive.md", tmp_path, magazine)


def test_the_guide_for_a_dataset_is_right(tmp_path: Path, magazine: World) -> None:
    url_table(tmp_path / "photos.parquet")
    follow("dataset.md", tmp_path, magazine)


@pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
def test_every_link_of_a_guide_leads_somewhere(guide: str) -> None:
    text = _BLOCK.sub("", (GUIDES / guide).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (GUIDES / target).exists(), target

"""What a shared run leaves for programs that read tables, and for a catalog that was lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import duckdb
import pyarrow.dataset
import pyarrow.parquet
import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.many_hosts import ManyHosts, many_hosts
from mediamirror.jobs.mirror.results import COLUMNS

Command = Callable[..., CompletedProcess[str]]


class Mirrored(NamedTuple):
    """Where a mirror was made, and how that went."""

    folder: Path
    done: CompletedProcess[str]


PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


@pytest.fixture(scope="module")
def origin() -> Iterator[ManyHosts]:
    with many_hosts(40, 4) as running:
        yield running


@pytest.fixture(scope="module")
def mirrored(origin: ManyHosts, tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    """A shared run of every image, of one that is not there, and of one whose address is secret."""
    folder = tmp_path_factory.mktemp("mirrored")
    with origin.write_list(folder / "urls.txt").open("a") as file:
        file.write(f"\n{origin.urls[0]}?sig=abcdef0123456789abcdef0123456789\n{gone(origin)}\n")
    return Mirrored(folder, run(folder))


@pytest.fixture
def copied(mirrored: Mirrored, tmp_path: Path) -> Path:
    """A copy of the mirror alone, as on another machine, with the list that it was made from."""
    shutil.copytree(mirrored.folder / "mirror", tmp_path / "mirror")
    shutil.copy(mirrored.folder / "urls.txt", tmp_path)
    return tmp_path


def run(folder: Path) -> CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
    words = (
        *(
            "mirror",
            "urls.txt",
            "--as",
            "urls",
            "--to",
            "mirror",
            "--allow-private",
            "--retries",
            "0",
            "--check",
            "header",
        ),
        *("--engine", "processes", "--workers", "2", "--catalog", "c.sqlite"),
    )
    program = [sys.executable, "-m", "mediamirror", *words]
    env = kept | {"XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"}
    return subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)


def gone(origin: ManyHosts) -> str:
    return origin.urls[0].replace("/0.webp", "/gone.webp")


def results(mirrored: Mirrored) -> str:
    return f"{mirrored.folder / 'mirror'}/_mediamirror/results/*.parquet"


def test_every_image_has_a_row_and_the_last_line_says_where(mirrored: Mirrored, origin: ManyHosts) -> None:
    done, folder = mirrored.done, mirrored.folder
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"What became of each image: {results(mirrored)}"
    counts = f"SELECT status, count(*) FROM read_parquet('{results(mirrored)}') GROUP BY ALL ORDER BY ALL"
    assert duckdb.sql(counts).fetchall() == [("failed", 1), ("stored", len(origin.urls) + 1)]
    (path,) = (folder / "mirror" / "_mediamirror" / "results").iterdir()
    table = pyarrow.parquet.read_table(path)
    assert table.schema.metadata == {b"mediamirror.schema": b"1"}
    assert table.column_names == list(COLUMNS)
    assert not [name for name in table.column_names if str(table.schema.field(name).type) == "null"]
    stored = [row for row in table.to_pylist() if row["status"] == "stored"]
    assert {(row["format"], row["width"], row["height"], row["http_status"]) for row in stored} == {
        ("webp", 48, 32, 200)
    }
    assert all((folder / "mirror" / row["key"]).stat().st_size == row["size"] for row in stored)
    assert all(row["promises"][0]["document"].endswith("urls.txt") for row in stored)


def test_no_secret_stands_in_them(mirrored: Mirrored) -> None:
    rows = duckdb.sql(f"SELECT url FROM read_parquet('{results(mirrored)}') WHERE url LIKE '%sig=%'").fetchall()
    assert [re.sub(r".*\?", "", url) for (url,) in rows] == ["sig=***"]


def test_what_the_page_asks_duckdb_is_answered(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mirrored.folder)
    questions = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(questions) >= 2
    for question in questions:
        assert duckdb.sql(question).fetchall(), question


def test_the_page_lists_every_column_in_order() -> None:
    listed = re.findall(r"^\| `(\w+)`", PAGE.read_text(encoding="utf-8").partition("## The results")[2], re.MULTILINE)
    assert listed == list(COLUMNS)


def test_readers_from_above_see_nothing_as_the_page_warns(mirrored: Mirrored) -> None:
    mirror = mirrored.folder / "mirror"
    assert pyarrow.dataset.dataset(mirror, format="parquet", exclude_invalid_files=True).count_rows() == 0
    assert pyarrow.dataset.dataset(mirror / "_mediamirror" / "results", format="parquet").count_rows() > 40


def test_a_catalog_that_was_lost_is_made_again_from_results_alone(
    copied: Path, mediamirror: Command, origin: ManyHosts
) -> None:
    shutil.rmtree(copied / "mirror" / "_mediamirror" / "manifest")
    place = (str(copied / "mirror"), "--catalog", str(copied / "c.sqlite"), "--format", "jsonl")
    done = mediamirror("catalog", "import", *place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["results read"] == len(origin.urls) + 2
    rows = [json.loads(line) for line in mediamirror("catalog", "ls", *place).stdout.splitlines()]
    known = {row["url"]: row for row in rows if row.get("url")}
    assert set(origin.urls) <= set(known)
    assert known[origin.urls[0]]["width"] == 48
    assert known[gone(origin)]["status"] == "failed"


def test_a_damaged_file_of_results_is_told_and_the_rest_is_taken_in(copied: Path, mediamirror: Command) -> None:
    (path,) = (copied / "mirror" / "_mediamirror" / "results").iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    done = mediamirror("catalog", "import", str(copied / "mirror"), "--catalog", str(copied / "c.sqlite"))
    assert done.returncode == 1
    assert "can't be read as Parquet" in done.stdout + done.stderr
    assert "objects recorded" in done.stdout + done.stderr


def test_a_shared_run_without_pyarrow_says_what_to_install(
    mediamirror: Command, origin: ManyHosts, tmp_path: Path
) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    urls = origin.write_list(tmp_path / "urls.txt")
    before = origin.asked.total()
    done = mediamirror(
        *("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--allow-private", "--engine", "processes"),
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("need pyarrow: pip install 'mediamirror[parquet]'.")
    assert origin.asked.total() == before

"""What a document may cost in memory is bounded whatever it is filled with; `python -m bench.fillings` tries them all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.fillings import FILLINGS, MOST, measure, serving
from bench.measure import measure as run

MiB = 1024**2


@pytest.mark.parametrize(
    ("name", "size", "job", "ends"),
    [
        ("elements", 10, "parse", (1, "document-over-memory")),
        ("elements", 10, "mirror", (1, "document-over-memory")),
        ("elements", 10, "verify", (1, "document-over-memory")),
        ("attributes", 24, "parse", (1, "document-over-memory")),
        ("csv-header", 40, "parse", (2, "malformed-table")),
        ("csv-row", 12, "parse", (2, "malformed-table")),
    ],
)
def test_a_filling_ends_in_one_problem_and_all_processes_stay_under_300_mib(
    tmp_path: Path, name: str, size: int, job: str, ends: tuple[int, str]
) -> None:
    filling = FILLINGS[name]
    path = tmp_path / f"document{filling.suffix}"
    filling.write(path, size * MiB)
    cost = measure(sys.executable, job, str(path), tmp_path)
    assert (cost.code, cost.said) == ends
    assert cost.peak < MOST


def test_a_page_of_few_bytes_on_the_wire_is_bounded_too(tmp_path: Path) -> None:
    filling = FILLINGS["elements"]
    path = tmp_path / f"document{filling.suffix}"
    filling.write(path, 12 * MiB)
    with serving(path, filling.suffix) as url:
        cost = measure(sys.executable, "parse", url, tmp_path)
    assert (cost.code, cost.said) == (1, "document-over-memory")
    assert cost.peak < MOST


def test_parquet_of_few_bytes_that_stand_for_gigabytes_ends_in_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    page = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["<p>" * 5_000_000])
    pq.write_table(pa.table({"html": page}), path, compression="zstd", store_schema=False)
    cost = measure(sys.executable, "parse", str(path), tmp_path)
    assert (cost.code, cost.said) == (2, "document-over-memory")
    assert cost.peak < MOST


def test_a_large_row_and_what_takes_it_apart_stay_under_300_mib_together(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"image,html\n" + b"a.jpg," + b"<img src=a>" * 1_300_000 + b"\n")
    cost = measure(sys.executable, "parse", str(path), tmp_path)
    assert (cost.code, cost.said) == (1, "document-over-memory")
    assert cost.peak < MOST


def test_one_character_does_not_multiply_a_list_that_is_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    html = "<img src=a>" + "x" * 2_700_000
    path.write_text(json.dumps([{"html": "\U0001f600"}, *[{"html": html}] * 10], ensure_ascii=False))
    command = [
        sys.executable,
        "-m",
        "mediamirror",
        "parse",
        str(path),
        "--field",
        "html",
        "--base-url",
        "https://a.example/",
    ]
    cost = run(command, environment=dict(os.environ), log=tmp_path / "log", limit=300)
    assert "10 image sets, 10 variants in 11 documents" in (tmp_path / "log").read_text()
    assert cost.peak_rss < MOST


@pytest.mark.parametrize("name", FILLINGS)
def test_every_filling_is_a_document_of_its_size(tmp_path: Path, name: str) -> None:
    path = tmp_path / "document"
    FILLINGS[name].write(path, MiB)
    assert MiB <= path.stat().st_size < 2.5 * MiB

"""What a document may cost in memory is bounded whatever it is filled with; `python -m bench.fillings` tries them all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.fillings import FILLINGS, MOST, measure, serving

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


@pytest.mark.parametrize("name", FILLINGS)
def test_every_filling_is_a_document_of_its_size(tmp_path: Path, name: str) -> None:
    path = tmp_path / "document"
    FILLINGS[name].write(path, MiB)
    assert MiB <= path.stat().st_size < 2.5 * MiB

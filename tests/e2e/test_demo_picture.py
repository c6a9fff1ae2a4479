"""The picture of the report at the end of ``make demo``: where a browser is at hand, and nothing worse than none without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.demo import pictured

WRITES = """#!/bin/sh
for word; do case $word in --screenshot=*) echo picture > "${word#--screenshot=}";; esac; done
"""


@pytest.mark.parametrize(("browser", "there"), [(WRITES, True), ("#!/bin/sh\nexit 1\n", False), (None, False)])
def test_a_picture_is_taken_where_a_browser_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str | None, there: bool
) -> None:
    (page := tmp_path / "index.html").write_text("<p>A report")
    programs = tmp_path / "programs"
    programs.mkdir()
    if browser is not None:
        (programs / "chromium").write_text(browser)
        (programs / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    taken = pictured(page, tmp_path / "report.png")
    assert taken == (tmp_path / "report.png" if there else None)

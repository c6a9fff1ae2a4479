"""Generated pages are what the code says today."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from docs.configuration_page import configuration_page
from docs.generate import command_page

ROOT = Path(__file__).parents[2]


def test_the_command_page_is_up_to_date() -> None:
    assert command_page() == (ROOT / "docs/commands.md").read_text(encoding="utf-8"), "run: make docs"


def test_the_configuration_page_is_up_to_date() -> None:
    assert configuration_page() == (ROOT / "docs/configuration.md").read_text(encoding="utf-8"), "run: make docs"


def test_the_config_file_that_the_page_shows_is_read(
    tmp_path: Path, mediamirror: Callable[..., CompletedProcess[str]]
) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", configuration_page(), re.DOTALL)
    (tmp_path / "mediamirror.toml").write_text(text, encoding="utf-8")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "page.html").write_text("No picture today.")
    assert mediamirror("verify", "dist/", "--fail-empty", cwd=tmp_path).returncode == 1
    (tmp_path / "mediamirror.toml").write_text(text.replace("fail-on", "fail-ont"), encoding="utf-8")
    refused = mediamirror("verify", "dist/", cwd=tmp_path)
    assert refused.returncode == 2
    assert "fail-on" in refused.stderr

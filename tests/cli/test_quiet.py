"""``-q`` prints what went wrong, and makes nothing that is not printed."""

from pathlib import Path

import pytest

from mediamirror.cli.app import run
from mediamirror.report import table

TEXT = "https://x.example/a_480.webp 480w, https://x.example/a_960.webp 960w\n\n/b_480.webp 480w, /b_960.webp 960w"


def test_parse_says_what_went_wrong_and_renders_no_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    rendered = []
    monkeypatch.setattr(table, "image_set", lambda found, **_: rendered.append(found))
    assert run(["parse", str(tmp_path / "text.txt"), "-q"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("relative-url-without-base") == 2
    assert rendered == []


def test_parse_without_it_prints_the_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    assert run(["parse", str(tmp_path / "text.txt")]) == 0
    assert "https://x.example/a_960.webp" in capsys.readouterr().out

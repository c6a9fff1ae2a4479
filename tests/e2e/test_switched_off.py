"""Findings switched off with a reason, in the page and in ``mediamirror.toml``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image

Command = Callable[..., CompletedProcess[str]]
REASON = "the mail template needs no src"


def image(attributes: str) -> str:
    return f'<img alt="quay" {attributes} sizes="100vw" srcset="/a-480.webp 480w, /a-960.webp 960w">\n'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "blog").mkdir(parents=True)
    for width in (480, 960):
        (folder / f"a-{width}.webp").write_bytes(make_image(width, width * 9 // 16, "webp", seed=1))
    (folder / "blog" / "old.html").write_text(image(""))
    (folder / "index.html").write_text(image(f'data-mediamirror-ignore="MM109, MM4: {REASON}"'))
    return folder


def rows(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    return found


def told(done: CompletedProcess[str], type_: str) -> list[tuple[str, str]]:
    return [(row["rule"], Path(row["document"]).name) for row in rows(done) if row["type"] == type_]


def verify(mediamirror: Command, dist: Path, *words: str) -> CompletedProcess[str]:
    return mediamirror("verify", ".", "--root", ".", "--select", "MM1", *words, cwd=dist)


def test_an_attribute_switches_off_for_its_image_alone_and_is_counted(mediamirror: Command, dist: Path) -> None:
    done = verify(mediamirror, dist, "--format", "jsonl")
    assert told(done, "finding") == [("MM109", "old.html")]
    assert told(done, "suppressed") == [("MM109", "index.html")]
    (off,) = (row for row in rows(done) if row["type"] == "suppressed")
    assert (off["reason"], off["where"].rpartition("/")[2], rows(done)[-1]["suppressed"]) == (REASON, "index.html:1", 1)
    assert "1 finding switched off" in verify(mediamirror, dist).stdout


def test_the_table_folds_what_is_switched_off_and_says_with_which_option_it_is_shown(
    mediamirror: Command, dist: Path
) -> None:
    folded, shown = verify(mediamirror, dist), verify(mediamirror, dist, "-v")
    assert "With -v, what is switched off is shown too" in folded.stdout
    assert REASON not in folded.stdout
    assert "switched off note MM109" in shown.stdout or "switched off warning MM109" in shown.stdout
    assert f"({REASON}; " in shown.stdout
    assert "With -v" not in shown.stdout


@pytest.mark.parametrize("where", ['path = "blog/**"', 'path = "old.html"', 'image = "a-480.webp"'])
def test_a_path_in_the_config_switches_off_below_the_root(mediamirror: Command, dist: Path, where: str) -> None:
    (dist / "mediamirror.toml").write_text(
        f'[[verify.per-path]]\n{where}\nignore = ["fallback-missing"]\nreason = "an old page"\n'
    )
    done = verify(mediamirror, dist, "--format", "jsonl", "--fail-on", "warning")
    assert (done.returncode, told(done, "finding")) == (0, [])
    assert sorted(told(done, "suppressed")) == [("MM109", "index.html"), ("MM109", "old.html")]


def test_a_path_that_does_not_fit_switches_nothing_off(mediamirror: Command, dist: Path) -> None:
    (dist / "mediamirror.toml").write_text('[[verify.per-path]]\npath = "log"\nignore = ["MM1"]\nreason = "x"\n')
    assert verify(mediamirror, dist, "--fail-on", "warning").returncode == 1


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ('path = "a"\nignore = ["MM105"]', "gives no reason"),
        ('ignore = ["MM105"]\nreason = "x"', "needs a path"),
        ('path = "a"\nreason = "x"', "a list of rules"),
        ('paths = "a"\nignore = ["MM105"]\nreason = "x"', "Did you mean path?"),
        ('path = "a"\nignore = ["MM1O5"]\nreason = "x"', "did you mean MM105"),
    ],
)
def test_an_entry_that_can_not_be_used_is_a_sentence_and_exit_2(
    mediamirror: Command, dist: Path, entry: str, sentence: str
) -> None:
    (dist / "mediamirror.toml").write_text(f"[[verify.per-path]]\n{entry}\n")
    done = verify(mediamirror, dist)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("MM1O9: a typing error", "did you mean MM109"),
        ("MM109", "gives no reason"),
        (": only a reason", "gives no rule"),
    ],
)
def test_an_attribute_that_is_not_understood_is_told_and_switches_nothing_off(
    mediamirror: Command, dist: Path, text: str, sentence: str
) -> None:
    (dist / "blog" / "old.html").write_text(image(f'data-mediamirror-ignore="{text}"'))
    done = verify(mediamirror, dist, "--format", "jsonl")
    assert told(done, "finding") == [("MM109", "old.html"), ("MM118", "old.html")]
    assert any(sentence in row.get("message", "") for row in rows(done))


def test_a_picture_and_a_source_speak_for_their_set(mediamirror: Command, dist: Path) -> None:
    for picture, source in ((' data-mediamirror-ignore="MM109: x"', ""), ("", ' data-mediamirror-ignore="MM109: x"')):
        (dist / "blog" / "old.html").write_text(
            f'<picture{picture}><source{source} srcset="/a-480.webp" media="(width < 9px)">{image("")}</picture>'
        )
        assert ("MM109", "old.html") in told(verify(mediamirror, dist, "--format", "jsonl"), "suppressed")


def test_the_report_and_sarif_keep_what_was_switched_off_with_its_reason(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    done = verify(mediamirror, dist, "--format", "sarif", "--report", str(tmp_path / "r"))
    results = json.loads(done.stdout)["runs"][0]["results"]
    suppressed = [r["suppressions"] for r in results if "suppressions" in r]
    assert suppressed == [[{"kind": "inSource", "justification": REASON}]]
    page = (tmp_path / "r" / "index.html").read_text()
    assert REASON in page
    assert "1 finding switched off" in page

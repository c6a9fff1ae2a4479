"""What strangers write never acts: not on a terminal, not on a build's log, whatever command prints it and in whatever format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import quote

import pytest

from fixtures.servers.hostile_bucket import Bucket, running_bucket
from mediamirror.report.escape import clean, clean_lines, plain_json, spelled_out, visible
from tests.faults.conftest import Command

ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal acts on, but for the line feed and the tab."""
COMMAND = re.compile(r"^\s*::[a-z-]+.*(PWNED|pwned)|##\[", re.MULTILINE)
POISON = "\x1b[2J\x9b31m\u202egpj.\x07\r\n::error file=pwned::PWNED ::set-output name=pwned::PWNED ##[error]x"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def is_harmless(text: str) -> bool:
    own = re.sub(r"^::(error|warning|notice) title=[^:\n]*::.*$", "", text, flags=re.MULTILINE)
    return not ACTS.search(text) and not COMMAND.search(own)


@pytest.mark.parametrize("show", [clean, clean_lines, spelled_out])
def test_one_function_leaves_nothing_that_acts(show: object) -> None:
    shown = show(POISON)  # type: ignore[operator]
    assert is_harmless(shown), shown
    assert "PWNED" in shown


def test_text_without_anything_that_acts_stays_as_it_is() -> None:
    for text in ("a::b", "std::vector", "[::1]:80", "::ffff:10.0.0.1", "# heading", "ключ 日本語 é", "100 %", "a  b"):
        assert spelled_out(text) == text


def test_json_has_the_same_values_and_nothing_that_acts() -> None:
    import json

    text = plain_json(json.dumps({"a": POISON}, ensure_ascii=False))
    assert (json.loads(text), is_harmless(text)) == ({"a": POISON}, True)
    assert visible(POISON)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running_bucket() as made:
        yield made


@pytest.fixture
def page(tmp_path: Path, bucket: Bucket) -> Path:
    """A document whose name, texts, URLs and descriptors are poison."""
    bad = POISON.replace("\n", " ").replace("\r", " ").replace('"', "")
    folder = tmp_path / "in\x1b[31m::error file=pwned::PWNED"
    folder.mkdir()
    path = folder / "\u202eegap.html"
    urls = "".join(f"{bucket.url}/b/{quote(bad, safe='')}-{w}.png {w}w, " for w in (100, 200))
    path.write_text(
        f'<h2>{bad}</h2><img alt="{bad}" srcset="{urls} {bad}.png 5q" src="{bucket.url}/b/x{bad}.png" '
        f'sizes="{bad}"><source media="{bad}" srcset="y 1x">',
        encoding="utf-8",
    )
    return path


def said(done: CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.mark.parametrize("style", ["table", "json", "jsonl", "github", "md", "sarif", "junit"])
def test_no_format_of_verify_lets_a_document_act(mediamirror: Command, page: Path, bucket: Bucket, style: str) -> None:
    bucket.error, bucket.status = POISON.encode(), 500
    done = mediamirror(
        *("verify", str(page), "--format", style, "--allow-private", "-v", "--retries", "0", "--base-url", "http://h/"),
        PYTHONIOENCODING="utf-8",
    )
    assert done.returncode in {0, 1}, done.stderr
    assert "PWNED" in said(done)
    assert is_harmless(said(done)), [line for line in said(done).splitlines() if not is_harmless(line)]


@pytest.mark.parametrize("style", ["table", "jsonl"])
@pytest.mark.parametrize("command", ["sync", "check", "mirror", "verify", "rebuild"])
def test_no_command_lets_a_bucket_act(
    mediamirror: Command, tmp_path: Path, page: Path, bucket: Bucket, command: str, style: str
) -> None:
    (tmp_path / "m").mkdir()
    message = POISON.replace("<", "").encode()
    bucket.error = b"<Error><Code>" + message + b"</Code><Message>" + message + b"</Message></Error>"
    bucket.status = 400
    catalog = ("--catalog", str(tmp_path / "state/c.sqlite"))
    words = {
        "sync": ("sync", "s3://lies/", str(tmp_path / "m"), *catalog),
        "check": ("check", "s3://lies/", str(tmp_path / "m")),
        "mirror": ("mirror", str(page), "--to", "s3://lies/", *catalog),
        "verify": ("verify", "--mirror", "s3://lies/", *catalog),
        "rebuild": ("catalog", "rebuild", "s3://lies/", *catalog),
    }
    done = mediamirror(*words[command], "--endpoint-url", bucket.url, "--format", style, **KEYS)
    assert (done.returncode, "PWNED" in said(done)) == (2, True), said(done)
    assert is_harmless(said(done)), said(done)


@pytest.mark.parametrize("style", ["table", "jsonl"])
def test_keys_of_a_bucket_do_not_act(mediamirror: Command, tmp_path: Path, bucket: Bucket, style: str) -> None:
    (tmp_path / "m").mkdir()
    bucket.put("x\u202egpj.\x9b::error file=pwned::PWNED", b"x")
    bucket.put("::error file=pwned::PWNED", b"x")
    done = mediamirror(
        *("sync", "s3://lies/", str(tmp_path / "m"), "--catalog", str(tmp_path / "c.sqlite"), "--format", style, "-v"),
        *("--endpoint-url", bucket.url),
        **KEYS,
    )
    assert "PWNED" in said(done)
    assert is_harmless(said(done)), said(done)

"""What a command loads before it begins: nothing that it does not use."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fixtures.images import make_image
from mediamirror.cli.app import app
from mediamirror.cli.command import Group
from mediamirror.cli.config import options_to_read

RUN = """
import os, sys
from mediamirror.cli.app import main
words, others = sys.argv[1].split("|"), sys.argv[2].split(",")
sys.argv[1:] = words
try:
    main()
except SystemExit as end:
    print(end.code or 0, *(name for name in others if name in sys.modules), file=sys.stderr)
"""
NETWORK = "pycurl,httpx2,boto3,botocore,ssl"
PICTURES = "PIL,numpy"
PAGES = "turbohtml,mediamirror.markup.page.html"
RECORDS = "sqlite3,mediamirror.catalog.catalog"
PLACES = "mediamirror.store.open,mediamirror.store.directory"
RULES = "mediamirror.lint,mediamirror.lint.rules"
COMMANDS = ",".join(f"mediamirror.cli.{name}" for name in ("mirror", "verify", "sync", "report", "catalog", "parse"))


def loaded(tmp_path: Path, words: list[str], *, forbidden: str, completing: str = "") -> str:
    """Which of some modules a command has loaded when it has ended well."""
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "PATH": os.environ["PATH"]}
    if completing:
        env |= {"_MEDIAMIRROR_COMPLETE": "bash_complete", "COMP_WORDS": completing, "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "|".join(words), forbidden],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *found = done.stderr.splitlines()[-1].split(" ")
    assert code == "0", done.stderr
    return " ".join(found)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(make_image(64, 48, "png"))
    page = tmp_path / "page.html"
    page.write_text('<img src="a.png" srcset="a.png 64w" sizes="64px" alt="">')
    return page


def test_a_sync_of_two_directories_loads_no_http_client_and_no_other_command(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_bytes(b"x")
    others = f"pycurl,httpx2,boto3,{PICTURES},{PAGES},mediamirror.cli.mirror,mediamirror.cli.verify,mediamirror.markup"
    assert loaded(tmp_path, ["sync", "one", "two", "--quiet"], forbidden=others) == ""
    assert (tmp_path / "two" / "file").read_bytes() == b"x"


def test_help_loads_no_command(tmp_path: Path) -> None:
    assert loaded(tmp_path, ["--help"], forbidden=f"asyncio,rich,{NETWORK},{COMMANDS},mediamirror.model") == ""
    others = COMMANDS.replace("mediamirror.cli.catalog,", "")
    assert loaded(tmp_path, ["catalog", "--help"], forbidden=f"asyncio,rich,{NETWORK},{others},mediamirror.jobs") == ""


def test_completion_loads_no_command_but_the_one_that_is_completed(tmp_path: Path) -> None:
    assert loaded(tmp_path, [""], forbidden=f"asyncio,rich,{NETWORK},{COMMANDS}", completing="mediamirror m") == ""


@pytest.mark.parametrize("style", ["table", "jsonl"])
def test_parse_of_a_text_loads_what_reads_texts(tmp_path: Path, style: str) -> None:
    (tmp_path / "text.txt").write_text("https://x.example/a_480.webp 480w, https://x.example/a_960.webp 960w")
    others = f"pycurl,httpx2,boto3,rich.console,{PICTURES},{PAGES},{RECORDS},{PLACES},{RULES}"
    assert loaded(tmp_path, ["parse", "text.txt", "--format", style], forbidden=others) == ""


def test_parse_of_a_page_loads_no_http_client_and_no_rules(tmp_path: Path, page: Path) -> None:
    others = f"pycurl,httpx2,boto3,rich.console,{PICTURES},{RECORDS},{PLACES},{RULES}"
    words = ["parse", page.name, "--base-url", "https://x.example/"]
    assert loaded(tmp_path, words, forbidden=others) == ""


def test_verify_of_a_built_site_loads_no_http_client(tmp_path: Path, page: Path) -> None:
    words = ["verify", page.name, "--root", "."]
    assert loaded(tmp_path, words, forbidden=f"pycurl,httpx2,boto3,rich.console,{PICTURES},{PLACES}") == ""


def test_a_mirror_that_is_only_planned_loads_no_http_client(tmp_path: Path, page: Path) -> None:
    words = ["mirror", page.name, "--base-url", "https://x.example/", "--to", "out", "--dry-run"]
    assert loaded(tmp_path, words, forbidden=f"pycurl,httpx2,boto3,rich.console,{PICTURES}") == ""


def test_the_list_of_commands_says_how_the_help_of_each_begins() -> None:
    for group in (app, app.get_command(None, "catalog")):
        assert isinstance(group, Group)
        for name, (_, words) in group._places.items():
            command = group.get_command(None, name)
            assert command is not None
            assert command.get_short_help_str(1000) == click.Command(name, help=words).get_short_help_str(1000)


def test_a_config_file_is_held_against_the_options_of_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(options_to_read(app, "sync", None)) == {"sync"}
    monkeypatch.setenv("MEDIAMIRROR_FORMAT", "jsonl")
    assert set(options_to_read(app, "sync", None)) == {"sync"}
    monkeypatch.setenv("MEDIAMIRROR_FORMAT", "sarif")
    assert "verify" in options_to_read(app, "sync", None)
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    assert {"sync", "mirror", "catalog ls"} <= set(options_to_read(app, "sync", None))

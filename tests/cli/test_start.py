"""What a command loads before it begins: nothing that it does not use."""

import subprocess
import sys
from pathlib import Path

import pytest

from mediamirror.cli.config import options_to_read

SYNC = """
import sys
from mediamirror.cli.app import app
try:
    app(["sync", sys.argv[1], sys.argv[2], "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
print(*(name for name in sys.argv[3:] if name in sys.modules))
"""


def test_a_sync_of_two_directories_loads_no_http_client_and_no_other_command(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_bytes(b"x")
    others = [
        "aiohttp",
        "httpx2",
        "boto3",
        "PIL",
        "mediamirror.cli.mirror",
        "mediamirror.cli.verify",
        "mediamirror.markup",
    ]
    loaded = subprocess.run(
        [sys.executable, "-c", SYNC, str(tmp_path / "one"), str(tmp_path / "two"), *others],
        env={"XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "two" / "file").read_bytes() == b"x"
    assert loaded.stdout.strip() == ""


def test_a_config_file_is_held_against_the_options_of_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediamirror.cli.app import app

    monkeypatch.chdir(tmp_path)
    assert set(options_to_read(app, "sync", None)) == {"sync"}
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    assert {"sync", "mirror", "catalog ls"} <= set(options_to_read(app, "sync", None))

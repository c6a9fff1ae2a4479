"""A run with a limit on its time ends as one that was interrupted, and the same command goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.servers.many_hosts import many_hosts

Command = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("engine", [(), ("--engine", "processes", "--workers", "2")])
def test_a_run_whose_time_is_up_ends_in_order_and_the_same_command_goes_on(
    mediamirror: Command, tmp_path: Path, engine: tuple[str, ...]
) -> None:
    with many_hosts(60, 3) as origin:
        urls = origin.write_list(tmp_path / "urls.txt")
        words = (
            "mirror",
            str(urls),
            "--as",
            "urls",
            "--to",
            str(tmp_path / "m"),
            "--allow-private",
            "--check",
            "header",
        )
        more = ("--format", "jsonl", "--host-concurrency", "1", *engine)
        origin.hold_after(20)
        done = mediamirror(*words, *more, "--max-time", "4s")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 130, done.stderr
        assert "mediamirror: " not in done.stderr
        told = [row["message"] for row in rows if row.get("code") == "out-of-time"]
        assert len(told) == 1
        assert told[0].endswith("s, by --max-time. Run the same command again to go on.")
        assert (rows[-1]["type"], rows[-1]["exit_code"]) == ("summary", 130)
        assert rows[-1]["left"] == len(origin.urls) - rows[-1]["statuses"]["stored"]
        asked = origin.asked.copy()
        origin.go_on()
        again = mediamirror(*words, *more, "--max-time", "1h")
        assert again.returncode == 0, again.stderr
        assert '"resumed"' in again.stdout
        assert "out-of-time" not in again.stdout
        assert set(origin.asked) == set(origin.urls)
        assert (origin.asked - asked).total() <= len(origin.urls) - rows[-1]["statuses"]["stored"]

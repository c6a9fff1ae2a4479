"""A run with a limit on its time ends as one that was interrupted, and the same command goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from fixtures.servers.many_hosts import many_hosts

Command = Callable[..., CompletedProcess[str]]


def test_a_run_whose_time_is_up_ends_in_order_and_the_same_command_goes_on(
    mediamirror: Command, tmp_path: Path
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
        origin.hold_after(20)  # so it can't come to its end, however long that takes
        done = mediamirror(*words, "--format", "jsonl", "--max-time", "2s")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 130, done.stderr
        assert "mediamirror: " not in done.stderr
        told = [row["message"] for row in rows if row.get("code") == "out-of-time"]
        assert len(told) == 1
        assert told[0].endswith("s, by --max-time. Run the same command again to go on.")
        assert (rows[-1]["type"], rows[-1]["exit_code"]) == ("summary", 130)
        stored = {row["url"] for row in rows if row["type"] == "variant"}
        asked = origin.asked.copy()
        origin.go_on()
        again = mediamirror(*words, "--format", "jsonl", "--max-time", "1h")
        assert again.returncode == 0, again.stderr
        assert '"resumed"' in again.stdout
        assert "out-of-time" not in again.stdout
        assert set(origin.asked) == set(origin.urls)
        assert not (origin.asked - asked).keys() & stored  # what was done is not asked for again

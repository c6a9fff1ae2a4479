"""Fuzzing guided by coverage, with atheris (libFuzzer). Each target has a process of its own: libFuzzer ends the one it runs in."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.run import Result
from fuzz.seeds import LONGEST, WORDS, corpus
from fuzz.targets import Target

_DONE = re.compile(rb"stat::number_of_executed_units:\s+(\d+)|Done (\d+) (?:runs|in)")
_SPARE_SECONDS = 120


def run(target: Target, seconds: float, seed: int) -> Result:
    """Fuzz one target in a process of its own, and read what libFuzzer says at the end. Stops at the first crash."""
    result = Result(target.name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        folder = Path(made)
        for number, data in enumerate(corpus(target.name)):
            (folder / f"seed-{number}").write_bytes(data)
        words = "".join(f'"{_escaped(word)}"\n' for word in WORDS[target.name])
        Path(f"{folder}.words").write_text(words, "ascii")
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "fuzz.guided_child", target.name, str(folder), f"-seed={seed}"),
                    *(f"-max_total_time={max(1, round(seconds))}", f"-max_len={LONGEST}", "-print_final_stats=1"),
                    *(f"-dict={folder}.words", f"-artifact_prefix={folder}/crash-", "-rss_limit_mb=2048"),
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds + _SPARE_SECONDS,
                check=False,
            )
        finally:
            Path(f"{folder}.words").unlink()
        counts = [int(a or b) for a, b in _DONE.findall(done.stderr)]
        result.executions = max(counts, default=0)
        found = re.findall(rb"^ *CRASH (.*)$", done.stderr, re.MULTILINE)
        for path in sorted(folder.glob("crash-*")):
            why = found[0].decode("utf-8", "replace") if found else f"libFuzzer ended with {done.returncode}"
            result.crashes[why] = path.read_bytes()
    if done.returncode and not result.crashes:
        raise SystemExit(f"{target.name}: atheris did not run:\n{done.stderr[-2000:].decode('utf-8', 'replace')}")
    return result


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)

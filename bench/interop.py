"""What we wrote, read by rclone, s5cmd and the AWS CLI; what they wrote, adopted by us without an upload.

    python -m bench.interop

On SeaweedFS, with names that are hard (spaces, plus, percent, Unicode), an empty file and one that goes in parts. Each line is
one tool and one direction; exit code 1 if any of them complains, or if we send what is there already. Tools that are not on the
PATH are left out.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.sync import BUCKET, Ground
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed

MIB = 1024 * 1024
NAMES = (
    "plain.webp",
    "a b/c d.png",
    "plus+percent%20.txt",
    "кириллица/日本語.txt",
    "q?a=1&b=2",
    "UPPER/lower.TXT",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool said of it all, and whether that is what it should say."""

    what: str
    holds: bool
    output: str


class Bench:
    """The files, the bucket, and the tools."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._url = ["--endpoint-url", ground.bucket.url]
        self._aws, self._s5cmd = shutil.which("aws"), shutil.which("s5cmd")

    def _run(self, words: Sequence[str]) -> tuple[int, str]:
        done = subprocess.run(
            words, env=self._ground.environment(), capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout + done.stderr

    def _ours(self, prefix: str, *more: str) -> tuple[int, str]:
        source = str(self._ground.source)
        words = [executable("mediamirror"), "sync", source, f"s3://{BUCKET}/{prefix}", *self._url, "--format", "jsonl"]
        return self._run([*words, *more])

    def read_by_others(self) -> Iterator[Said]:
        """Write with ours, and let each of them look."""
        code, output = self._ours("ours")
        yield Said("mediamirror sync wrote it", code == 0, output)
        remote, source = f"bench:{BUCKET}/ours", str(self._ground.source)
        words = [executable("rclone"), "check", source, remote, "--download", "--exclude", "_mediamirror/**"]
        code, output = self._run(words)
        yield Said("rclone check --download finds no difference", code == 0, output)
        expected = {path.relative_to(source).as_posix() for path in self._ground.source.rglob("*") if path.is_file()}
        if self._s5cmd:
            words = [self._s5cmd, *self._url, "--json", "ls", f"s3://{BUCKET}/ours/*"]
            code, output = self._run(words)
            keys = {
                json.loads(line)["key"].partition("/ours/")[2] for line in output.splitlines() if line.startswith("{")
            }
            listed = {key for key in keys if not key.startswith("_mediamirror/")}
            yield Said("s5cmd ls lists every object", code == 0 and listed == expected, output)
        if self._aws:
            words = [self._aws, "s3", "sync", source, f"s3://{BUCKET}/ours", *self._url, "--dryrun"]
            code, output = self._run(words)
            yield Said("aws s3 sync --dryrun would send nothing", code == 0 and not output.strip(), output)

    def written_by_others(self) -> Iterator[Said]:
        """Let each of them write, and sync onto it with ours."""
        source = str(self._ground.source)
        writers = {"rclone": [executable("rclone"), "copy", source, f"bench:{BUCKET}/rclone"]}
        if self._s5cmd:
            writers["s5cmd"] = [self._s5cmd, *self._url, "--log", "error", "cp", f"{source}/", f"s3://{BUCKET}/s5cmd/"]
        if self._aws:
            writers["aws"] = [self._aws, "s3", "sync", source, f"s3://{BUCKET}/aws", *self._url, "--only-show-errors"]
        for name, words in writers.items():
            code, output = self._run(words)
            yield Said(f"{name} wrote it", code == 0, output)
            for turn in ("adopted", "known"):
                code, output = self._ours(name)
                rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
                summary = rows[-1] if code == 0 and rows else {}
                yield Said(
                    f"mediamirror sync sends nothing: {turn}",
                    set(summary.get("statuses", {"": 0})) == {"skipped"},
                    output,
                )


def write_files(root: Path) -> None:
    """Write the files."""
    chance = random.Random(3)
    for name in NAMES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(20_000))
    (root / "empty.bin").write_bytes(b"")
    (root / "large.bin").write_bytes(chance.randbytes(20 * MIB))
    # aws compares times, and a server gives its own to the second: a file of the same second would look newer than its object.
    for path in root.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))


def main() -> int:
    """Print a line for each look; return 1 if one of them is not as it should be."""
    broken = 0
    with (
        tempfile.TemporaryDirectory(prefix="mediamirror-bench-") as folder,
        running_seaweed(Path(folder) / "seaweed") as bucket,
    ):
        bucket.create_bucket(BUCKET)
        scratch = Path(folder)
        write_files(scratch / "source")
        bench = Bench(Ground(scratch / "source", bucket, scratch))
        for said in (*bench.read_by_others(), *bench.written_by_others()):
            print(f"{'ok  ' if said.holds else 'FAIL'}  {said.what}")
            if not said.holds:
                broken += 1
                print(said.output[-1500:], file=sys.stderr)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Flip a byte in a thousand stored objects, find them, and repair them from a second copy: counts, not times.

It fails unless every flipped object is found, no other is, and all are repaired.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.sync import write_files
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.process import executable
from fixtures.servers.seaweed import running_seaweed

BUCKET = "bench"
MIRROR = f"s3://{BUCKET}/mirror"


def run(words: list[str], bucket: S3Endpoint, scratch: Path) -> list[dict[str, Any]]:
    """Run one command, and return its rows."""
    environment = {**os.environ, **bucket.environment(), "XDG_STATE_HOME": str(scratch / "state")}
    words = [executable("mediamirror"), *words, "--endpoint-url", bucket.url, "--format", "jsonl"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def flip(bucket: S3Endpoint, source: Path, keys: list[str]) -> None:
    """Store each key with its last byte flipped, everything else as it was."""
    client = bucket.client()
    for key in keys:
        name = f"mirror/{key}"
        head = client.head_object(Bucket=BUCKET, Key=name)
        data = bytearray((source / key).read_bytes())
        data[-1] ^= 1
        client.put_object(
            Bucket=BUCKET, Key=name, Body=bytes(data), Metadata=head["Metadata"], ContentType=head["ContentType"]
        )


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.repair", description=__doc__)
    parser.add_argument("--objects", type=int, default=3000)
    parser.add_argument("--flipped", type=int, default=1000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="mediamirror-bench-") as folder,
        running_seaweed(Path(folder) / "w") as bucket,
    ):
        scratch = Path(folder)
        source = scratch / "source"
        write_files(source, options.objects, 8_000)
        bucket.create_bucket(BUCKET)
        run(["sync", str(source), MIRROR], bucket, scratch)
        keys = [str(path.relative_to(source)) for path in sorted(source.rglob("*.webp"))]
        flipped = set(random.Random(1).sample(keys, options.flipped))
        flip(bucket, source, sorted(flipped))
        seen = run(["verify", "--mirror", MIRROR], bucket, scratch)
        found = {row["url"] for row in seen if row["type"] == "finding"}
        mended = run(["verify", "--mirror", MIRROR, "--repair", "--from", str(source)], bucket, scratch)
        repaired = {row["key"] for row in mended if row["type"] == "object" and not row["error"]}
        after = run(["check", str(source), MIRROR, "--download"], bucket, scratch)
    print(
        f"{len(flipped):,} of {len(keys):,} objects flipped; {len(found & flipped):,} found, {len(found - flipped):,} false; "
        f"{len(repaired):,} repaired; then, read byte for byte: {after[-1]['statuses']}"
    )
    return int(not (found == flipped == repaired and after[-1]["statuses"] == {"same": len(keys)}))


if __name__ == "__main__":
    sys.exit(main())

"""One object of 300 MiB, in parts, on every server and over http and TLS: sent, read back, and cut off in the middle.

    python -m bench.large [--mib 300] [--only seaweed-http,moto-https]

For each server: a sync of one file; its sha256 read back by boto3; `check --download` of ours; then a sync of other bytes over a
relay that lets a third pass and cuts every connection after it: it has to fail with exit code 1, keep the object that was there,
and leave no unfinished upload; and the same once more without the relay. Memory is the high-water mark of our process, in MiB.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Cost, measure
from fixtures.cutting import cutting_relay
from fixtures.servers.certs import make_certs
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto
from fixtures.servers.process import executable
from fixtures.servers.rclone import running_rclone
from fixtures.servers.seaweed import running_seaweed

RUNNERS = {"seaweed": running_seaweed, "rclone": running_rclone, "moto": running_moto}
KINDS = [f"{name}-{scheme}" for name in RUNNERS for scheme in ("http", "https")]
BUCKET, KEY = "large", "one/large.bin"
MIB = 1024 * 1024
LIMIT = 600.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A server, a folder with the file, and where logs go."""

    server: S3Endpoint
    folder: Path

    @property
    def source(self) -> Path:
        """The file that is sent."""
        return self.folder / "source" / "large.bin"

    def words(self, command: str, url: str) -> list[str]:
        """Return a command line of ours."""
        trust = ["--cacert", str(self.server.cacert)] if self.server.cacert else []
        place = [str(self.source.parent), f"s3://{BUCKET}/one", "--endpoint-url", url]
        return [executable("mediamirror"), command, *place, *trust]

    def environment(self) -> dict[str, str]:
        """Return the environment: the server's credentials, and a state folder of this run's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEDIAMIRROR_"))}
        named = {name: value for name, value in self.server.environment().items() if name != "AWS_ENDPOINT_URL_S3"}
        return kept | named | {"XDG_STATE_HOME": str(self.folder / "state"), "TMPDIR": str(self.folder)}

    def measured(self, command: str, *more: str) -> Cost:
        """Run one of ours that has to succeed."""
        words = [*self.words(command, self.server.url), "--quiet", *more]
        return measure(words, environment=self.environment(), log=self.folder / "log", limit=LIMIT)

    def held(self) -> str:
        """Return the sha256 of the object as boto3 reads it."""
        answer = self.server.client().get_object(Bucket=BUCKET, Key=KEY)
        digest = hashlib.sha256()
        for chunk in answer["Body"].iter_chunks(MIB):
            digest.update(chunk)
        return digest.hexdigest()

    def unfinished(self) -> int:
        """Return how many uploads the server still keeps parts of."""
        return len(self.server.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def write_file(path: Path, mib: int, seed: int) -> str:
    """Write a file of random bytes; return its sha256."""
    chance, digest = random.Random(seed), hashlib.sha256()
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        for _ in range(mib):
            chunk = chance.randbytes(MIB)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


@contextmanager
def prepared(kind: str, folder: Path) -> Iterator[Ground]:
    """Start a server with a bucket."""
    name, _, scheme = kind.partition("-")
    (folder / "server").mkdir()
    (folder / "certs").mkdir()
    certs = make_certs(folder / "certs") if scheme == "https" else None
    with RUNNERS[name](folder / "server", certs=certs) as server:
        server.create_bucket(BUCKET)
        yield Ground(server, folder)


def one(ground: Ground, mib: int) -> list[str]:
    """Do it all on one server; return the row of the table. Raises RuntimeError for anything that is not as promised."""
    first = write_file(ground.source, mib, 1)
    sent = ground.measured("sync")
    _expect(ground.held() == first, "the object is not the file")
    read = ground.measured("check", "--download")
    second = write_file(ground.source, mib, 2)
    with cutting_relay(ground.server.url, after=2 * MIB, times=1_000_000, spared=mib * MIB // 3) as url:
        cut = subprocess.run(
            ground.words("sync", url),
            env=ground.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    _expect(
        cut.returncode == 1 and "Traceback" not in cut.stderr, f"a cut run ended with {cut.returncode}: {cut.stderr}"
    )
    _expect(ground.held() == first, "a cut run changed the object")
    left = ground.unfinished()
    again = ground.measured("sync")
    _expect(ground.held() == second, "the run after a cut one did not send the file")
    return [
        f"{sent.seconds:.1f}",
        f"{sent.peak_rss / MIB:.0f}",
        f"{read.peak_rss / MIB:.0f}",
        str(left),
        f"{again.seconds:.1f}",
    ]


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def main() -> int:
    """Measure every server, and print a table; return 1 if one broke a promise."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.large", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=300)
    parser.add_argument("--only", default=",".join(KINDS), help="servers, separated by commas")
    options = parser.parse_args()
    broken = 0
    print(
        f"{options.mib} MiB{'':<9}{'sent, s':>9}{'RSS':>6}{'RSS, check':>12}{'unfinished after a cut':>24}{'sent again, s':>15}"
    )
    for kind in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="mediamirror-bench-") as folder:
            try:
                with prepared(kind, Path(folder)) as ground:
                    row = one(ground, options.mib)
                print(f"{kind:<16}{row[0]:>9}{row[1]:>6}{row[2]:>12}{row[3]:>24}{row[4]:>15}", flush=True)
                broken += row[3] != "0"
            except RuntimeError as problem:
                broken += 1
                print(f"{kind:<16}{problem}", flush=True)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

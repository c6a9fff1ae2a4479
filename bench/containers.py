"""``python -m bench.containers``: what it costs to take a container apart, beside its own library's plain reading, in turns.

CPU time, that of child processes too, in this one process: a program's start is not in it. Figures of one run count only.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import email
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from email.message import EmailMessage
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from fixtures.images import make_image
from mediamirror.documents.read import read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.model import Problem

CHUNK = 64 * 1024
arrow: Any = import_module("pyarrow")
parquet: Any = import_module("pyarrow.parquet")
PICTURE = make_image(64, 48, "png")
Members = list[tuple[str, bytes]]


def pictures(many: int, chance: Random) -> Members:
    """As a dataset has them: 150 KB each, which nothing makes smaller."""
    return [(f"{n:06}.png", PICTURE + chance.randbytes(150_000)) for n in range(many)]


def pages(many: int, chance: Random) -> Members:
    """Pages of 100 KB, of words."""
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(3000)]
    text = (" ".join(chance.choices(words, k=15_000)) for _ in range(many))
    return [(f"{n:06}.html", f"<!doctype html><p>{each}<img src=/a.jpg>".encode()) for n, each in enumerate(text)]


def write_zip(path: Path, members: Members) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)


def write_tar(path: Path, members: Members) -> None:
    with tarfile.open(path, "w") as packed:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, BytesIO(data))


TYPES = {".png": "image/png", ".html": "text/html"}


def write_har(path: Path, members: Members) -> None:
    entries = [
        {
            "request": {"method": "GET", "url": f"https://h.example/{name}"},
            "response": {
                "status": 200,
                "headers": [],
                "content": {
                    "mimeType": TYPES[Path(name).suffix],
                    "text": base64.b64encode(data).decode(),
                    "encoding": "base64",
                },
            },
        }
        for name, data in members
    ]
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))


def write_mail(path: Path, members: Members) -> None:
    mail = EmailMessage()
    mail.set_content('<img src="cid:000000.png">', "html")
    for name, data in members:
        mail.add_related(data, "image", "png", cid=f"<{name}>")
    path.write_bytes(mail.as_bytes())


def write_parquet(path: Path, members: Members) -> None:
    rows = {"image": [{"bytes": data, "path": name} for name, data in members]}
    parquet.write_table(arrow.table(rows), path, row_group_size=100)


def read_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        for member in packed.infolist():
            with packed.open(member) as opened:
                while opened.read(CHUNK):
                    pass


def read_tar(path: Path) -> None:
    with tarfile.open(path, "r|") as packed:
        for member in packed:
            opened = packed.extractfile(member)
            while opened is not None and opened.read(CHUNK):
                pass


def unpack(path: Path, opened: Callable[[Path], Any]) -> None:
    """The library's own unpacking into a folder, beside which pictures are kept."""
    with tempfile.TemporaryDirectory() as folder, opened(path) as packed:
        packed.extractall(folder)


def read_har(path: Path) -> None:
    for entry in json.loads(path.read_bytes())["log"]["entries"]:
        base64.b64decode(entry["response"]["content"]["text"])


def read_mail(path: Path) -> None:
    for part in email.message_from_bytes(path.read_bytes()).walk():
        part.get_payload(decode=True)


def read_parquet(path: Path) -> None:
    """In a process of its own, as ours is read: what loading pyarrow takes is on both sides."""
    words = "import sys, pyarrow.parquet as p\nfor b in p.ParquetFile(sys.argv[1]).iter_batches(batch_size=64): b.to_pylist()"
    subprocess.run([sys.executable, "-c", words, str(path)], check=True)


def ours(path: Path, *, keeps: bool) -> None:
    """Our reading: every document handed over, and with ``keeps`` all pictures kept to be looked up."""

    async def read() -> None:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            archive = stack.enter_context(WarcArchive(Path(folder))) if keeps else None
            async for item in read_inputs([str(path)], archive=archive):
                if isinstance(item, Problem) and item.code.startswith("document-"):
                    raise SystemExit(item.message)  # what is not read costs nothing

    asyncio.run(read())


def cpu(work: Callable[[], None]) -> float:
    """CPU seconds, user and system, of this process and those that it waited for."""

    def spent() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in used)

    before = spent()
    work()
    return spent() - before


Row = tuple[str, str, Callable[[int, Random], Members], Callable[[Path, Members], None], Callable[[Path], None], bool]


def rows() -> list[Row]:
    """What is measured: its name, the file, what is in it, who writes it, the library's reading, whether pictures are kept."""
    unzip, untar = partial(unpack, opened=zipfile.ZipFile), partial(unpack, opened=tarfile.open)
    return [
        ("ZIP of pictures, named; zipfile reads", "a.zip", pictures, write_zip, read_zip, False),
        ("ZIP of pictures, kept; zipfile unpacks", "a.zip", pictures, write_zip, unzip, True),
        ("tar of pictures, named; tarfile reads", "a.tar", pictures, write_tar, read_tar, False),
        ("tar of pictures, kept; tarfile unpacks", "a.tar", pictures, write_tar, untar, True),
        ("ZIP of pages; zipfile reads", "b.zip", pages, write_zip, read_zip, False),
        ("tar of pages; tarfile reads", "b.tar", pages, write_tar, read_tar, False),
        ("HAR of pages; json, base64", "b.har", pages, write_har, read_har, False),
        ("HAR of pictures, kept; json, base64", "a.har", pictures, write_har, read_har, True),
        ("mail with pictures, kept; email", "a.eml", pictures, write_mail, read_mail, True),
        ("Parquet of pictures, kept; pyarrow", "a.parquet", pictures, write_parquet, read_parquet, True),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=600, help="members of a container")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| container | ours, CPU s | its library, CPU s | paired |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, file, members, write, read, keeps in rows():
            path = Path(folder) / file
            if not path.exists():
                write(path, members(options.many, Random(1)))
            turns = (partial(ours, path, keeps=keeps), partial(read, path))
            pairs = [tuple(map(cpu, turns)) for _ in range(options.rounds + 1)]
            mine, theirs = (statistics.median(each) for each in zip(*pairs[1:], strict=True))
            paired = statistics.median(a / b for a, b in pairs[1:])
            print(f"| {name} | {mine:.2f} | {theirs:.2f} | {paired:.2f} |", flush=True)


if __name__ == "__main__":
    main()

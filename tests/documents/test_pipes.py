"""Pipes among the INPUTs: one in a folder is left out and named, one that was named itself is read, once and whole."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.model import Problem

PAGE = b"<!doctype html><img src=a>" + b"<p>x</p>" * 40_000
"""More than is looked at to tell what it is, and more than a pipe holds."""


async def read(*inputs: str) -> list[Document | Problem]:
    return [item async for item in read_inputs(inputs)]


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A named pipe, and the list whose first element a writer waits to send."""
    path, data = tmp_path / "pipe.html", [PAGE]
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as file:
            file.write(data[0])

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield path, data
    if writer.is_alive():  # nobody opened it: let the writer end
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    writer.join()


@pytest.mark.parametrize("word", ["site", "site/*.html", "site/**/*"], ids=["folder", "glob", "deep glob"])
async def test_what_is_no_file_is_left_out_of_a_folder_and_named_and_the_files_are_read(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.html").write_bytes(b"<img src=a>")
    os.mkfifo(site / "b.html")
    (site / "c.html").symlink_to(site / "b.html")
    with socket.socket(socket.AF_UNIX) as ears:
        ears.bind("site/d.html")
        found = await read(word)
    assert [item.name for item in found if isinstance(item, Document)] == ["site/a.html"]
    problems = [item for item in found if isinstance(item, Problem)]
    assert [(item.code, item.document) for item in problems] == [("special-file", f"site/{n}.html") for n in "bcd"]
    assert problems[0].message == "site/b.html was left out: it is neither a file nor a directory."


async def test_a_pipe_that_was_named_is_read_whole(pipe: tuple[Path, list[bytes]]) -> None:
    (document,) = await read(str(pipe[0]))
    assert isinstance(document, Document)
    assert (document.name, document.kind, b"".join(document.chunks()) == PAGE) == (str(pipe[0]), "html", True)


async def test_a_container_in_a_pipe_gives_each_of_its_documents(pipe: tuple[Path, list[bytes]]) -> None:
    path, data = pipe
    rows = [json.dumps({"url": f"https://h.example/{n}", "html": f"<img src={n}>" + "x" * 900}) for n in range(300)]
    data[0] = "\n".join(rows).encode()
    named = path.with_suffix(".jsonl")
    named.symlink_to(path)
    found = await read(str(named))
    documents = [item for item in found if isinstance(item, Document)]
    assert [item.name for item in documents] == [f"{named}:{line}" for line in range(1, 301)]
    assert all(f"<img src={n}>".encode() in b"".join(item.chunks()) for n, item in enumerate(documents))


async def test_the_end_of_a_process_substitution_is_read_as_it_is() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"<!doctype html><img src=a>")
    os.close(writing)
    try:
        (document,) = await read(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    assert isinstance(document, Document)
    assert document.kind == "html"

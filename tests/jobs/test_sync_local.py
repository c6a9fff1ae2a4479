"""Reading a directory that others write to."""

# ruff: noqa: ASYNC240 - the tests look at small files while nothing else runs

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mediamirror.errors import SourceChanged, StoreError
from mediamirror.jobs.sync import local as sync_local
from mediamirror.jobs.sync.local import LocalPlace, content_type_of
from mediamirror.model import StoredObject


def place(root: Path, told: list[tuple[str, str, bool]] | None = None, in_memory: int = 1000) -> LocalPlace:
    rows = told if told is not None else []
    return LocalPlace(root, notice=lambda *about: rows.append(about), in_memory=in_memory)


@pytest.mark.parametrize("size", [0, 10, 1000, 1001, 3_000_000])
async def test_a_file_is_read_whole_whatever_its_size(tmp_path: Path, size: int) -> None:
    (tmp_path / "f.bin").write_bytes(data := os.urandom(size))
    content = await place(tmp_path).load(StoredObject("f.bin", size))
    assert (content.body.size, content.body.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert content.body.data == (data if size <= 1000 else None)


@pytest.mark.parametrize("in_memory", [0, 1 << 30])
async def test_a_file_that_changes_while_it_is_read_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(b"a" * 100)
    real = sync_local._contents

    def meddling(*arguments: object) -> object:
        result = real(*arguments)  # type: ignore[arg-type]
        path.write_bytes(b"b" * 100)
        return result

    monkeypatch.setattr(sync_local, "_contents", meddling)
    with pytest.raises(SourceChanged, match="changed while it was read"):
        await place(tmp_path, in_memory=in_memory).load(StoredObject("f.bin", 100))


async def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "f").symlink_to("secret")
    with pytest.raises(StoreError):
        await place(tmp_path).load(StoredObject("f", 1))


async def test_a_pipe_is_left_out_and_told_of_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    told: list[tuple[str, str, bool]] = []
    assert [entry[0] async for page in place(tmp_path, told).pages() for entry in page] == ["file"]
    assert told == [("pipe", "neither a file nor a directory", False)]


async def test_names_that_can_not_be_keys_are_told_of_as_errors(tmp_path: Path) -> None:
    for name in (b"line\nbreak", b"back\\slash", b"latin-\xe9", b"good"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    (tmp_path / "_mediamirror").mkdir()
    (tmp_path / "_mediamirror" / "odd\nname").write_text("ours")
    told: list[tuple[str, str, bool]] = []
    assert [entry[0] async for page in place(tmp_path, told).pages() for entry in page] == ["good"]
    assert sorted((path, is_error) for path, _, is_error in told) == [
        ("back\\slash", True),
        ("latin-\\xe9", True),
        ("line\nbreak", True),
    ]


async def test_a_hash_is_recorded_only_when_a_later_write_would_show(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    seen = path.stat()
    newest = max(seen.st_mtime_ns, seen.st_ctime_ns)
    assert not sync_local._vouches(seen, newest + 1_000_000)
    assert sync_local._vouches(seen, newest + 3_000_000_000)


@pytest.mark.parametrize(
    ("key", "prefix", "wanted"),
    [
        ("a.jpg", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ("a.css", b"body{}", "text/css"),
        ("a.svg", b"<svg xmlns='x'/>", "image/svg+xml"),
        ("noname", b"\0\1\2", "application/octet-stream"),
    ],
)
def test_a_content_type_is_told_by_the_bytes_of_an_image_and_else_by_the_name(
    key: str, prefix: bytes, wanted: str
) -> None:
    assert content_type_of(key, prefix) == wanted

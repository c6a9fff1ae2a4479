"""DEST as people write it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mediamirror.errors import BadDestination
from mediamirror.settings import StoreOptions
from mediamirror.store.open import open_store


@pytest.mark.parametrize(
    ("dest", "said"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("s3:/bucket", "s3://bucket/prefix"),
        ("s3:bucket", "s3://bucket/prefix"),
        ("s3://", "no valid bucket"),
        ("s3:///prefix", "no valid bucket"),
        ("s3://bad bucket/x", "no valid bucket"),
        ("s3://bucket/a//b", "empty segment"),
        ("s3://bucket/../b", "'..'"),
        ("http://host/bucket", "--endpoint-url"),
        ("gs://bucket/x", "s3://bucket/prefix"),
        ("nul\0byte", "NUL byte"),
    ],
)
def test_a_malformed_dest_is_one_sentence(dest: str, said: str) -> None:
    with pytest.raises(BadDestination) as raised:
        open_store(dest, StoreOptions())
    assert said in raised.value.message


def test_a_file_is_no_dest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadDestination, match="is a file"):
        open_store(str(tmp_path / "file"), StoreOptions())


def test_a_password_in_dest_is_not_repeated() -> None:
    with pytest.raises(BadDestination) as raised:
        open_store("https://user:secret@host/x", StoreOptions())
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    ("dest", "name"),
    [("s3://media", "s3://media"), ("s3://media/", "s3://media"), ("S3://media/a b/", "s3://media/a b")],
)
async def test_a_bucket_is_named_as_people_write_it(dest: str, name: str) -> None:
    store = open_store(dest, StoreOptions())
    assert store.name == name
    await store.aclose()


async def test_a_directory_need_not_exist_yet(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "new"), StoreOptions())
    assert store.name == str(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    await store.aclose()


def test_boto3_is_not_imported_for_a_directory(tmp_path: Path) -> None:
    code = (
        "import sys; from mediamirror.store.open import open_store; from mediamirror.settings import StoreOptions;"
        "open_store(sys.argv[1], StoreOptions()); sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0

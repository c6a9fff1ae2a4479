"""Defaults from mediamirror.toml and MEDIAMIRROR_*."""

from pathlib import Path

import pytest

from mediamirror.cli.config import read
from mediamirror.errors import UsageError

COMMANDS = {"mirror": {"concurrency": False, "include": True, "as_": False}, "parse": {"as_": False}}


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDIAMIRROR_CONCURRENCY", raising=False)


def test_a_top_level_key_goes_to_every_command_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "mediamirror.toml").write_text('as = "html"\nconcurrency = 8\n')
    assert read(COMMANDS, None).defaults == {"mirror": {"as_": "html", "concurrency": 8}, "parse": {"as_": "html"}}


def test_a_table_goes_to_its_command_alone(tmp_path: Path) -> None:
    (tmp_path / "mediamirror.toml").write_text('[mirror]\nas = "text"\ninclude = ["*.webp"]\n')
    assert read(COMMANDS, None).defaults == {"mirror": {"as_": "text", "include": ["*.webp"]}, "parse": {}}


def test_the_nearest_file_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert read(COMMANDS, None).defaults["mirror"] == {"concurrency": 3}


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    monkeypatch.setenv("MEDIAMIRROR_CONCURRENCY", "9")
    monkeypatch.setenv("MEDIAMIRROR_INCLUDE", "*.webp *.avif")
    assert read(COMMANDS, None).defaults["mirror"] == {"concurrency": "9", "include": ["*.webp", "*.avif"]}


def test_an_unknown_key_is_named_with_the_nearest_that_exists(tmp_path: Path) -> None:
    (tmp_path / "mediamirror.toml").write_text("concurency = 3\n")
    with pytest.raises(UsageError, match=r"no option 'concurency'\. Did you mean concurrency\?"):
        read(COMMANDS, None)


def test_a_file_that_is_not_toml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("= =\n")
    with pytest.raises(UsageError, match="not valid TOML"):
        read(COMMANDS, tmp_path / "other.toml")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read(COMMANDS, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("variables", "meant"),
    [
        ({"AWS_ENDPOINT_URL": "http://b"}, "http://b"),
        ({"AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT_URL_S3": "http://a"}, "http://a"),
        ({"AWS_ENDPOINT_URL_S3": "http://a", "MEDIAMIRROR_ENDPOINT_URL": "http://own"}, "http://own"),
        ({"AWS_ENDPOINT_URL_S3": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "http://file"),
    ],
)
def test_the_server_that_the_aws_tools_take_from_the_environment_is_the_default_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], meant: str
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mediamirror.toml").write_text('endpoint-url = "http://file"\n')
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read({"sync": {"endpoint_url": False}, "parse": {}}, None).defaults == {
        "sync": {"endpoint_url": meant},
        "parse": {},
    }

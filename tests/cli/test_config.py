"""Defaults from mediamirror.toml and MEDIAMIRROR_*."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mediamirror.cli.app import app, run
from mediamirror.cli.config import Takes, host_name, options_of, read
from mediamirror.errors import UsageError

COMMANDS = {
    "mirror": {"concurrency": Takes(), "include": Takes(several=True), "as_": Takes(), "to": Takes(place=True)},
    "parse": {"as_": Takes()},
}


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


@pytest.mark.parametrize(
    ("value", "meant"),
    [("dist", "{}/dist"), ("../x", "{}/../x"), ("/var/x", "/var/x"), ("s3://media/x", "s3://media/x"), ("-", "-")],
)
def test_a_path_in_the_file_is_relative_to_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, meant: str
) -> None:
    (tmp_path / "mediamirror.toml").write_text(f'[mirror]\nto = "{value}"\n')
    assert read(COMMANDS, None).defaults["mirror"] == {"to": value}
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert read(COMMANDS, None).defaults["mirror"] == {"to": meant.format(tmp_path)}


def test_a_value_that_only_some_commands_take_is_left_where_it_is_none(tmp_path: Path) -> None:
    commands = {
        "verify": {"format_": Takes(choices=("table", "sarif"))},
        "mirror": {"format_": Takes(choices=("table",))},
    }
    file = tmp_path / "mediamirror.toml"
    for text, meant in (
        ('format = "sarif"', {"verify": {"format_": "sarif"}, "mirror": {}}),
        ('format = "word"', {"verify": {"format_": "word"}, "mirror": {"format_": "word"}}),
        ('[mirror]\nformat = "sarif"', {"verify": {}, "mirror": {"format_": "sarif"}}),
    ):
        file.write_text(text)
        assert read(commands, None).defaults == meant


def test_an_option_that_takes_a_path_is_known_by_its_type() -> None:
    options = options_of(app)
    places = {name for taken in options.values() for name, takes in taken.items() if takes.place}
    assert {"to", "mirror", "root", "catalog", "cacert", "baseline", "map", "output", "rewrite_to"} <= places
    assert not places & {"format_", "include", "endpoint_url", "base_url"}


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
    assert read({"sync": {"endpoint_url": Takes()}, "parse": {}}, None).defaults == {
        "sync": {"endpoint_url": meant},
        "parse": {},
    }


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Make a file somebody else's."""

    def give(path: Path) -> Path:
        if os.geteuid() == 0:
            os.chown(path, 12_345, -1, follow_symlinks=False)
        else:
            monkeypatch.setattr("mediamirror.settings.os.geteuid", lambda: 12_345)
        return path

    monkeypatch.delenv("SUDO_UID", raising=False)
    return give


def test_a_file_of_somebody_else_is_passed_over_and_told(tmp_path: Path, others: Callable[[Path], Path]) -> None:
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    found = others(tmp_path / "mediamirror.toml")
    config = read(COMMANDS, None)
    assert (config.defaults["mirror"], config.path, config.passed) == ({}, None, (found,))


def test_a_link_of_somebody_else_to_a_file_of_ours_is_passed_over(
    tmp_path: Path, others: Callable[[Path], Path]
) -> None:
    (tmp_path / "mine.toml").write_text("concurrency = 3\n")
    (tmp_path / "mediamirror.toml").symlink_to(tmp_path / "mine.toml")
    assert read(COMMANDS, None).defaults["mirror"] == {"concurrency": 3}
    others(tmp_path / "mediamirror.toml")
    assert read(COMMANDS, None).path is None


def test_a_file_of_somebody_else_that_is_named_is_read(tmp_path: Path, others: Callable[[Path], Path]) -> None:
    (tmp_path / "team.toml").write_text("concurrency = 3\n")
    assert read(COMMANDS, others(tmp_path / "team.toml")).defaults["mirror"] == {"concurrency": 3}


def test_under_sudo_the_file_of_the_user_who_called_it_is_ours(
    tmp_path: Path, others: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mediamirror.toml").write_text("concurrency = 3\n")
    owner = others(tmp_path / "mediamirror.toml").stat().st_uid
    monkeypatch.setattr("mediamirror.settings.os.geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(owner))
    assert read(COMMANDS, None).defaults["mirror"] == {"concurrency": 3}


def test_the_command_says_which_file_it_does_not_read(
    tmp_path: Path, others: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mediamirror.toml").write_text("no-such-option = 3\n")
    found = others(tmp_path / "mediamirror.toml")
    assert run(["rules", "MM101"]) == 0
    assert f"{found} belongs to another user and is not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "command", "wrong"),
    [
        ('concurrency = "many"', ["mirror", "x", "--to", "m"], "'many' is not a whole number"),
        ("concurrency = [1]", ["mirror", "x", "--to", "m"], "[1] is not a value for this"),
        ('max-size = "none"', ["mirror", "x", "--to", "m"], "'none' is not a size"),
        ('quiet = "maybe"', ["parse", "x"], "'maybe' is not a valid boolean"),
        ('[mirror]\nlayout = "flat"', ["mirror", "x", "--to", "m"], "'flat' is not one of"),
        ('proxy = "squid"', ["parse", "x"], "--proxy needs a URL"),
        ('header = ["no colon"]', ["parse", "x"], "-H needs 'Name: value'"),
        ('connect-to = ["a"]', ["parse", "x"], "--connect-to needs HOST:PORT:HOST2:PORT2"),
        ('[catalog]\nwidth = "wide"', ["catalog", "ls", "m"], "'wide' is not a width"),
        ('allow-host = ["*"]', ["parse", "x"], "--allow-host"),
    ],
)
def test_a_bad_value_of_a_config_file_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, command: list[str], wrong: str
) -> None:
    (tmp_path / "mediamirror.toml").write_text(line + "\n")
    assert run(command) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert wrong in said
    assert f"comes from {tmp_path / 'mediamirror.toml'}" in said


def test_a_bad_value_of_a_variable_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDIAMIRROR_RETRIES", "often")
    assert run(["parse", "x"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'often' is not a whole number: give a whole number from 0 to 20. It comes from MEDIAMIRROR_RETRIES." in said


def test_a_bad_value_of_the_command_line_names_no_other_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mediamirror.toml").write_text("retries = 3\n")
    assert run(["parse", "x", "--retries", "often"]) == 2
    assert "comes from" not in capsys.readouterr().err


def test_what_the_job_refuses_names_the_options_that_were_not_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "mediamirror.toml").write_text('[verify]\nselect = ["MM999"]\n')
    (tmp_path / "page.html").write_text("<p>nothing")
    assert run(["verify", "page.html"]) == 2
    said = capsys.readouterr().err
    assert f"not from the command line: --select from {tmp_path / 'mediamirror.toml'}." in said


def test_verbose_names_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "mediamirror.toml").write_text("retries = 3\n")
    (tmp_path / "page.html").write_text("<p>nothing")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert run(["parse", "page.html", "-v"]) == 0
    assert f"options were read from {tmp_path / 'mediamirror.toml'}" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["*", "*.example.org", "example.org/path", "user@example.org", ""])
def test_credentials_for_takes_one_host_and_no_pattern(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "x", "--credentials-for", host]) == 2
    assert "is not one host" in capsys.readouterr().err


@pytest.mark.parametrize(
    "host", ["cdn.example.org", "cdn.example.org:8443", "https://cdn.example.org", "127.0.0.1", "::1", "[::1]:80"]
)
def test_a_host_a_port_or_an_origin_may_see_credentials(host: str) -> None:
    assert host_name(host) == host

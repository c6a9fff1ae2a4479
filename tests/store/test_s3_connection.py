"""What flags and environment say plainly is what boto3 would find; anything else is left to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediamirror.errors import StoreRefused
from mediamirror.settings import StoreOptions
from mediamirror.store.s3.session import connect_by_boto3
from mediamirror.store.s3.store import plainly_said

ENDPOINT = "http://127.0.0.1:8333"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("endpoint", [ENDPOINT, f"{ENDPOINT}/", "https://media.example.org", "http://weed:80"])
@pytest.mark.parametrize("region", [None, "eu-north-1"])
@pytest.mark.parametrize("token", ["", "session"])
@pytest.mark.parametrize("anonymous", [False, True])
def test_it_is_what_boto3_finds(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, region: str | None, token: str, anonymous: bool
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    options = StoreOptions(endpoint_url=endpoint, region=region, no_sign_request=anonymous)
    ours, theirs = plainly_said("media", options), connect_by_boto3("media", options)
    assert ours is not None
    for name in ("bucket", "base_url", "region", "aws"):
        assert getattr(ours, name) == getattr(theirs, name), name
    one, other = ours.frozen(), theirs.frozen()
    assert (one is None) == (other is None) == anonymous
    if one and other:
        assert (one.access_key, one.secret_key, one.token) == (other.access_key, other.secret_key, other.token)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (StoreOptions(), {}),
        (StoreOptions(endpoint_url=ENDPOINT, profile="p"), {}),
        (StoreOptions(endpoint_url=ENDPOINT), {"AWS_PROFILE": "p"}),
        (StoreOptions(endpoint_url=ENDPOINT), {"AWS_SECRET_ACCESS_KEY": ""}),
        (StoreOptions(endpoint_url="https://s3.eu-north-1.amazonaws.com"), {}),
        (StoreOptions(endpoint_url="http://h/s3"), {}),
        (StoreOptions(endpoint_url="http://h:port"), {}),
        (StoreOptions(endpoint_url="h:8333"), {}),
        (StoreOptions(endpoint_url="http://me:pass@h"), {}),
        (StoreOptions(endpoint_url="http://bücher.example"), {}),
    ],
)
def test_what_is_not_said_plainly_is_left_to_boto3(
    monkeypatch: pytest.MonkeyPatch, options: StoreOptions, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert plainly_said("media", options) is None


def test_a_configuration_file_may_name_the_region(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-3\n")
    assert plainly_said("media", StoreOptions(endpoint_url=ENDPOINT)) is None
    assert plainly_said("media", StoreOptions(endpoint_url=ENDPOINT, region="r")) is not None


def test_boto3_adds_no_checksum_and_asks_no_metadata_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers store the framing of a checksum inside the object; off EC2 the metadata service is an address that hangs."""
    client = connect_by_boto3("media", StoreOptions(endpoint_url=ENDPOINT)).client()
    config = client.meta.config
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"
    assert (config.signature_version, config.s3["addressing_style"]) == ("s3v4", "path")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    asked: list[object] = []
    monkeypatch.setattr("botocore.utils.IMDSFetcher._get_request", lambda *words, **more: asked.append((words, more)))
    monkeypatch.setattr("botocore.utils.IMDSFetcher._fetch_metadata_token", asked.append)
    with pytest.raises(StoreRefused, match="No credentials were found"):
        connect_by_boto3("media", StoreOptions(endpoint_url=ENDPOINT))
    assert asked == []

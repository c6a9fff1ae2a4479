"""Values people type."""

import click
import pytest

from mediamirror.cli.config import byte_size, duration, pair


@pytest.mark.parametrize(
    ("text", "size"),
    [("500k", 512_000), ("2M", 2 * 1024**2), ("1.5GiB", 1610612736), ("7 b", 7), ("1kb", 1024)],
)
def test_sizes(text: str, size: int) -> None:
    assert byte_size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("24h", 86400), ("7d", 604800)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0x", "many", "-1", "1y", "٣", "1e3"])
def test_what_is_none_is_a_bad_parameter(text: str) -> None:
    for read in (byte_size, duration):
        with pytest.raises(click.BadParameter):
            read(text)


def test_pairs_keep_everything_after_the_first_equals_sign() -> None:
    assert pair("Team=a=b") == ("team", "a=b")
    for text in ("team", "=x", "a b=c"):
        with pytest.raises(click.BadParameter):
            pair(text)

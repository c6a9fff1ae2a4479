"""Option groups from what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mediamirror.cli.running import fail
from mediamirror.cli.values import pair
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.settings import FetchOptions, StoreOptions


def fetch_options(
    *, header: list[str] | None, connect_to: list[str] | None, cacert: Path | None, **plain: Any
) -> FetchOptions:
    """Build the fetch options; a malformed header, rule or file ends the command with its sentence."""
    from mediamirror.fetch import parse_connect_to, parse_header

    try:
        plain["proxy"] = _proxy(plain.get("proxy"))
        return FetchOptions(
            headers=tuple(parse_header(text) for text in _lines(header or ())),
            connect_to=tuple(parse_connect_to(text) for text in connect_to or ()),
            cacert=cacert,
            **plain,
        )
    except MediamirrorError as error:
        fail(error)


def _lines(given: Iterable[str]) -> Iterator[str]:
    """Headers as given, and for ``@FILE`` those in it, one a line, as curl has it."""
    for text in given:
        if text.startswith("@"):
            yield from filter(str.strip, _read(text[1:], "-H").splitlines())
        else:
            yield text


def _proxy(given: str | None) -> str | None:
    proxy = given
    if given is not None and given.startswith("@"):
        proxy = _read(given[1:], "--proxy").strip()
    if proxy is not None and not proxy.startswith(("http://", "https://")):
        raise UsageError("--proxy wants an address such as http://proxy.example:3128, or @FILE that holds one.")
    return proxy


def _read(name: str, option: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} @{name}: the file can't be read ({error.strerror or error}).") from None
    except ValueError:
        raise UsageError(f"{option} @{name}: the file is not UTF-8 text.") from None


def metadata_pairs(values: list[str] | None) -> tuple[tuple[str, str], ...]:
    """Read every ``--metadata k=v``."""
    return tuple(pair(text) for text in values or ())


def source_store(
    store: StoreOptions, *, endpoint_url: str | None, region: str | None, profile: str | None
) -> StoreOptions | None:
    """Return how to reach SRC when that differs from DEST, else None. What is only for writing is left out."""
    if endpoint_url is None and region is None and profile is None:
        return None
    return StoreOptions(
        endpoint_url=endpoint_url or store.endpoint_url,
        region=region or store.region,
        profile=profile or store.profile,
        no_sign_request=store.no_sign_request,
        cacert=store.cacert,
    )

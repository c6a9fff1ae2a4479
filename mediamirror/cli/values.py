"""Values people type on a command line: sizes, rates, durations, pairs, hosts. A bad one is a sentence."""

from __future__ import annotations

import fnmatch
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediamirror.errors import UsageError
from mediamirror.first_use import pattern
from mediamirror.redact import redact_url

if TYPE_CHECKING:
    from mediamirror.settings import Rewired

_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def byte_size(text: str) -> int:
    """Read ``500k``, ``2M``, ``1.5GiB`` or plain bytes; powers of 1024, as curl and rclone do."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)(?:i?b)?", str(text).strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size: write 500k, 2M, 1G or plain bytes.")
    size = int(float(match[1]) * _UNITS[match[2]])
    if not size:
        raise click.BadParameter(f"{text!r} is no size to work with: omit the option for no limit.")
    return size


def duration(text: str) -> float:
    """Read ``90``, ``90s``, ``30m``, ``24h``, ``7d``; seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw]?)", str(text).strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a duration: write 90, 30m, 24h or 7d.")
    return float(match[1]) * _SPANS[match[2]]


def seconds(text: str) -> float:
    """Read a number of seconds: finite, not negative."""
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise click.BadParameter(f"{text!r} is not a number of seconds: write 30 or 0.5.")
    return value


def more_seconds(text: str) -> float:
    """Read a number of seconds that is more than none."""
    value = seconds(text)
    if not value:
        raise click.BadParameter(f"{text!r} leaves no time at all: give more seconds.")
    return value


def share(text: str) -> float:
    """Read ``5%`` or ``0.05``: a share, more than 0 and at most 1."""
    word = str(text).strip()
    try:
        value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise click.BadParameter(f"{text!r} is not a share such as 5% or 0.05.")
    return value


def pair(text: str) -> tuple[str, str]:
    """Read ``key=value``."""
    key, equals, value = str(text).partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", key):
        raise click.BadParameter(f"{text!r} is not of the form key=value (letters, digits, - and _ in the key).")
    return key.lower(), value


_HOST = pattern(r"(?:https?://)?(?:\[[0-9a-f:.]+\]|[^\s*?@#%/\\:\[\]]+)(?::[0-9]{1,5})?|[0-9a-f:.]+", re.IGNORECASE)


def host_name(text: str) -> str:
    """Read one host of ``--credentials-for``: ``host``, ``host:port`` or an origin, and no pattern of hosts."""
    if not _HOST.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is not one host: write cdn.example.org or cdn.example.org:8443, once for each."
        )
    return text


def width_range(text: str) -> tuple[int, int]:
    """Read ``480``, ``480-1280``, ``>=480``, ``>480``, ``<=480`` or ``<480``: pixels, both ends included."""
    most = 2**63 - 1
    match = re.fullmatch(r"(>=|<=|>|<|=?)([0-9]{1,9})(?:px|w)?(?:-([0-9]{1,9})(?:px|w)?)?", str(text).replace(" ", ""))
    if match is None or (match[3] and match[1]):
        raise click.BadParameter(f"{text!r} is not a width: write 480, 480-1280, '>=1280' or '<480' (pixels).")
    number = int(match[2])
    if match[3] and int(match[3]) < number:
        raise click.BadParameter(f"{text!r} ends before it begins: write the smaller width first.")
    if match[3]:
        return number, int(match[3])
    return {">=": (number, most), ">": (number + 1, most), "<=": (0, number), "<": (0, number - 1)}.get(
        match[1], (number, number)
    )


def glob(text: str) -> str:
    """Read a pattern of URLs, keys or hosts (``*``, ``?``, ``[abc]``), as `fnmatch` has it."""
    if fault := glob_fault(str(text)):
        raise click.BadParameter(fault)
    return str(text)


def glob_fault(word: str) -> str:
    """Say why nothing can match a pattern, or nothing."""
    if not word.strip():
        return "An empty pattern matches nothing: write one such as '*.webp', or omit it."
    if _has_open_class(word):
        return f"{word!r} has a [ without its ]: close it, or write [[] for the character itself."
    if "(?!)" in fnmatch.translate(word):
        return f"{word!r} has a range that ends before it begins, so that nothing matches it: turn it round."
    return ""


def _has_open_class(word: str) -> bool:
    """Whether a ``[`` is never closed; a ``]`` that comes first in it is one of its characters."""
    at = word.find("[")
    while at >= 0:
        end = word.find("]", at + 2 + word.startswith("!", at + 1))
        if end < 0:
            return True
        at = word.find("[", end)
    return False


def kind(text: str) -> str:
    """Read a kind of document. Raises `KindUnknown`."""
    from mediamirror.markup.extract import check_kind

    check_kind(text)
    return text


def absolute_url(text: str) -> str:
    """Read an address with its scheme and host, for ``--base-url``. Raises `UsageError`."""
    from mediamirror.markup.places.urls import resolve

    if not isinstance(resolve(str(text), None), str):
        raise UsageError(f"--base-url {text!r} is not an absolute URL such as https://example.org/.")
    return text


def endpoint(text: str) -> str:
    """Read the address of an S3 server."""
    if not re.match(r"https?://[^/\s]", str(text)):
        raise click.BadParameter(f"{redact_url(str(text))!r} is no address of a server: write http://127.0.0.1:8333.")
    return text


def proxy_url(given: str) -> str:
    """Read a proxy's address, or ``@FILE`` that holds it. Raises `UsageError`."""
    proxy = _read(given[1:], "--proxy").strip() if given.startswith("@") else given
    if not proxy.startswith(("http://", "https://")):
        raise UsageError("--proxy needs a URL such as http://proxy.example:3128, or @FILE that contains one.")
    return proxy


def headers(given: str) -> list[tuple[str, str]]:
    """Read one header, or for ``@FILE`` those in it, one a line, as curl has it."""
    from mediamirror.fetch import parse_header

    lines = filter(str.strip, _read(given[1:], "-H").splitlines()) if given.startswith("@") else [given]
    return [parse_header(line) for line in lines]


def rewired(given: str) -> Rewired:
    """Read one ``HOST:PORT:HOST2:PORT2``. Raises `UsageError`."""
    from mediamirror.fetch import parse_connect_to

    return parse_connect_to(given)


def allowed_host(given: str) -> str:
    """Read a host, an address or a block of addresses. Raises `UsageError`."""
    from mediamirror.fetch import parse_allow_host

    parse_allow_host(given)
    return given


def rungs(given: str) -> str:
    """Read which widths are wanted. Raises `UsageError`."""
    from mediamirror.jobs.mirror.plan import check_rungs

    check_rungs(given)
    return given


def tolerance(given: str) -> str:
    """Read how far a width may be off. Raises `UsageError`."""
    from mediamirror.lint import parse_tolerance

    parse_tolerance(given)
    return given


def _read(name: str, option: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} @{name}: the file can't be read ({error.strerror or error}).") from None
    except ValueError:
        raise UsageError(f"{option} @{name}: the file is not UTF-8 text.") from None


def shown(value: str, metavar: str) -> str:
    """Say a default as people write it: bytes as ``256M``, seconds as ``24h`` or ``60``."""
    if metavar == "SIZE" and value.isdigit():
        power = next(power for power in range(4, -1, -1) if int(value) % 1024**power == 0)
        return f"{int(value) // 1024**power}{' KMGT'[power].strip()}"
    if metavar in {"AGE", "TIME"} and float(value) % 3600 == 0:
        return f"{float(value) / 3600:g}h"
    return value.removesuffix(".0") if metavar == "S" else value

"""``--connect-to``, with curl's meaning: dial somewhere else, and leave URL, Host header and TLS name alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mediamirror.errors import UsageError
from mediamirror.settings import Rewired

_PART = r"(\[[0-9A-Za-z:.%]*\]|[^:\[\]]*)"
_SHAPE = re.compile(rf"{_PART}:([0-9]*):{_PART}:([0-9]*)")


def parse_connect_to(text: str) -> Rewired:
    """Read ``HOST:PORT:HOST2:PORT2``; any part may be empty, IPv6 addresses stand in brackets. Raises `UsageError`."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--connect-to wants HOST:PORT:HOST2:PORT2, IPv6 addresses in brackets; it got {text!r}.")
    host, port, to_host, to_port = match.groups()
    return Rewired(_host(host), _port(port, text), _host(to_host), _port(to_port, text))


def rewire(host: str, port: int, rules: Sequence[Rewired]) -> tuple[str, int]:
    """Where to dial for a URL's host and port."""
    wanted = _host(host)
    rule = rule_for(host, port, rules)
    if rule is None:
        return wanted, port
    return rule.to_host or wanted, rule.to_port if rule.to_port is not None else port


def rule_for(host: str, port: int, rules: Sequence[Rewired]) -> Rewired | None:
    """The rule for a URL's host and port. As in curl, the first that matches decides, alone."""
    wanted = _host(host)
    return next((rule for rule in rules if rule.host in {"", wanted} and rule.port in {None, port}), None)


def _host(text: str) -> str:
    return text.lower().strip("[]")


def _port(text: str, whole: str) -> int | None:
    if not text:
        return None
    port = int(text) if len(text) <= 5 else 0
    if not 0 < port < 65536:
        raise UsageError(f"--connect-to got port {text} in {whole!r}; a port is 1 to 65535.")
    return port

"""The guard that a run's options ask for."""

from __future__ import annotations

from mediamirror.fetch.connect_to import rule_for
from mediamirror.fetch.guard import Dial, Guard, allow_all, literal, public_only
from mediamirror.fetch.permits import parse_allow_host
from mediamirror.settings import FetchOptions


def guard_for(options: FetchOptions) -> Guard:
    """Build the guard: public addresses only, unless the options open more. Raises `UsageError` for ``allow_hosts``."""
    permits = tuple(parse_allow_host(text) for text in options.allow_hosts)

    def policy(dial: Dial) -> str | None:
        reason = public_only(dial)
        if reason is not None and any(permit.opens(dial.host, dial.port, dial.ip) for permit in permits):
            return None
        return reason

    def opened(host: str, port: int) -> bool:
        rule = rule_for(host, port, options.connect_to)
        if rule is not None and rule.to_port is not None:
            return True
        ip = literal(host)
        return any(permit.port == port and permit.opens(host, port, ip) for permit in permits)

    return Guard(allow_all if options.allow_private else policy, opened, by_proxy=options.proxy is not None)

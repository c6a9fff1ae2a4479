"""Redirects, hop by hop: each goal is asked for like any other URL, by its host's rules and in its host's turn."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from mediamirror.errors import TooManyRedirects
from mediamirror.fetch.answer import REDIRECTS
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Fetcher, Hop, Request, Target, parse_target
from mediamirror.first_use import replace
from mediamirror.model import Download, Passed
from mediamirror.redact import redact_url
from mediamirror.settings import FetchOptions

Admit = Callable[[Target], Awaitable[None]]
"""Asked before each hop: waits until the URL may be asked for, or raises a `FetchError` to refuse it (robots.txt)."""


async def admit_all(target: Target) -> None:
    """Let every URL be asked for at once."""


class Following:
    """Follows redirects over a fetcher of single hops, such as `client.Client`.

    ``options.timeout`` bounds all hops together; what ``admit`` waits for is not counted.
    """

    def __init__(self, hops: Fetcher, options: FetchOptions, guard: Guard, admit: Admit = admit_all) -> None:
        self._hops = hops
        self._options = options
        self._guard = guard
        self._admit = admit

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL, following redirects; raises only `FetchError`."""
        if request.trace is not None:
            request.trace.forget()
        target = parse_target(request.url, self._guard)
        await self._admit(target)
        started = time.monotonic()
        answer = await self._hops.fetch(request)
        passed: list[Download] = []
        hop = Hop(request.url, self._options.timeout)
        while (location := _location(answer)) is not None:
            passed.append(answer)
            following = parse_target(location, self._guard, base=target.href)
            self._check(following, [each.final_url for each in passed])
            downgraded = target.scheme == "https" and following.scheme == "http"
            hop = Hop(request.url, hop.seconds - answer.seconds, hop.trusted and not downgraded)
            target = following
            await self._admit(target)
            answer = await self._hops.fetch(replace(request, url=target.href, hop=hop))
        return _joined(request, answer, passed, time.monotonic() - started) if passed else answer

    def _check(self, target: Target, passed: list[str]) -> None:
        first = redact_url(passed[0])
        if target.href in passed:
            raise TooManyRedirects(f"{first} redirects in a circle.")
        if len(passed) > self._options.max_redirects:
            raise TooManyRedirects(f"{first} redirects more than {self._options.max_redirects} times.")


def _location(answer: Download) -> str | None:
    return answer.header("location") if answer.http_status in REDIRECTS else None


def _joined(request: Request, answer: Download, passed: list[Download], seconds: float) -> Download:
    return replace(
        answer,
        url=request.url,
        seconds=seconds,
        redirects=tuple(each.final_url for each in passed),
        hops=tuple(Passed(each.final_url, each.http_status, each.headers, each.fetched_at) for each in passed),
    )

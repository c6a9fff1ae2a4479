"""A `Request` in the form the transport sends: which headers, and who may see the secret ones."""

from __future__ import annotations

from functools import lru_cache

import httpx2

from mediamirror.fetch.credentials import may_see_secrets
from mediamirror.fetch.request import Request
from mediamirror.fetch.urls import Target
from mediamirror.redact import is_secret_header
from mediamirror.settings import FetchOptions

_NO_BODY = httpx2.ByteStream(b"")


class RequestWriter:
    """Writes GET requests. Headers of the user replace our Accept and User-Agent, and nothing else."""

    def __init__(self, options: FetchOptions, *, own_hosts: frozenset[str], user_agent: str) -> None:
        named = {name.lower() for name, _ in options.headers}
        ours = [("Accept-Encoding", "identity")]
        if "user-agent" not in named:
            ours.insert(0, ("User-Agent", user_agent))
        self._with_secrets = (*ours, *options.headers)
        self._without = (*ours, *((name, value) for name, value in options.headers if not is_secret_header(name)))
        self._own_accept = "accept" in named
        self._trusted_hosts = own_hosts | frozenset(options.credentials_for)
        self._headers = lru_cache(maxsize=16)(self._build)

    def write(self, request: Request, target: Target, *, trusted: bool) -> httpx2.Request:
        """Write the request for one hop; ``trusted`` False withholds secrets whatever the host."""
        secret = trusted and may_see_secrets(target, self._trusted_hosts)
        headers = self._headers(request.accept, secret)
        if extra := _conditions(request):
            headers = httpx2.Headers([*headers.raw, *extra])
        extensions = {"target": target.target}
        return httpx2.Request("GET", _origin(target.origin), headers=headers, stream=_NO_BODY, extensions=extensions)

    def _build(self, accept: str, secret: bool) -> httpx2.Headers:
        own = self._with_secrets if secret else self._without
        fields = own if self._own_accept else (("Accept", accept), *own)
        return httpx2.Headers([(name.encode("ascii"), value.encode()) for name, value in fields])


def _conditions(request: Request) -> list[tuple[bytes, bytes]]:
    extra: list[tuple[bytes, bytes]] = []
    if request.etag is not None:
        extra.append((b"If-None-Match", request.etag.encode()))
    if request.last_modified is not None:
        extra.append((b"If-Modified-Since", request.last_modified.encode()))
    if request.range is not None:
        first, last = request.range
        extra.append((b"Range", f"bytes={first}-{'' if last is None else last}".encode()))
    return extra


@lru_cache(maxsize=1024)
def _origin(origin: str) -> httpx2.URL:
    return httpx2.URL(origin)

"""AWS Signature Version 4 for a body whose sha256 is known. botocore does the signing; imported only with S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.credentials import ReadOnlyCredentials

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def encoded_path(path: str) -> str:
    """Percent-encode as S3 signs: all but unreserved characters and the slash. The same spelling goes on the wire."""
    return quote(path, safe="/~", errors="strict")


class Signer:
    """Adds the three headers of a signed request; none for anonymous access (no credentials)."""

    def __init__(self, region: str) -> None:
        self._auth = _KnownPayloadAuth(None, "s3", region)

    def sign(
        self,
        credentials: ReadOnlyCredentials | None,
        *,
        method: str,
        url: str,
        headers: dict[str, str],
        sha256: str,
    ) -> dict[str, str]:
        """Return ``headers`` (lower-case names, ``host`` among them) and those that sign the request.

        ``url`` is as it goes out: path encoded by `encoded_path`, query already sorted and encoded. ``sha256`` of the body
        becomes ``x-amz-content-sha256``, so the server refuses any other bytes.
        """
        if credentials is None:
            return headers
        request = _Request(method, url, _Headers(headers), {"sha256": sha256})
        # One synchronous step, so that tasks may share the signer.
        self._auth.credentials = credentials
        self._auth.add_auth(request)
        return request.headers


class _Headers(dict[str, str]):
    """Lower-case names whatever botocore writes. Its own header class costs a tenth of a millisecond per request."""

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


@dataclass(slots=True)
class _Request:
    """What botocore's signer reads of a request."""

    method: str
    url: str
    headers: _Headers
    context: dict[str, Any]
    params: dict[str, str] = field(default_factory=dict)


if TYPE_CHECKING:
    # The stubs want botocore's own request and hide what a subclass needs.
    _Base = Any
else:
    _Base = S3SigV4Auth


class _KnownPayloadAuth(_Base):  # type: ignore[misc]
    """botocore's signer, told the payload's hash and sparing itself what is the same for every request of a day."""

    _key_for: tuple[str, str] = ("", "")
    _key = b""

    def payload(self, request: _Request) -> str:
        return str(request.context["sha256"])

    def headers_to_sign(self, request: _Request) -> _Headers:
        return request.headers

    def signed_headers(self, headers_to_sign: _Headers) -> str:
        return ";".join(sorted(name for name in headers_to_sign if name != "authorization"))

    def canonical_headers(self, headers_to_sign: _Headers) -> str:
        names = sorted(name for name in headers_to_sign if name != "authorization")
        return "\n".join(f"{name}:{' '.join(headers_to_sign[name].split())}" for name in names)

    def signature(self, string_to_sign: str, request: _Request) -> Any:
        day = request.context["timestamp"][:8]
        wanted = (self.credentials.secret_key, day)
        if self._key_for != wanted:
            key = f"AWS4{self.credentials.secret_key}".encode()
            for part in (day, self._region_name, self._service_name, "aws4_request"):
                key = self._sign(key, part)
            self._key_for, self._key = wanted, key
        return self._sign(self._key, string_to_sign, hex=True)

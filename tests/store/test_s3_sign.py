"""Our own signatures, held against botocore's signer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.store.s3.headers import EMPTY_SHA256, Keys, Signer, encoded_path
from mediamirror.store.s3.listing import page_query

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
VALUES = st.text("abc XYZ/=+%09", max_size=20).map(str.strip)


def by_botocore(keys: Keys, method: str, url: str, headers: dict[str, str], sha256: str, moment: str) -> str:
    class Known(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            return sha256

    request = AWSRequest(method, url, headers={**headers, "x-amz-date": moment})
    request.context["timestamp"] = moment
    signer = Known(Credentials(keys.access_key, keys.secret_key, keys.token), "s3", "eu-north-1")
    signer._modify_request_before_signing(request)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(to_sign, request))


@given(KEYS, st.sampled_from(["GET", "PUT"]), VALUES, st.none() | KEYS, st.none() | st.just("tok/en+=="))
def test_a_signature_is_the_one_that_botocore_makes(
    key: str, method: str, value: str, prefix: str | None, token: str | None
) -> None:
    keys = Keys("AKID", "secret/+", token)
    query = "" if prefix is None else f"?{page_query(prefix, 7, 'next/=')}"
    url = f"http://host.example:8333/bucket/{encoded_path(key)}{query}"
    headers = {"host": "host.example:8333", "content-type": "image/webp", "x-amz-meta-note": value}
    moment = datetime(2026, 11, 24, 7, 8, 9, tzinfo=UTC)
    signed = Signer("eu-north-1", clock=lambda: moment).sign(
        keys, method=method, url=url, headers=headers, sha256=EMPTY_SHA256
    )
    expected = by_botocore(keys, method, url, headers, EMPTY_SHA256, "20261124T070809Z")
    assert signed["authorization"].rpartition("Signature=")[2] == expected


def test_without_credentials_nothing_is_added() -> None:
    headers = {"host": "h"}
    assert Signer("r").sign(None, method="GET", url="http://h/b/k", headers=headers, sha256=EMPTY_SHA256) == headers


def test_a_new_day_has_a_new_key() -> None:
    days = iter((datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)))
    signer = Signer("r", clock=lambda: next(days))
    keys = Keys("AKID", "secret")
    said = [
        signer.sign(keys, method="GET", url="http://h/b/k", headers={"host": "h"}, sha256=EMPTY_SHA256)["authorization"]
        for _ in range(3)
    ]
    assert said[0] == said[2] != said[1]

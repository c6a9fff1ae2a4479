"""What an S3 server or the way to it says -> our own tree, one sentence each. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from mediamirror.errors import (
    BadKey,
    NoSuchBucket,
    ObjectCorrupt,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from mediamirror.first_use import dataclass, pattern

_ELEMENT = pattern(rb"<(Code|Message|Region|ServerTime)>([^<]{0,2000})</\1>")
_ERROR_ROOT = pattern(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<Error[\s>]")

SLOW_DOWN = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"})
_PASSING = SLOW_DOWN | {
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "ConditionalRequestConflict",
    "OperationAborted",
}
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_DAMAGED = frozenset({"XAmzContentSHA256Mismatch", "BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch"})
_WRONG_REGION = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "ServiceQuotaExceededException"})


@dataclass(frozen=True, slots=True)
class Where:
    """What the sentence is about. ``what`` is an object or the bucket, as people write it.

    ``needs`` names the permissions that are asked for, in S3's words.
    """

    bucket: str
    endpoint: str
    region: str
    what: str
    needs: str = "s3:ListBucket (and, to write there, s3:PutObject, s3:GetObject and s3:DeleteObject)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success. ``server_time`` is aware, or None when the server did not say."""

    status: int
    code: str = ""
    message: str = ""
    region: str | None = None
    server_time: datetime | None = None
    retry_after: float | None = None

    @property
    def slow_down(self) -> bool:
        """Whether the whole endpoint asks for fewer requests."""
        return self.status in {429, 503} or self.code in SLOW_DOWN

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later: named codes, and server errors."""
        return self.code in _PASSING or self.code in _DAMAGED or self.status in {408, 429, 500, 502, 503, 504}

    @property
    def ambiguous(self) -> bool:
        """Whether the server may have done what was asked nevertheless."""
        return self.status < 400 or self.status in {500, 502, 504}


def is_error_document(body: bytes) -> bool:
    """Whether a body is an ``<Error>`` document: some servers send one with status 200."""
    return _ERROR_ROOT.match(body) is not None


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read status, headers and the ``<Error>`` document, if there is one."""
    found = {name.decode(): unescape(text.decode("utf-8", "replace")) for name, text in _ELEMENT.findall(body)}
    return Refusal(
        status=status,
        code=found.get("Code", ""),
        message=found.get("Message", ""),
        region=headers.get("x-amz-bucket-region") or found.get("Region"),
        server_time=read_time(found.get("ServerTime")) or read_time(headers.get("date")),
        retry_after=_seconds(headers.get("retry-after")),
    )


def read_client_error(response: Mapping[str, Any]) -> Refusal:
    """Read the ``response`` of a botocore ClientError."""
    about = response.get("ResponseMetadata", {})
    headers = about.get("HTTPHeaders", {})
    error = response.get("Error", {})
    code = str(error.get("Code", ""))
    return Refusal(
        status=int(about.get("HTTPStatusCode", 0)),
        code="" if code.isdigit() else code,
        message=str(error.get("Message", "")),
        region=headers.get("x-amz-bucket-region") or error.get("Region"),
        server_time=read_time(error.get("ServerTime")) or read_time(headers.get("date")),
    )


def explain(refusal: Refusal, where: Where, now: datetime) -> StoreError:
    """Return the error for a refusal: what happened, to which thing, what to do."""
    for codes, statuses, sentence in _TABLE:
        if refusal.code in codes or (not refusal.code and refusal.status in statuses):
            return sentence(refusal, where, now)
    if refusal.passing:
        return _unavailable(refusal, where, now)
    if refusal.status in {301, 307, 308} or (refusal.region and refusal.region != where.region):
        return _wrong_region(refusal, where, now)
    if not refusal.code and refusal.status in {404, 405, 501}:
        return not_s3(where)
    return StoreError(f"{where.what}: {where.endpoint} refused it ({_said(refusal)}).")


def unreachable(error: BaseException, where: Where) -> StoreError:
    """Return the error for an exchange that broke off or never began."""
    chain = tuple(causes(error))
    text = " ".join(str(link) for link in chain)
    tls = next((link for link in chain if isinstance(link, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        why = getattr(tls, "verify_message", "") or "certificate verify failed"
        return StoreError(
            f"The certificate of {where.endpoint} is not trusted ({why}). Give the authority's file with --cacert."
        )
    if tls is not None or "SSL" in text:
        return StoreError(f"{where.endpoint} does not speak TLS as it should. Is it an http:// endpoint?")
    if any(isinstance(link, ConnectionRefusedError) for link in chain) or "refused" in text:
        how = "Is the server running, and are the address and port of --endpoint-url right?"
        return StoreUnavailable(f"Nothing answers at {where.endpoint} (connection refused). {how}")
    reason = next((str(link) for link in chain if str(link)), type(error).__name__)
    return StoreUnavailable(f"{where.what}: the exchange with {where.endpoint} broke off ({reason[:160]}). Try again.")


def not_s3(where: Where) -> StoreError:
    """Return the error for something that answers, but not as S3 does."""
    return StoreError(
        f"{where.endpoint} does not answer like an S3 server. Check --endpoint-url: it is the S3 API's address, "
        "not that of a web console."
    )


def _missing_bucket(_: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return NoSuchBucket(f"There is no bucket {where.bucket} at {where.endpoint}. Check its name and --endpoint-url.")


def _missing_key(_: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return ObjectMissing(f"There is no {where.what}.")


def _unknown_access_key(_: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreDenied(f"{where.endpoint} does not know the access key. Check AWS_ACCESS_KEY_ID or --profile.")


def _wrong_secret(_: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreDenied(
        f"{where.endpoint} does not accept the signature: the secret key does not fit the access key. "
        "Check AWS_SECRET_ACCESS_KEY or --profile."
    )


def _expired(_: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreDenied(f"The session token for {where.endpoint} has expired or is not valid. Sign in again.")


def _denied(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreDenied(
        f"{where.what}: access denied by {where.endpoint}. Ask the owner of the bucket for {where.needs}, "
        "or use other credentials (--profile)."
    )


def _wrong_region(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    there = f"is in {refusal.region}" if refusal.region else "is in another region"
    give = f"--region {refusal.region}" if refusal.region else "its region with --region"
    return StoreError(f"The bucket {where.bucket} {there}, not in {where.region}. Give {give}.")


def _skewed(refusal: Refusal, where: Where, now: datetime) -> StoreError:
    if refusal.server_time is None:
        skew = "is wrong"
    else:
        seconds = round((now - refusal.server_time).total_seconds())
        skew = f"is {abs(seconds):,} seconds {'ahead of' if seconds > 0 else 'behind'} the server's"
    return StoreDenied(f"{where.endpoint} refused the signature because this machine's clock {skew}. Set the clock.")


def _full(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreFull(f"{where.what}: no space left at {where.endpoint}, or over quota ({_said(refusal)}).")


def _damaged(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return ObjectCorrupt(f"{where.what}: other bytes reached {where.endpoint} than were sent; nothing was stored.")


def _headers(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreError(
        f"{where.what}: {where.endpoint} refuses a header that the object is to be served with ({_said(refusal)}). Some servers read "
        "Cache-Control and Expires as those of the request: give --cache-control in plain directives, such as max-age=3600."
    )


def _key(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return BadKey(f"{where.what}: {where.endpoint} does not take this key ({_said(refusal)}).")


def _unavailable(refusal: Refusal, where: Where, now: datetime) -> StoreError:  # noqa: ARG001
    return StoreUnavailable(f"{where.what}: {where.endpoint} can't do it now ({_said(refusal)}). Try again later.")


_Sentence = Callable[[Refusal, Where, datetime], StoreError]
_TABLE: tuple[tuple[frozenset[str], frozenset[int], _Sentence], ...] = (
    (frozenset({"NoSuchBucket", "InvalidBucketName"}), frozenset(), _missing_bucket),
    (frozenset({"NoSuchKey"}), frozenset(), _missing_key),
    (frozenset({"InvalidAccessKeyId"}), frozenset(), _unknown_access_key),
    (frozenset({"SignatureDoesNotMatch"}), frozenset(), _wrong_secret),
    (EXPIRED | {"InvalidToken"}, frozenset(), _expired),
    (frozenset({"RequestTimeTooSkewed"}), frozenset(), _skewed),
    (_WRONG_REGION, frozenset(), _wrong_region),
    (frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem"}), frozenset({401, 403}), _denied),
    (_FULL, frozenset({507}), _full),
    (_DAMAGED, frozenset(), _damaged),
    (frozenset({"InvalidDigest", "MalformedDate"}), frozenset(), _headers),
    (frozenset({"KeyTooLongError", "InvalidURI", "XMinioInvalidObjectName"}), frozenset({414}), _key),
)


def _said(refusal: Refusal) -> str:
    words = " ".join(filter(None, (str(refusal.status), refusal.code)))
    return f"{words}: {refusal.message[:160]}" if refusal.message else words


def read_time(text: str | None) -> datetime | None:
    """Read a date of HTTP or of ISO 8601 as UTC; None for what is neither, or no moment of a calendar."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(text or "")
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from, the outermost first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain

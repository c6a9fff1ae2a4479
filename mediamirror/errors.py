"""One tree of errors. Each class knows its stable code, whether a retry helps, and which exit code it means.

    MediamirrorError
    ├── UsageError                 exit 2: the command can't start
    │   ├── InputMissing           a path or URL that is not there
    │   ├── InputUnreadable        there, but can't be read
    │   ├── BadDestination         DEST is not a directory or s3://bucket/prefix
    │   ├── StoreRefused           credentials or bucket refused before the first item
    │   │   ├── DestinationMissing a DEST directory that is not there yet
    │   │   └── ManifestDamaged    the manifest can't be read, and there is no catalog
    │   └── LockHeld               another run holds this DEST or catalog
    ├── CatalogError               exit 2: the catalog can't be used
    │   └── CatalogDamaged         its file is damaged
    ├── ArchiveError               exit 1: the archive that a run writes can't be written any further
    ├── FetchError                 an item failed on its way in
    │   ├── InvalidURL, SchemeRefused, PortRefused, AddressRefused, RobotsRefused, RobotsTagRefused, NotArchived, NotInSite
    │   ├── HostBusy, HostUnavailable (not asked: come back later)
    │   ├── ConnectFailed (retry), TLSFailed, ConnectionLost (retry), TransferTruncated (retry)
    │   ├── DeadlineExceeded (retry), TooSlow (retry)
    │   ├── TooManyRedirects, BodyTooLarge, HeadersTooLarge, EmptyBody, BadContentEncoding, SpoolFailed
    │   └── HTTPStatus (retry for 408, 425, 429, 500, 502, 503, 504)
    ├── ImageError                 bytes that are not a sound image
    │   ├── NotAnImage, ImageTruncated, ImageUndecodable, ImageOverBudget
    └── StoreError                 an item failed on its way out
        ├── StoreUnavailable (retry; BodyCutOff), StoreDenied, NoSuchBucket, StoreFull, StoreStopped
        ├── BadKey, ObjectMissing, ObjectCorrupt, SourceChanged

Foreign errors (httpx2, botocore, OSError, sqlite3) are mapped at the edge to the most specific class here.
A message is one sentence or two: what happened, to which thing, what to do now. It never holds a secret.
"""

from __future__ import annotations

from typing import ClassVar


class MediamirrorError(Exception):
    """Root of the tree. ``code`` is stable; ``retryable`` says whether the same call may succeed later."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(MediamirrorError):
    """The command can't start: wrong words, or something it needs is not there."""

    code = "usage"
    exit_code = 2


class InputMissing(UsageError):
    """An INPUT that does not exist."""

    code = "input-missing"


class InputUnreadable(UsageError):
    """An INPUT that exists but can't be read."""

    code = "input-unreadable"


class BadDestination(UsageError):
    """A DEST that is neither a directory nor ``s3://bucket/prefix``."""

    code = "bad-destination"


class StoreRefused(UsageError):
    """Credentials, bucket or endpoint refused before the first item."""

    code = "store-refused"


class DestinationMissing(StoreRefused):
    """A DEST directory that is not there (yet)."""

    code = "destination-missing"


class ManifestDamaged(StoreRefused):
    """The manifest of a place is damaged, and no catalog says what the place holds."""

    code = "manifest-damaged"


class LockHeld(UsageError):
    """Another run holds the lock of this DEST or catalog."""

    code = "lock-held"


class WorkerLost(MediamirrorError):
    """A worker of a run that several share died, or can't be reached any more, with work to do. The text says how."""

    code = "worker-lost"


class CatalogError(MediamirrorError):
    """The catalog can't be opened, is damaged, or is from a newer release."""

    code = "catalog"
    exit_code = 2


class CatalogDamaged(CatalogError):
    """The catalog's file is damaged; `catalog rebuild` makes it anew."""

    code = "catalog-damaged"


class ArchiveError(MediamirrorError):
    """The archive that a run writes can't be written any further."""

    code = "archive"


class FetchError(MediamirrorError):
    """An item could not be fetched.

    ``deferred``: the item was not asked for, because its host backs off or can't be reached; a run re-queues it for later.
    """

    code = "fetch"
    deferred: bool = False


class InvalidURL(FetchError):
    """Not a URL that can be requested."""

    code = "invalid-url"


class SchemeRefused(FetchError):
    """A scheme other than http and https."""

    code = "scheme-refused"


class PortRefused(FetchError):
    """A port that the Fetch standard blocks."""

    code = "port-refused"


class AddressRefused(FetchError):
    """The guard refused an address that was about to be dialled."""

    code = "address-refused"


class RobotsRefused(FetchError):
    """robots.txt of the origin does not allow this URL."""

    code = "robots-refused"


class RobotsTagRefused(FetchError):
    """The answer's X-Robots-Tag forbids it, and the user asked to respect that."""

    code = "robots-tag-refused"


class NotInSite(FetchError):
    """A URL of a built site that leads to no file of it. ``hint`` is what there is instead, or why there can be none."""

    code = "not-in-site"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Travel through files with both."""
        return (NotInSite, (self.message, self.hint))


class NotArchived(FetchError):
    """A URL that no archive among the inputs holds, with ``--offline``."""

    code = "not-archived"


class HostBusy(FetchError):
    """Not asked: the host backs off for longer than a run waits."""

    code = "host-backoff"
    deferred = True


class HostUnavailable(FetchError):
    """Not asked: the host could not be reached several times in a row."""

    code = "host-unavailable"
    deferred = True


class ConnectFailed(FetchError):
    """No connection: name not found, refused, unreachable."""

    code = "connect-failed"
    retryable = True


class TLSFailed(FetchError):
    """The TLS handshake failed (certificate, name, protocol)."""

    code = "tls-failed"


class ConnectionLost(FetchError):
    """The connection broke off, or sent what is not HTTP."""

    code = "connection-lost"
    retryable = True


class NotHTTP(ConnectionLost):
    """A whole answer whose head can't be read as HTTP: the host is up."""


class TransferTruncated(FetchError):
    """Fewer bytes arrived than Content-Length or the framing promised."""

    code = "transfer-truncated"
    retryable = True


class DeadlineExceeded(FetchError):
    """The whole request took longer than ``--timeout``."""

    code = "deadline"
    retryable = True


class TooSlow(FetchError):
    """Bytes came in below the minimum rate."""

    code = "too-slow"
    retryable = True


class TooManyRedirects(FetchError):
    """More redirects than the limit, or a loop."""

    code = "too-many-redirects"


class BodyTooLarge(FetchError):
    """The body is larger than ``--max-size``."""

    code = "too-large"


class HeadersTooLarge(FetchError):
    """The headers of an answer are larger than ``--max-header-size``, or have too many fields."""

    code = "headers-too-large"


class EmptyBody(FetchError):
    """A success status with an empty body."""

    code = "empty-body"


class SpoolFailed(FetchError):
    """The temporary file that a large body goes through could not be written: the disk is full, or fails."""

    code = "spool-failed"


class BadContentEncoding(FetchError):
    """The server sent a content coding although ``identity`` was asked for, and it can't be decoded within the limits."""

    code = "bad-content-encoding"


class HTTPStatus(FetchError):
    """The origin answered with a status that is not a success."""

    code = "http-status"

    def __init__(self, message: str, *, status: int, retry_after: float | None = None, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        """The origin's own sentence, cleaned; empty where it sent none."""
        self.retry_after = retry_after
        """Seconds the origin asked us to wait, or None."""
        self.retryable = status in {408, 425, 429, 500, 502, 503, 504}

    def saying(self, said: str) -> HTTPStatus:
        """Return the same error with the origin's own sentence in its message."""
        message = f"{self.message.removesuffix('.')}: {said.removesuffix('.')}."
        return HTTPStatus(message, status=self.status, retry_after=self.retry_after, said=said)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes and through files with what the plain arguments don't hold."""
        return (_http_status, (self.message, self.status, self.retry_after, self.said))


def _http_status(message: str, status: int, retry_after: float | None, said: str) -> HTTPStatus:
    return HTTPStatus(message, status=status, retry_after=retry_after, said=said)


class ImageError(MediamirrorError):
    """Bytes that are not a sound image."""

    code = "image"


class NotAnImage(ImageError):
    """The bytes are of no image format that we read (HTML, text, SVG, empty)."""

    code = "not-an-image"

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        """What the bytes are, in a word or a few (``html``, ``svg``, ``damaged WebP``), where that is known."""


class ImageTruncated(ImageError):
    """The image's data ends too early."""

    code = "truncated"


class ImageUndecodable(ImageError):
    """The decoder refused the data."""

    code = "undecodable"


class ImageOverBudget(ImageError):
    """Canvas, frames, memory or time over the limit."""

    code = "over-budget"


class StoreError(MediamirrorError):
    """An item could not be stored, or not read from the store."""

    code = "store"


class StoreUnavailable(StoreError):
    """The store could not be reached or answered with a server error."""

    code = "store-unavailable"
    retryable = True


class BodyCutOff(StoreUnavailable):
    """An object's bytes broke off after they had begun; what was read so far is of no use."""


class StoreDenied(StoreError):
    """The store refused this call (403)."""

    code = "store-denied"


class NoSuchBucket(StoreError):
    """The bucket does not exist."""

    code = "no-such-bucket"


class StoreFull(StoreError):
    """No space left, or over quota."""

    code = "store-full"


class StoreStopped(StoreError):
    """Not tried: the destination failed too many objects in a row."""

    code = "store-stopped"


class BadKey(StoreError):
    """A key that breaks the contract of `store.base`."""

    code = "bad-key"


class NameTaken(BadKey):
    """A directory has a file where the key wants a directory, or a directory where it wants a file."""

    code = "name-taken"


class ObjectMissing(StoreError):
    """No object under that key."""

    code = "object-missing"


class SourceChanged(StoreError):
    """A file or object that was written to while it was read."""

    code = "source-changed"


class ObjectCorrupt(StoreError):
    """The stored bytes are not those that were sent or recorded."""

    code = "object-corrupt"

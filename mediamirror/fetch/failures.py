"""Maps errors of the HTTP client and the system to `FetchError`, each with a message for people."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator

import httpx2

from mediamirror.errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FetchError,
    HeadersTooLarge,
    InvalidURL,
    NotHTTP,
    SpoolFailed,
    TLSFailed,
    TooSlow,
)
from mediamirror.fetch.transfer import HeaderFlood, UnreadableHead


def as_fetch_error(error: Exception, shown_url: str) -> FetchError:
    """Return the most specific `FetchError` for what a request raised."""
    if isinstance(error, FetchError):
        return error
    if isinstance(error, httpx2.HTTPError):
        return _from_httpx2(error, shown_url)
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{shown_url} was not finished in time; raise --timeout to wait longer.")
    if isinstance(error, (httpx2.InvalidURL, ValueError)):
        # UnicodeError and IDNAError are ValueErrors.
        return InvalidURL(f"{shown_url} is not a URL that can be requested.")
    if isinstance(error, OSError):
        return SpoolFailed(
            f"{shown_url} could not be kept in a temporary file ({_words(error)}): free some space in "
            f"{tempfile.gettempdir()}, or set TMPDIR to another folder."
        )
    return FetchError(f"{shown_url} failed in an unforeseen way ({type(error).__name__}).")


def _from_httpx2(error: httpx2.HTTPError, shown_url: str) -> FetchError:
    match error:
        case httpx2.ConnectTimeout():
            return ConnectFailed(f"{shown_url}: no connection in time; is the host up, and the port right?")
        case httpx2.TimeoutException():
            return TooSlow(f"{shown_url}: the origin fell silent.")
        case httpx2.ConnectError() | httpx2.ProxyError():
            return _from_connect(error, shown_url)
        case httpx2.LocalProtocolError():
            return FetchError(f"{shown_url} can't be asked for: a header or the URL can't be written as HTTP.")
        case HeaderFlood():
            return HeadersTooLarge(f"{shown_url} answered with more headers than are accepted; see --max-header-size.")
        case UnreadableHead():
            return NotHTTP(f"{shown_url}: the origin did not answer in the form of HTTP ({error}).")
        case httpx2.RemoteProtocolError():
            return ConnectionLost(f"{shown_url}: the origin broke off or did not speak HTTP.")
        case _:
            return ConnectionLost(f"{shown_url}: the connection broke off.")


def _from_connect(error: httpx2.HTTPError, shown_url: str) -> FetchError:
    for cause in _causes(error):
        if why := getattr(cause, "verify_message", None):
            return TLSFailed(f"{shown_url}: the certificate is not trusted ({why}); see --cacert.")
        if isinstance(cause, ssl.SSLError) and (why := getattr(cause, "reason", None)):
            return TLSFailed(f"{shown_url}: the TLS handshake failed ({why}).")
        if isinstance(cause, socket.gaierror):
            return ConnectFailed(f"{shown_url}: the host name was not found.")
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return TLSFailed(f"{shown_url}: the TLS handshake failed.")
    reason = next((_words(c) for c in _causes(error) if isinstance(c, OSError) and c.errno), "no connection")
    via = "the proxy " if isinstance(error, httpx2.ProxyError) else ""
    return ConnectFailed(f"{shown_url}: {via}could not be reached ({reason}).")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _words(error: OSError) -> str:
    # Event loops put words of their own in place of the system's.
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__
    return text.rstrip(".").lower()

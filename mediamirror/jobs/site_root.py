"""A built site without a server: URLs of its own origin are files below a folder, and nothing is fetched.

No ``..`` and no link leads out of the folder; a URL of another origin is not looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mediamirror.errors import FetchError, InputMissing, NotInSite
from mediamirror.fetch import Request
from mediamirror.model import Body, Download

PLACEHOLDER = "https://site.invalid/"
"""The base URL of a site whose own is not given; ``.invalid`` never resolves (RFC 2606)."""


class OtherOrigin(FetchError):
    """A URL of another origin than the built site's."""

    code = "other-origin"


class SiteRoot:
    """The folder of a built site, served under ``base_url``. Raises `InputMissing` when it is no folder."""

    def __init__(self, root: Path, base_url: str | None) -> None:
        if not root.is_dir():
            raise InputMissing(f"--root {root} is not a directory.")
        self._root = root.resolve()
        base = urlsplit(base_url or PLACEHOLDER)
        self._origin = (base.scheme, base.netloc)
        self._path = base.path if base.path.endswith("/") else base.path.rpartition("/")[0] + "/"

    def url_of(self, document: str) -> str | None:
        """Return the URL that a document of the site would have; None when it is not below the folder."""
        try:
            relative = Path(document).resolve().relative_to(self._root)
        except ValueError:
            return None
        return f"{self._origin[0]}://{self._origin[1]}{self._path}{quote(relative.as_posix())}"

    async def bring(self, request: Request) -> Download:
        """Read a URL of the site from its file. Raises `NotInSite` for a missing one, `OtherOrigin`."""
        parts = urlsplit(request.url)
        if (parts.scheme, parts.netloc) != self._origin:
            raise OtherOrigin(f"{request.url} is not part of the site, and nothing is fetched with --root.")
        path = self._file(parts.path)
        if path is None:
            raise NotInSite(f"{request.url} has no file below {self._root}.")
        data = await asyncio.to_thread(path.read_bytes)
        body = Body(len(data), hashlib.sha256(data).hexdigest(), data, prefix=data[: 64 * 1024])
        return Download(request.url, request.url, 200, (), body, datetime.now(UTC))

    def _file(self, url_path: str) -> Path | None:
        if not url_path.startswith(self._path):
            return None
        path = (self._root / unquote(url_path.removeprefix(self._path))).resolve()
        return path if path.is_relative_to(self._root) and path.is_file() else None

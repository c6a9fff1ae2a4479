"""A built site without a server: URLs of its own origin are files below a folder, and nothing is fetched.

No ``..`` and no link leads out of the folder; a URL of another origin is not looked at.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from mediamirror.errors import BodyTooLarge, FetchError, InputMissing, NotInSite
from mediamirror.fetch.request import Request
from mediamirror.first_use import pattern, replace
from mediamirror.markup.places.urls import UNPLACED
from mediamirror.model import Body, Download

_PLACED = pattern(re.escape(UNPLACED) + r"([^\s\"'<>`]*)")
T = TypeVar("T")


def own_root(inputs: Sequence[str]) -> Path | None:
    """The one INPUT that is the folder of a built site, as its ``index.html`` shows: its own root where none is given."""
    folder = Path(inputs[0]) if len(inputs) == 1 else None
    return folder if folder is not None and (folder / "index.html").is_file() else None


class OtherOrigin(FetchError):
    """A URL of another origin than the built site's."""

    code = "other-origin"


class Unreadable(FetchError):
    """A file of a built site that is there and can't be read."""

    code = "unreadable"


class SiteRoot:
    """The folder of a built site, served under ``base_url``; a file has at most ``most`` bytes.

    Raises `InputMissing` when it is no folder.
    """

    def __init__(self, root: Path, base_url: str | None, *, most: int) -> None:
        self._most = most
        if not root.is_dir():
            raise InputMissing(f"--root {root} is not a directory.")
        self._root, self._given = Path(os.path.realpath(root)), root
        base = urlsplit(base_url or UNPLACED)
        self._origin = (base.scheme, base.netloc)
        self._path = base.path if base.path.endswith("/") else base.path.rpartition("/")[0] + "/"

    def url_of(self, document: str) -> str | None:
        """Return the URL that a document of the site would have; None when it is not below the folder."""
        try:
            relative = Path(os.path.realpath(document)).relative_to(self._root)
        except ValueError:
            return None
        return f"{self._origin[0]}://{self._origin[1]}{self._path}{quote(relative.as_posix())}"

    def holds(self, url: str) -> bool:
        """Whether a URL is of the site."""
        parts = urlsplit(url)
        return (parts.scheme, parts.netloc) == self._origin

    def with_paths(self, thing: T) -> T:
        """Return an event, or a part of one, with the paths of files where URLs of the placeholder stand."""
        told: Any = thing
        if isinstance(told, str):
            if UNPLACED not in told:
                return thing
            return _PLACED.sub(lambda found: str(self._given / unquote(found[1])), told)  # type: ignore[return-value]
        if type(told) in (tuple, list):
            changed = [self.with_paths(each) for each in told]
            same = all(a is b for a, b in zip(changed, told, strict=True))
            return thing if same else type(told)(changed)
        if not is_dataclass(told) or isinstance(told, type):
            return thing
        values = {each.name: getattr(told, each.name) for each in fields(told) if each.init}
        news = {name: new for name, old in values.items() if (new := self.with_paths(old)) is not old}
        return replace(told, **news) if news else thing  # type: ignore[return-value]

    async def bring(self, request: Request) -> Download:
        """Read a URL of the site from its file.

        Raises `NotInSite` for a missing one, `BodyTooLarge`, `Unreadable` and `OtherOrigin`.
        """
        parts = urlsplit(request.url)
        if not self.holds(request.url):
            raise OtherOrigin(f"{request.url} is not part of the site, and nothing is fetched with --root.")
        data = await asyncio.to_thread(self._read, request, parts.path)
        body = Body(len(data), hashlib.sha256(data).hexdigest(), data, prefix=data[: 64 * 1024])
        return Download(request.url, request.url, 200, (), body, datetime.now(UTC))

    def _read(self, request: Request, url_path: str) -> bytes:
        missing = f"{request.url} has no file below {self._root}."
        if not url_path.startswith(self._path):
            raise NotInSite(missing, f"the site is what lies below {self._path}")
        try:
            path = Path(os.path.realpath(self._root / unquote(url_path.removeprefix(self._path))))
            if not path.is_relative_to(self._root):
                raise NotInSite(missing, "its path leads out of the site's folder")
            if not path.is_file():
                raise NotInSite(missing, _near(path))
            limit = self._most if request.max_size is None else min(self._most, request.max_size)
            if (size := path.stat().st_size) > limit:
                raise BodyTooLarge(f"{request.url} has {size:,} bytes; the limit is {limit:,} (--max-size).")
            return path.read_bytes()
        except ValueError:  # a NUL
            raise NotInSite(missing) from None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT):
                raise NotInSite(missing) from None
            why = (error.strerror or str(error)).lower()
            raise Unreadable(f"The file of {request.url} can't be read: {why}.") from None


def _near(path: Path) -> str:
    """The file that differs in capitals alone: some disks give it out under either name, and the web server does not."""
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return ""
    near = next((name for name in names if name != path.name and name.casefold() == path.name.casefold()), None)
    return f"there is {near}, in other capitals" if near else ""

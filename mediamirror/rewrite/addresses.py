"""Where the objects of a mirror are found from a page: under a public URL, or by a relative path. Pure."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from urllib.parse import unquote

from ada_url import URL

from mediamirror.first_use import dataclass
from mediamirror.model import Candidate
from mediamirror.rewrite.spelling import BadAddress, as_target, means, of_key


@dataclass(frozen=True, slots=True)
class Addresses:
    """How keys are addressed: below ``prefix``, which ends with a slash, or by paths to ``root``, the mirror's folder."""

    prefix: str | None = None
    root: str | None = None

    def of(self, key: str, folder: str) -> str:
        """Return the address of a key on a page in ``folder``."""
        return (self.prefix or _path(self.root or "", folder)) + of_key(key)

    def key_of(self, candidate: Candidate, folder: str) -> str | None:
        """Return the key that a candidate's address on a page in ``folder`` leads to: resolved, or as it is written."""
        prefix = self.prefix if self.prefix is not None else _path(self.root or "", folder)
        is_written = self.prefix is None or prefix.startswith("/")
        address = means(candidate.raw_url) if is_written else candidate.url
        if not address.startswith(prefix):
            return None
        return unquote(re.split(r"[?#]", address.removeprefix(prefix), maxsplit=1)[0])

    @property
    def host(self) -> str | None:
        """The origin that a Content-Security-Policy has to allow, or None for that of the page itself."""
        return str(URL(self.prefix).origin) if self.prefix is not None and "://" in self.prefix else None


@lru_cache(maxsize=1)
def _path(root: str, folder: str) -> str:
    """The path from a page's folder to the mirror's: asked for each of the page's URLs."""
    path = os.path.relpath(root, folder)
    # "./" says that it is a path: in a text, a bare name is a word.
    start = "" if path.startswith("..") else "./"
    return start + ("" if path == "." else of_key(path.replace(os.sep, "/")) + "/")


def under(public_url: str) -> Addresses:
    """Address keys under a public URL, or under a path of the pages' own host. Raises `BadAddress`."""
    address = as_target(public_url)
    if re.match(r"https?://|/(?!/)", address) is None:
        raise BadAddress(
            f"{public_url!r} is neither a URL such as https://media.example.org/ nor a path such as /media/"
        )
    if "?" in address or "#" in address:
        raise BadAddress(f"{public_url!r} has a query or a fragment, and keys are paths under it")
    if "://" in address and (URL(address).username or URL(address).password):
        raise BadAddress("it holds a user name or a password, which every reader of the pages would see")
    return Addresses(prefix=address if address.endswith("/") else f"{address}/")

"""Keys as a file system sees them that takes ``a`` and ``A`` for one name, as macOS and Windows do."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b


class Folding:
    """The keys of a source, each as small as can be: 8 bytes of a hash. A million take about 70 MB, on such file systems alone."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def takes(self, key: str) -> bool:
        """Note a key; False when another one with the same name there was noted before."""
        before = len(self._seen)
        self._seen.add(_name(key))
        return len(self._seen) > before

    def has(self, key: str) -> bool:
        """Whether a key with the same name there was noted."""
        return _name(key) in self._seen


def _name(key: str) -> int:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())
    return int.from_bytes(blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")

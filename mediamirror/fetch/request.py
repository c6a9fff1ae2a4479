"""What is asked of a fetcher, and the contract every fetcher keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mediamirror.model import Download

IMAGES = "image/avif,image/webp,image/*,*/*;q=0.8"
"""The Accept header of a browser that wants an image. PNG and JPEG are among ``image/*``."""


@dataclass(frozen=True, slots=True)
class Request:
    """One URL to GET.

    With ``etag`` or ``last_modified`` the request is conditional, and 304 is a good answer. ``range`` is the first and the
    last byte wanted (the last one included, None for the rest); an origin may answer with the whole all the same.
    ``max_size`` in bytes overrides the options'. ``allow_empty`` accepts a 200 without a single byte.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None
    accept: str = IMAGES
    range: tuple[int, int | None] | None = None
    max_size: int | None = None
    allow_empty: bool = False

    @property
    def for_image(self) -> bool:
        """True for what is wanted as an image, not as a document."""
        return self.accept == IMAGES

    @property
    def conditional(self) -> bool:
        """True when the caller holds a copy and asks only whether it still holds."""
        return self.etag is not None or self.last_modified is not None


class Fetcher(Protocol):
    """Anything that turns a `Request` into a `Download`.

    ``fetch`` returns a whole body or raises; may be called concurrently; raises only `errors.FetchError` and its
    subclasses, besides cancellation, which leaves no file and no open connection behind. A body that was spooled
    belongs to the caller, who ends it with `discard`.
    """

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL."""
        ...

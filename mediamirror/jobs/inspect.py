"""Looking at the bytes: every pixel in a worker process, or the header alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mediamirror.imaging.decode import DecoderPool
from mediamirror.imaging.header import check_budget, read_body
from mediamirror.model import Body, ImageFacts
from mediamirror.settings import CheckOptions

Inspect = Callable[[Body], Awaitable[ImageFacts]]
"""Body to facts; raises `ImageError`."""


@asynccontextmanager
async def open_inspector(options: CheckOptions) -> AsyncIterator[Inspect]:
    """Open what ``--check`` asks for; decoder processes end with the block."""
    if options.check == "header":
        yield lambda body: _header_only(body, options)
        return
    async with DecoderPool(options) as pool:
        yield pool.decode


async def _header_only(body: Body, options: CheckOptions) -> ImageFacts:
    facts = read_body(body)
    check_budget(facts, options)
    return facts

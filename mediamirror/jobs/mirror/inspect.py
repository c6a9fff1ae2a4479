"""Looking at the bytes: every pixel in a worker process, or the header alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.header import check_budget, read_body, read_whole_body
from mediamirror.model import Body, ImageFacts
from mediamirror.settings import CheckOptions

Inspect = Callable[[Body], Awaitable[ImageFacts]]
"""Body to facts; raises `ImageError`."""


@asynccontextmanager
async def open_inspector(options: CheckOptions) -> AsyncIterator[Inspect]:
    """Open what ``--check`` asks for; decoder processes end with the block."""
    if options.check == "header":
        yield lambda body: header_only(body, options)
        return
    async with DecoderPool(options) as pool:
        yield pool.decode


async def header_only(body: Body, options: CheckOptions) -> ImageFacts:
    """Facts without decoding. A body that its connection's end alone ended is walked through to its own end."""
    facts = read_body(body) if body.framed else await asyncio.to_thread(read_whole_body, body)
    check_budget(facts, options)
    return facts

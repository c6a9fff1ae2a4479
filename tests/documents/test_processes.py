"""Processes of our own: their end is heard whatever they were doing."""

from __future__ import annotations

import asyncio
import sys

from mediamirror.processes import ended

TALKS = "import os\nwhile True: os.write(1, b'x' * 65536)"


async def test_the_end_of_a_process_is_heard_while_its_output_waits_for_a_reader() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", TALKS, stdout=asyncio.subprocess.PIPE)
    reader = process.stdout
    assert reader is not None
    await reader.readexactly(1_000_000)
    while len(reader._buffer) < 2 * reader._limit:  # type: ignore[attr-defined]  # noqa: ASYNC110 -- there asyncio stops to read
        await asyncio.sleep(0.01)
    process.kill()
    async with asyncio.timeout(60):
        assert await ended(process) == -9

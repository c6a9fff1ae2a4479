"""A job as a stream of events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from mediamirror import ImageSet, Planned, Summary, events, parse
from mediamirror.errors import InputMissing


@pytest.fixture
def page(tmp_path: Path) -> str:
    (tmp_path / "page.html").write_text('<img src="https://example.org/a.webp"><img src="https://example.org/b.webp">')
    return str(tmp_path / "page.html")


async def test_events_come_in_order_and_the_summary_is_the_last(page: str) -> None:
    told = [event async for event in events(parse, [page])]
    assert [type(event) for event in told] == [ImageSet, ImageSet, Summary]


async def test_what_stops_a_job_is_raised_in_the_loop() -> None:
    with pytest.raises(InputMissing):
        async for _ in events(parse, ["not-there.html"]):
            pass


async def test_leaving_the_loop_early_cancels_the_job() -> None:
    ended: list[str] = []

    async def job(*, on_event: Any) -> Summary:
        on_event(Planned(1, 1, 1, 1))
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("saved")
        return Summary()

    async with aclosing(events(job)) as stream:
        async for _ in stream:
            break
    assert ended == ["saved"]

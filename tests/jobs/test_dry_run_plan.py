"""A dry run plans less than a run does, and says the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mediamirror import JobOptions, MirrorOptions, SelectOptions, mirror
from mediamirror.catalog.ingest import PlanRows
from mediamirror.model import Event, ImageSet, ObjectEvent, Problem, Rendered, Summary

LIST = """https://a.example/1.jpg
https://A.example/1.jpg
https://b.example/up/2-480.webp
https://b.example/up/2-960.webp
https://a.example/3.jpg?w=320&sig=0123456789abcdef0123456789abcdef 320w
http://u:secret@a.example/4.jpg
not a url
https://a.example/1.jpg
"""
PAGE = """<img src="https://a.example/1.jpg" alt="">
<img src="https://a.example/5.jpg" srcset="https://a.example/5.jpg 480w, https://a.example/6.jpg 960w" sizes="9px">
<img src="https://a.example/6.jpg" srcset="https://a.example/6.jpg 960w, https://a.example/5.jpg 480w"><img src="relative.jpg">
"""


async def told(place: Path, options: MirrorOptions) -> list[Event]:
    (place / "list.txt").write_text(LIST)
    (place / "page.html").write_text(PAGE)
    events: list[Event] = []
    options = replace(options, job=replace(options.job, dry_run=True))
    inputs = [str(place / "list.txt"), str(place / "page.html")]
    await mirror(inputs, to=str(place / "m"), options=options, on_event=events.append)
    return [replace(event, seconds=0) if isinstance(event, Summary) else event for event in events]


@pytest.mark.parametrize(
    "select",
    [
        SelectOptions(),
        SelectOptions(rungs="largest"),
        SelectOptions(min_width=500),
        SelectOptions(exclude=("*/1.jpg",)),
    ],
    ids=["all", "largest", "wide", "named"],
)
async def test_the_plan_of_a_dry_run_is_that_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select: SelectOptions
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    bare = await told(tmp_path, MirrorOptions(select=select))
    begin = PlanRows.__init__
    monkeypatch.setattr(PlanRows, "__init__", lambda rows, *, promises: begin(rows, promises=True))
    assert await told(tmp_path, MirrorOptions(select=select)) == bare
    assert sum(isinstance(event, ObjectEvent) for event in bare) > 1


async def test_sets_without_problems_are_counted_where_nobody_wants_to_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    every = await told(tmp_path, MirrorOptions())
    few = await told(tmp_path, MirrorOptions(job=JobOptions(tell_found=False)))
    sets = [event for event in every if isinstance(event, ImageSet)]
    kept = [event for event in few if not isinstance(event, Rendered)]
    assert kept == [event for event in every if not isinstance(event, ImageSet) or event.problems]
    assert any(isinstance(event, Problem) for event in kept)
    assert sum(event.sets for event in few if isinstance(event, Rendered)) == sum(not each.problems for each in sets)

"""Runs that have looked at nothing: each says so, and none of them is a success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image
from mediamirror import UsageError, check, scrub, verify
from mediamirror.jobs.verify.job import simulate_screens
from mediamirror.model import ImageSet, Problem
from mediamirror.settings import CheckOptions, CompareOptions, ScrubOptions, SyncOptions, VerifyOptions


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.png").write_bytes(make_image(48, 32, "png"))
    (folder / "index.html").write_text('<img src="a.png" alt="A">')
    return folder


async def codes(inputs: Path, **options: Any) -> tuple[int, list[str]]:
    events: list[object] = []
    summary = await verify([str(inputs)], options=VerifyOptions(**options), on_event=events.append)
    return summary.exit_code, [event.code for event in events if isinstance(event, Problem)]


async def test_a_site_all_of_whose_images_are_of_another_one_was_not_looked_at(site: Path) -> None:
    (site / "index.html").write_text('<img src="https://cdn.example/a.png" alt="A">')
    assert await codes(site, root=site) == (1, ["nothing-checked"])
    (site / "index.html").write_text('<img src="https://cdn.example/a.png" alt="A"><img src="a.png" alt="B">')
    assert await codes(site, root=site) == (0, [])


@pytest.mark.parametrize(
    ("word", "header", "why"),
    [
        ("MM312", True, "MM312 can find nothing here, since it needs every pixel: omit --check header"),
        ("MM401", False, "needs --ladder WIDTHS"),
        ("heavier-than-modern", False, "MM406 can find nothing here, since it needs --estimate"),
        ("MM5", False, "is about a mirror: give verify --mirror DEST"),
    ],
)
async def test_a_rule_that_can_find_nothing_is_not_selected_in_silence(
    site: Path, word: str, header: bool, why: str
) -> None:
    checks = CheckOptions(check="header" if header else "decode")
    with pytest.raises(UsageError) as refused:
        await codes(site, root=site, select=("MM3", word), check=checks)
    assert why in refused.value.message


@pytest.mark.parametrize(("word", "why"), [("MM1", "is about pages"), ("MM505", "asks the origins: give --source")])
async def test_nor_is_one_that_says_nothing_of_a_mirror(site: Path, word: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        await scrub(str(site), options=ScrubOptions(select=(word,)))


async def test_a_file_that_a_screen_would_load_and_nobody_can_read_is_no_success(site: Path) -> None:
    (site / "index.html").write_text('<img srcset="a.png 48w, gone.png 960w" sizes="100vw" alt="A">')
    told: list[object] = []
    screened = await simulate_screens(
        [str(site)], options=VerifyOptions(root=site), on_set=lambda *choice: told.append(choice)
    )
    assert (screened.exit_code, screened.statuses, len(told)) == (1, {"checked": 1, "failed": 1}, 1)
    (site / "index.html").write_text('<img srcset="a.png 48w" sizes="100vw" alt="A">')
    assert (
        await simulate_screens([str(site)], options=VerifyOptions(root=site), on_set=lambda *_: None)
    ).exit_code == 0


async def test_two_places_without_an_object_were_not_compared(site: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    told: list[object] = []
    summary = await check(str(tmp_path / "one"), str(tmp_path / "two"), on_event=told.append)
    assert (summary.exit_code, [event.code for event in told if isinstance(event, Problem)]) == (1, ["no-objects"])
    options = SyncOptions(compare=CompareOptions(include=("*.jgp",)))
    assert (await check(str(site), str(site.parent / "one"), options=options)).exit_code == 1


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg", "gif", "avif"])
async def test_an_image_that_is_an_input_itself_names_none_and_is_no_success(site: Path, kind: str) -> None:
    path = site / f"photo.{kind}"
    path.write_bytes(make_image(4, 4, kind))
    told: list[object] = []
    summary = await verify([str(path)], on_event=told.append)
    (problem,) = [event for event in told if isinstance(event, Problem)]
    assert (summary.exit_code, problem.code) == (2, "binary-document")
    assert problem.message.endswith(
        "is an image itself: give the page that names it, or a list of image URLs with --as urls."
    )


async def test_a_text_that_speaks_of_an_image_format_is_read(site: Path) -> None:
    for number, text in enumerate(
        ("GIF89a is how it begins: ", "BM and II* too: ", "RIFF, then WEBP: ", "The ftypavif box: ")
    ):
        (site / f"{number}.txt").write_text(text + "https://a.example/a_480.jpg 480w, https://a.example/a_960.jpg 960w")
        events: list[object] = []
        await verify([str(site / f"{number}.txt")], options=VerifyOptions(root=site), on_event=events.append)
        assert [event for event in events if isinstance(event, ImageSet)]

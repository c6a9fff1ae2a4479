"""A segment of a mirror's manifest is damaged: what is refused leaves nothing behind, and `catalog rebuild` is the way out."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from mediamirror import (
    CheckOptions,
    FetchOptions,
    MirrorOptions,
    ScrubOptions,
    mirror,
    scrub,
)
from mediamirror.catalog.listing import Query
from mediamirror.errors import ManifestDamaged, StoreDenied
from mediamirror.jobs.catalog.adopt import import_, rebuild
from mediamirror.jobs.catalog.catalogs import list_rows, locate
from mediamirror.jobs.run.manifest import ASIDE, SEGMENTS
from mediamirror.model import Event, Problem
from mediamirror.settings import default_catalog
from mediamirror.store.directory import DirectoryStore

HEADER = CheckOptions(check="header")
OPTIONS = MirrorOptions(fetch=FetchOptions(retries=0), check=HEADER)
PICTURE = make_image(64, 48, "png")
MORE = "https://media.example/more.png"


def answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path == "/robots.txt":
        return httpx2.Response(404)
    return httpx2.Response(200, headers={"content-type": "image/png", "etag": '"1"'}, content=PICTURE)


async def take(tmp_path: Path, *urls: str) -> int:
    """Mirror a page with images of these URLs."""
    page = tmp_path / "page.html"
    page.write_text("".join(f'<img src="{url}">' for url in urls))
    to = str(tmp_path / "m")
    return (await mirror([str(page)], to=to, options=OPTIONS, transport=httpx2.MockTransport(answer))).exit_code


async def proved(place: Path, told: list[Event] | None = None) -> tuple[int, dict[str, int]]:
    note = [].append if told is None else told.append  # type: ignore[var-annotated]
    summary = await scrub(str(place), options=ScrubOptions(check=HEADER), on_event=note)
    return summary.exit_code, dict(summary.statuses)


@pytest.fixture
async def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The newer of the two segments of a mirror in a directory, cut; the machine has no catalog of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "first"))
    assert await take(tmp_path, "https://media.example/a.png?w=1") == 0
    assert await take(tmp_path, "https://media.example/a.png?w=1", MORE) == 0
    _, segment = sorted((tmp_path / "m" / SEGMENTS).iterdir())
    segment.write_bytes(segment.read_bytes()[:-20])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return segment


def aside(segment: Path) -> Path:
    return segment.parents[2] / ASIDE / segment.name


def there(*files: Path) -> list[bool]:
    return [file.exists() for file in files]


async def urls(place: Path) -> set[str | None]:
    return {row.url async for row in list_rows(locate(str(place), None, None), Query())}


async def test_without_a_catalog_nothing_is_done_and_no_empty_one_is_left(cut: Path, tmp_path: Path) -> None:
    before = sorted((tmp_path / "m").rglob("*"))
    for command in (proved(tmp_path / "m"), take(tmp_path, MORE), urls(tmp_path / "m")):
        with pytest.raises(
            ManifestDamaged, match=r"is damaged .*`mediamirror catalog rebuild DEST`.* Nothing was done"
        ) as caught:
            await command
        assert (caught.value.exit_code, cut.name in caught.value.message) == (2, True)
        assert [file for file in (tmp_path / "state").rglob("*") if file.is_file()] == []
    assert sorted((tmp_path / "m").rglob("*")) == before


async def test_a_rebuild_sets_the_damaged_segment_aside_and_everything_goes_on(cut: Path, tmp_path: Path) -> None:
    (damaged,), told = map(Path.read_bytes, [cut]), list[object]()
    assert (await rebuild(str(tmp_path / "m"), on_event=told.append)).exit_code == 1
    (said,) = [event.message for event in told if isinstance(event, Problem)]
    assert f"{cut.name} is damaged (" in said
    assert f"It was set aside as {aside(cut)}. " in said
    assert (there(cut), aside(cut).read_bytes()) == ([False], damaged)
    # The whole segment is still believed: without it nobody knows a URL with a query.
    assert "https://media.example/a.png?w=1" in await urls(tmp_path / "m")
    assert await proved(tmp_path / "m") == (0, {"checked": 2})
    assert await take(tmp_path, "https://media.example/a.png?w=1", MORE) == 0
    assert (await rebuild(str(tmp_path / "m"), catalog=tmp_path / "new.sqlite")).exit_code == 0


async def test_where_it_can_not_be_set_aside_verify_still_looks_at_every_object(
    cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(*_: object) -> None:
        raise StoreDenied("The bucket may not be written to.")

    told: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(DirectoryStore, "put", denied)
        assert (await rebuild(str(tmp_path / "m"), on_event=told.append)).exit_code == 1
    said = [event.message for event in told if isinstance(event, Problem)]
    assert "was not set aside: The bucket may not be written to." in said[0]
    assert "remove it" in said[1]
    assert there(cut, aside(cut)) == [True, False]
    found: list[Event] = []
    assert await proved(tmp_path / "m", found) == (1, {"checked": 2})
    assert [event.code for event in found if isinstance(event, Problem)] == ["object-corrupt"]


async def test_import_leaves_the_segment_where_it_is(cut: Path, tmp_path: Path) -> None:
    assert (await import_(str(tmp_path / "m"))).exit_code == 1
    assert there(cut, aside(cut)) == [True, False]


@pytest.mark.usefixtures("cut")
async def test_an_empty_catalog_is_no_reason_against_a_rebuild(tmp_path: Path) -> None:
    catalog = default_catalog(str(tmp_path / "m"))
    (tmp_path / "empty").mkdir()
    await import_(str(tmp_path / "empty"), catalog=catalog)
    assert catalog.exists()
    assert (await rebuild(str(tmp_path / "m"))).counts["objects recorded"] == 2

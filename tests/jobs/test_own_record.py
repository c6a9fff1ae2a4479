"""A mirror in a directory carries its own record: moved or copied, it still proves itself and is not fetched again."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from PIL import Image, PngImagePlugin

from fixtures.images import make_image
from mediamirror import (
    CheckOptions,
    FetchOptions,
    MirrorOptions,
    Outcome,
    ScrubOptions,
    Summary,
    UsageError,
    mirror,
    scrub,
)
from mediamirror.jobs.catalog.adopt import rebuild
from mediamirror.jobs.run.manifest import SEGMENTS
from mediamirror.model import Event, ObjectEvent

FETCH = FetchOptions(retries=0)
MIRROR = MirrorOptions(fetch=FETCH, check=CheckOptions(check="header"))
URLS = ("https://media.example/a.png?w=1", "https://media.example/b_64.png", "https://cdn.example/c_64.png")


class Origin:
    """Gives every URL its picture, two of them the same, and 304 to whom it gave it before; counts the pictures given."""

    def __init__(self) -> None:
        self.given = 0
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/robots.txt":
            return httpx2.Response(404)
        tag = f'"{request.url.path}"'
        if request.headers.get("if-none-match") == tag:
            return httpx2.Response(304, headers={"etag": tag})
        self.given += 1
        body = make_image(64, 48, "png", seed=len(request.url.path))  # b and c are the same
        return httpx2.Response(200, headers={"content-type": "image/png", "etag": tag}, content=body)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    images = "".join(f'<img alt="a boat" src="{url}" srcset="{url} 64w">' for url in URLS)
    (tmp_path / "page.html").write_text(images)
    return str(tmp_path / "page.html")


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on another machine: one without any catalog."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state-elsewhere"))


async def proved(where: Path, **options: object) -> tuple[Summary, dict[str, str]]:
    told: dict[str, str] = {}

    def note(event: Event) -> None:
        if isinstance(event, Outcome):
            told[(event.key or "").rpartition("/")[2]] = event.status.value

    header = ScrubOptions(check=CheckOptions(check="header"))
    return await scrub(str(where), options=replace(header, **options), on_event=note), told  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["path", "hash"])
async def test_a_copied_mirror_proves_itself_and_no_image_comes_a_second_time(
    page: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = Origin()
    options = replace(MIRROR, store=replace(MIRROR.store, layout=layout))  # type: ignore[arg-type]
    await mirror([page], to=str(tmp_path / "m"), options=options, transport=origin.transport)
    shutil.copytree(tmp_path / "m", tmp_path / "copied")
    elsewhere(tmp_path, monkeypatch)
    summary, _ = await proved(tmp_path / "copied")
    assert (summary.exit_code, set(summary.statuses)) == (0, {"checked"})
    origin.given = 0
    again = await mirror([page], to=str(tmp_path / "copied"), options=options, transport=origin.transport)
    assert (origin.given, again.bytes_in, again.bytes_out) == (0, 0, 0)
    assert again.statuses == {"unchanged": 3}


DAMAGE: list[tuple[str, Callable[[Path], object], dict[str, str]]] = [
    ("cut", lambda file: file.write_bytes(file.read_bytes()[:-1]), {"c_64.png": "rejected"}),
    ("replaced", lambda file: file.write_text("<!doctype html>"), {"c_64.png": "rejected"}),
    ("deleted", lambda file: file.unlink(), {"c_64.png": "rejected"}),
    ("joined", lambda file: file.with_name("evil.webp").write_text("text"), {"evil.webp": "rejected"}),
    ("joined", lambda file: file.with_name("e.png").write_bytes(make_image(9, 9, "png")), {"e.png": "unrecorded"}),
]


@pytest.mark.parametrize(("how", "damage", "found"), DAMAGE)
async def test_a_moved_mirror_is_compared_with_the_record_that_it_carries(
    page: str, how: str, damage: Callable[[Path], object], found: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    (tmp_path / "m").rename(tmp_path / "moved")
    damage(tmp_path / "moved" / "cdn.example" / "c_64.png")
    elsewhere(tmp_path, monkeypatch)
    summary, told = await proved(tmp_path / "moved")
    assert summary.exit_code == 1, how
    assert found.items() <= told.items()
    assert list(told.values()).count("checked") == len(URLS) - (how != "joined")


async def test_a_mirror_of_which_there_is_no_record_is_refused_with_what_to_do(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    shutil.rmtree(tmp_path / "m" / SEGMENTS)
    elsewhere(tmp_path, monkeypatch)
    with pytest.raises(UsageError, match=r"the catalog .*state-elsewhere.* is not there.*catalog rebuild"):
        await proved(tmp_path / "m")
    summary, told = await proved(tmp_path / "m", allow_unrecorded=True)
    assert (summary.exit_code, set(told.values())) == (0, {"unrecorded"})
    (tmp_path / "m" / "cdn.example" / "c_64.png").write_bytes(b"no picture")
    summary, told = await proved(tmp_path / "m", allow_unrecorded=True)
    assert (summary.exit_code, told["c_64.png"]) == (1, "rejected")


async def test_what_is_not_in_the_record_is_counted_and_fails_unless_it_is_allowed(page: str, tmp_path: Path) -> None:
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    (tmp_path / "m" / "notes.txt").write_text("mine")
    summary, told = await proved(tmp_path / "m")
    assert (summary.exit_code, told["notes.txt"], summary.statuses["checked"]) == (1, "unrecorded", 3)
    summary, told = await proved(tmp_path / "m", allow_unrecorded=True)
    assert (summary.exit_code, told["notes.txt"]) == (0, "unrecorded")


async def test_a_catalog_rebuilt_from_a_copy_knows_all_that_the_first_one_did_of_its_objects(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = Origin()
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=origin.transport)
    shutil.copytree(tmp_path / "m", tmp_path / "copied")
    elsewhere(tmp_path, monkeypatch)
    summary = await rebuild(str(tmp_path / "copied"))
    assert (summary.exit_code, summary.counts) == (0, {"objects recorded": 3, "sets recorded": 3})
    origin.given = 0
    await mirror([page], to=str(tmp_path / "copied"), options=MIRROR, transport=origin.transport)
    assert origin.given == 0


async def test_a_run_that_dies_before_it_writes_its_record_leaves_that_to_the_next_one(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mediamirror.jobs.mirror.job.write_segment", dies)
        with pytest.raises(KeyboardInterrupt):
            await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    assert not (tmp_path / "m" / SEGMENTS).exists()
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    elsewhere(tmp_path, monkeypatch)
    assert (await proved(tmp_path / "m"))[0].statuses == {"checked": 3}


async def test_a_record_that_somebody_removed_is_written_again(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    (segment,) = (tmp_path / "m" / SEGMENTS).iterdir()
    told = [json.loads(line)["type"] for line in gzip.decompress(segment.read_bytes()).splitlines()]
    assert sorted(told) == ["object"] * 3 + ["set"] * 3
    segment.unlink()
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    elsewhere(tmp_path, monkeypatch)
    assert (await proved(tmp_path / "m"))[0].statuses == {"checked": 3}


@pytest.mark.parametrize(("how", "code"), [("exchanged", "object-corrupt"), ("deleted", "object-missing")])
async def test_a_rebuilt_catalog_does_not_call_right_what_differs_from_the_manifest(
    page: str, how: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    elsewhere(tmp_path, monkeypatch)
    file = tmp_path / "m" / "cdn.example" / "c_64.png"
    sound = file.read_bytes()
    file.unlink()
    if how == "exchanged":
        file.write_bytes(make_image(64, 48, "png", seed=99))  # an image as good as the other
    told: list[object] = []
    summary = await rebuild(str(tmp_path / "m"), on_event=told.append)
    assert (summary.exit_code, summary.counts) == (1, {"failed": 1, "objects recorded": 2, "sets recorded": 3})
    assert code in [event.error.code for event in told if isinstance(event, ObjectEvent) and event.error]
    checked, found = await proved(tmp_path / "m")
    assert (checked.exit_code, found["c_64.png"]) == (1, "rejected")
    copy = tmp_path / "copy" / "cdn.example"
    copy.mkdir(parents=True)
    (copy / "c_64.png").write_bytes(sound)
    mended, found = await proved(tmp_path / "m", repair=True, second=str(tmp_path / "copy"))
    assert (mended.exit_code, found["c_64.png"], file.read_bytes()) == (0, "repaired", sound)


async def test_a_copied_mirror_without_metadata_is_not_fetched_again(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, texts = Origin(), PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    body = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(body, "PNG", pnginfo=texts)
    monkeypatch.setattr("tests.jobs.test_own_record.make_image", lambda *_, **__: body.getvalue())
    options = replace(MIRROR, store=replace(MIRROR.store, strip_metadata=True))
    await mirror([page], to=str(tmp_path / "m"), options=options, transport=origin.transport)
    stored = (tmp_path / "m" / "cdn.example" / "c_64.png").read_bytes()
    assert b"somebody" in body.getvalue()
    assert b"somebody" not in stored
    shutil.copytree(tmp_path / "m", tmp_path / "copied")
    elsewhere(tmp_path, monkeypatch)
    origin.given = 0
    again = await mirror([page], to=str(tmp_path / "copied"), options=options, transport=origin.transport)
    assert (origin.given, again.statuses) == (0, {"unchanged": 3})
    assert (await proved(tmp_path / "copied"))[0].statuses == {"checked": 3}

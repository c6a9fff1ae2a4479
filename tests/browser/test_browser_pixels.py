"""The natural size that we tell is the one that Chromium tells, and a stripped file shows what it showed before."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from PIL import Image

from fixtures.browser.chromium import Tab
from fixtures.browser.screens import SCREENS
from fixtures.browser.shown import LOOK
from fixtures.mistakes import ANCILLARY, CRITICAL, JPEG_PASSED, JPEG_REFUSED, PALETTE, PNG
from fixtures.stripping import swept
from fixtures.turned import Case, cases
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.strip import STRIPPED, strip

OpenTab = Callable[..., AbstractContextManager[Tab]]


def seen(tab: Tab, data: bytes, mime: str) -> tuple[tuple[int, int], int]:
    """Natural size, and a number made of every pixel."""
    width, height, pixels = tab.evaluate(LOOK, f"data:{mime};base64,{base64.b64encode(data).decode()}")
    return (width, height), pixels


@pytest.fixture(scope="module")
def tab(chromium: object) -> Iterator[Tab]:
    with chromium.tab(SCREENS[0]) as opened:  # type: ignore[attr-defined]
        yield opened


@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_natural_size_is_chromiums(tab: Tab, case: Case) -> None:
    assert (read_whole(case.data).natural, case.natural) == (seen(tab, case.data, case.mime)[0],) * 2


@pytest.mark.parametrize("case", [c for c in cases() if c.mime.removeprefix("image/") in STRIPPED], ids=str)
def test_a_stripped_file_shows_what_it_showed(tab: Tab, case: Case) -> None:
    assert seen(tab, strip(case.data), case.mime) == seen(tab, case.data, case.mime)


@pytest.mark.parametrize(("data", "mime"), [pytest.param(data, mime, id=name) for name, data, mime in swept()])
def test_a_swept_file_shows_what_it_showed_and_decodes_as_before(tab: Tab, data: bytes, mime: str) -> None:
    stripped = strip(data)
    assert seen(tab, stripped, mime) == seen(tab, data, mime)
    assert read_whole(stripped).natural == read_whole(data).natural == seen(tab, data, mime)[0]
    with Image.open(io.BytesIO(stripped)) as image:
        image.load()


SHOWS = "async url => { const i = new Image(); i.src = url; return i.decode().then(() => true, () => false); }"


def shows(tab: Tab, data: bytes, kind: str = "png") -> bool:
    return bool(tab.evaluate(SHOWS, f"data:image/{kind};base64,{base64.b64encode(data).decode()}"))


@pytest.mark.parametrize("name", ANCILLARY)
def test_what_is_a_note_is_shown(tab: Tab, name: str) -> None:
    assert shows(tab, ANCILLARY[name])


@pytest.mark.parametrize("name", [*JPEG_PASSED, *JPEG_REFUSED])
def test_a_jpeg_with_a_mistake_is_shown_where_we_take_it(tab: Tab, name: str) -> None:
    assert shows(tab, (JPEG_PASSED | JPEG_REFUSED)[name], "jpeg") == (name in JPEG_PASSED)


@pytest.mark.parametrize("name", CRITICAL)
def test_what_is_damage_is_not_shown_whole(tab: Tab, name: str) -> None:
    whole = [seen(tab, data, "image/png") for data in (PNG, PALETTE)]
    assert not shows(tab, CRITICAL[name]) or seen(tab, CRITICAL[name], "image/png") not in whole

"""How large a browser says a file is, and how it is turned: the table of docs/decisions/0051, and one reader for all formats."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fixtures.turned import Case, cases, cut_avif
from mediamirror.imaging.decoder.pixels import decode
from mediamirror.imaging.decoder.protocol import Wish
from mediamirror.imaging.header import read_header, read_whole
from mediamirror.imaging.strip import LeftAlone, strip
from mediamirror.settings import CheckOptions

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_natural_size_is_the_browsers(case: Case) -> None:
    assert read_whole(case.data).natural == case.natural
    assert read_header(case.data).natural == case.natural


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_thumbnail_has_the_shape_that_a_browser_shows(case: Case) -> None:
    look = decode(case.data, CheckOptions(), Wish(look=True)).look
    assert look is not None
    with Image.open(io.BytesIO(look.thumbnail)) as thumbnail:
        width, height = thumbnail.size
    assert abs(width * case.natural[1] - height * case.natural[0]) <= max(case.natural)


@pytest.mark.parametrize("case", [case for case in CASES if "avif" not in case.name], ids=str)
def test_stripping_leaves_the_natural_size_as_it_is(case: Case) -> None:
    stripped = strip(case.data)
    assert read_whole(stripped).natural == case.natural
    assert strip(stripped) == stripped


def test_what_a_clean_aperture_cuts_off_is_not_looked_at() -> None:
    whole = decode(cut_avif(64, 48), CheckOptions(), Wish(look=True)).look
    corner = decode(cut_avif(32, 24), CheckOptions(), Wish(look=True)).look
    assert whole is not None
    assert corner is not None
    assert len(set(corner.colours[2::3])) < len(set(whole.colours[2::3])), "one colour of the four is left"


def test_an_avif_is_left_alone_by_the_stripper() -> None:
    with pytest.raises(LeftAlone):
        strip(cut_avif(32, 24))

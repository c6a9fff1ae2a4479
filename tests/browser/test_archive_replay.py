"""What ``mirror --archive`` writes, replayed in ReplayWeb.page with the origin off: each screen gets the pictures that it got live.

Without npm, which brings the player, it is skipped aloud.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.archiving import SITE
from fixtures.players import NoPlayer, replay_web_page
from fixtures.replaying import FOUR, live_sizes, played, two_nights


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The archives of two nights: all fetched, and all unchanged since."""
    return two_nights(tmp_path_factory.mktemp("nights"))


@pytest.mark.parametrize("night", [0, 1], ids=["fetched", "unchanged"])
def test_each_picture_is_chosen_and_has_its_size_as_live(executable: str, nights: list[Path], night: int) -> None:
    try:
        replay_web_page()
    except NoPlayer as missing:
        pytest.skip(str(missing))
    live = live_sizes(executable, SITE)
    assert {bool(width) for _, width, *_ in live[SITE][FOUR[0]]} == {True, False}  # one is missing, live too
    assert played(executable, nights[night], SITE) == live

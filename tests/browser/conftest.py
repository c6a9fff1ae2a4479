"""One browser and one server for all tests here. Without a browser: skipped aloud, and with CI=true a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from fixtures.browser.chromium import Chromium, NoChromium, Tab, ensure_chromium, must_have_chromium, running_chromium
from fixtures.browser.screens import Screen
from fixtures.browser.server import PageServer, running_pages

OpenTab = Callable[..., AbstractContextManager[Tab]]
REASON = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def pages() -> Iterator[PageServer]:
    with running_pages() as server:
        yield server


@pytest.fixture(scope="session")
def executable(request: pytest.FixtureRequest) -> str:
    try:
        return ensure_chromium()
    except NoChromium as missing:
        if must_have_chromium():
            pytest.fail(str(missing), pytrace=False)
        request.config.stash[REASON] = str(missing)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def chromium(executable: str, pages: PageServer) -> Iterator[Chromium]:
    with running_chromium(executable, http_port=pages.http_port, https_port=pages.https_port) as browser:
        yield browser


@pytest.fixture
def open_tab(chromium: Chromium) -> OpenTab:
    def tab(screen: Screen, *, scripting: bool = True) -> AbstractContextManager[Tab]:
        return chromium.tab(screen, scripting=scripting)

    return tab


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reason = config.stash.get(REASON, None)
    if reason is not None:
        terminalreporter.section("NOT COMPARED WITH A BROWSER", yellow=True, bold=True)
        terminalreporter.line(reason)

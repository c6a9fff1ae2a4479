"""The fixture web site, and a way to run the installed command as people do."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from fixtures.patience import PATIENCE
from fixtures.site import Site, running_site

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes depends on how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# What a script starts in the background ignores Ctrl-C, and so would every command of these tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.reset_requests()
    return shared_site


@pytest.fixture
def mediamirror(tmp_path: Path) -> Command:
    """Run ``mediamirror`` from the repository's root, with a state folder of the test's own and nothing of the user's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
    environment = {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "160", "NO_COLOR": "1"}
    program = Path(sysconfig.get_path("scripts")) / "mediamirror"

    def run(*words: str, cwd: Path = ROOT, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *words],
            cwd=cwd,
            env=environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run

"""``make demo``: the picture of the report at its end, where a browser is at hand; and nothing of its servers is left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.demo import pictured
from fixtures.servers import seaweed
from fixtures.servers.ports import free_ports

WRITES = """#!/bin/sh
for word; do case $word in --screenshot=*) echo picture > "${word#--screenshot=}";; esac; done
"""


@pytest.mark.parametrize(("browser", "there"), [(WRITES, True), ("#!/bin/sh\nexit 1\n", False), (None, False)])
def test_a_picture_is_taken_where_a_browser_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str | None, there: bool
) -> None:
    (page := tmp_path / "index.html").write_text("<p>A report")
    programs = tmp_path / "programs"
    programs.mkdir()
    if browser is not None:
        (programs / "chromium").write_text(browser)
        (programs / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    taken = pictured(page, tmp_path / "report.png")
    assert taken == (tmp_path / "report.png" if there else None)


def test_a_bucket_leaves_no_socket_in_the_temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []
    before = {path.name for path in Path("/tmp").glob("seaweedfs-*.sock")}

    def taken(count: int, *, grpc: bool) -> list[int]:
        ports.extend(free_ports(count, grpc=grpc))
        return ports

    def sockets() -> list[str]:
        own = {str(port + more) for port in ports for more in (0, 10_000)}
        found = {path.name for path in Path("/tmp").glob("seaweedfs-*.sock")} - before
        return [name for name in found if own & set(re.findall(r"\d+", name))]

    monkeypatch.setattr(seaweed, "free_ports", taken)
    with seaweed.running_seaweed(tmp_path / "weed"):
        assert sockets()
    assert not sockets()

"""The installed command in a network namespace where every address answers: what may not be reached is not reached."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bench.hostile_hosts import measure
from fixtures.hostile.canaries import NoNamespace, Ran, run_in_namespace
from fixtures.servers.process import executable


def furnished(attempt: Callable[[], object]) -> object:
    """What ``attempt`` gives; skipped, and said, where the platform gives no namespace, but never where CI runs as root."""
    try:
        return attempt()
    except NoNamespace as error:
        if os.environ.get("CI") and os.geteuid() == 0:
            raise
        pytest.skip(f"THE CANARIES DID NOT RUN: {error}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All commands of this file, in one namespace."""
    folder = tmp_path_factory.mktemp("namespace")
    page = folder / "page.html"
    page.write_text(
        '<img src="http://10.0.0.1/a.png"><img src="http://10.0.0.2/b.png"><img src="http://10.0.0.1:22/c.png">'
    )
    program = executable("mediamirror")
    words = {
        "input": ["parse", "http://10.0.0.1/page.html"],
        "input redirected": ["parse", "http://public.test/?to=http://10.0.0.1/page.html"],
        "input allowed": ["parse", "http://10.0.0.1/page.html", "--allow-host", "10.0.0.1"],
        "crawl": ["verify", "http://crawl.test/page.html", "--depth", "2", "--any-host", "--follow-sitemap"],
        "one host allowed": ["verify", str(page), "--allow-host", "10.0.0.1"],
    }
    ran = furnished(
        lambda: run_in_namespace(
            [[program, *line, "--format", "jsonl"] for line in words.values()], {"XDG_STATE_HOME": str(folder)}, folder
        )
    )
    assert isinstance(ran, list)
    return dict(zip(words, ran, strict=True))


def test_hostile_hosts_are_refused_and_public_ones_are_reached() -> None:
    figures = furnished(lambda: measure(public=60))
    assert figures.clean, f"{figures} {figures.not_refused}"  # type: ignore[attr-defined]
    assert figures.hostile > 100  # type: ignore[attr-defined]


def test_an_input_inside_is_refused_with_a_sentence_that_names_the_way(runs: dict[str, Ran]) -> None:
    ran = runs["input"]
    (problem,) = ran.rows("problem")
    assert (problem["code"], ran.code, ran.dialled) == ("address-refused", 2, ())
    assert "--allow-host 10.0.0.1" in problem["message"]
    assert "--allow-private" in problem["message"]


def test_an_input_that_redirects_inside_is_refused(runs: dict[str, Ran]) -> None:
    ran = runs["input redirected"]
    assert [p["code"] for p in ran.rows("problem")] == ["address-refused"]
    assert set(ran.dialled) == {"93.184.216.34"}


def test_an_input_inside_is_read_when_its_host_is_allowed(runs: dict[str, Ran]) -> None:
    ran = runs["input allowed"]
    assert (ran.code, set(ran.dialled)) == (0, {"10.0.0.1"})
    assert ran.rows("image-set")


def test_links_sitemaps_link_headers_and_images_of_a_crawl_lead_nowhere_inside(runs: dict[str, Ran]) -> None:
    ran = runs["crawl"]
    assert set(ran.dialled) == {"93.184.216.36"}
    assert {row["url"]: row["error"]["code"] for row in ran.rows("variant")} == {
        "http://10.1.0.2/x.png": "address-refused",
        "http://10.1.0.4/x.png": "address-refused",
    }
    refused = {p["document"] for p in ran.rows("problem") if p["code"] == "address-refused"}
    assert {"http://10.1.0.1/next.html", "http://private.test/next.html", "http://10.1.0.5/map.xml"} <= refused


def test_one_allowed_host_opens_no_other_and_no_blocked_port(runs: dict[str, Ran]) -> None:
    ran = runs["one host allowed"]
    assert set(ran.dialled) == {"10.0.0.1"}
    codes = {row["url"]: row["error"] and row["error"]["code"] for row in ran.rows("variant")}
    assert codes == {
        "http://10.0.0.1/a.png": None,
        "http://10.0.0.2/b.png": "address-refused",
        "http://10.0.0.1:22/c.png": "port-refused",
    }

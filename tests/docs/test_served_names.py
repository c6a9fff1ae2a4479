"""The lines for nginx and Apache that docs/keys.md gives, in the real servers: what a mirror holds is labelled as it is."""

from __future__ import annotations

import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from fixtures.servers.web import NoWebServer, running_web
from mediamirror import CheckOptions, FetchOptions, MirrorOptions, StoreOptions, mirror

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
NAMES = {"photo.jpg": "avif", "picture": "webp", "plain.jpg": "jpeg", "drawn": "png", "old.png": "gif"}
"""What an origin that negotiates answers to these names."""


def lines(server: str) -> str:
    """The lines of the page that follow the comment which names the server."""
    found = re.search(rf"^    # {server}\b.*\n((?:    .+\n)+)", PAGE, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter: Apache gives its work to another one."""
    with tempfile.TemporaryDirectory(prefix="served-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def answer(request: httpx2.Request) -> httpx2.Response:
    kind = NAMES.get(request.url.path.lstrip("/"))
    if kind is None:
        return httpx2.Response(404)
    return httpx2.Response(200, headers={"content-type": f"image/{kind}"}, content=make_image(40, 24, kind))


@pytest.mark.parametrize("server", ["nginx", "Apache"])
async def test_a_mirror_with_true_endings_is_served_with_true_types(
    folder: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    (folder / "page.html").write_text("".join(f'<img alt="" src="https://m.example/{name}">' for name in NAMES))
    options = MirrorOptions(
        fetch=FetchOptions(retries=0), check=CheckOptions(check="header"), store=StoreOptions(true_endings=True)
    )
    root = folder / "mirror"
    transport = httpx2.MockTransport(answer)
    await mirror([str(folder / "page.html")], to=str(root), options=options, transport=transport)
    (root / "m.example" / "page.html").write_text("<p>Not a picture.")
    for each in root.rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    root.chmod(0o755)
    (work := folder / "work").mkdir()
    try:
        with running_web(server.lower(), lines(server), root, work) as url:
            keys = [path.name for path in (root / "m.example").iterdir()]
            types = {key: kind_of(f"{url}/m.example/{key}") for key in keys}
    except NoWebServer as missing:
        pytest.skip(str(missing))
    endings = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
    assert types == {key: (endings | {"html": "text/html"})[key.rpartition(".")[2]] for key in keys}
    assert {key.rpartition(".")[2] for key in keys} == {*endings, "html"}


def kind_of(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        return str(response.headers["Content-Type"])

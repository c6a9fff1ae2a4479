"""What an origin takes back is told; what is stored stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.settings import CheckOptions, FetchOptions, MirrorOptions, ReadOptions

IMAGE = make_image(96, 64, "webp")


@contextmanager
def answering(statuses: list[int]) -> Iterator[str]:
    """An origin whose image is answered with the last of ``statuses``; every body is the image, whatever the status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 404 if self.path == "/robots.txt" else statuses[-1]
            self.send_response(status)
            self.send_header("Content-Type", "image/webp")
            self.send_header("Content-Length", str(len(IMAGE)))
            self.end_headers()
            self.wfile.write(IMAGE)

        def log_message(self, *words: object) -> None:
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a.webp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("status", [403, 404, 410, 451, 500])
async def test_an_image_that_its_origin_refuses_later_stays_stored(status: int, tmp_path: Path) -> None:
    statuses = [200]
    options = MirrorOptions(
        read=ReadOptions(as_="urls"),
        fetch=FetchOptions(allow_private=True, retries=0),
        check=CheckOptions(check="header"),
    )
    with answering(statuses) as url:
        (tmp_path / "urls.txt").write_text(url)
        for answered, became in ((200, "stored"), (status, "failed")):
            statuses.append(answered)
            summary = await mirror(
                [str(tmp_path / "urls.txt")], to=str(tmp_path / "m"), options=options, catalog=tmp_path / "c.sqlite"
            )
            assert summary.statuses == {became: 1}
            kept = [path for path in (tmp_path / "m").rglob("*.webp") if "_mediamirror" not in path.parts]
            assert [path.read_bytes() for path in kept] == [IMAGE]

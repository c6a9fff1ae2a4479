"""The bucket's endpoint is the user's own word; a page that names the same address is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]


def test_a_page_cannot_reach_the_bucket_that_its_images_go_to(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    with running_seaweed(tmp_path / "weed") as bucket:
        bucket.create_bucket("media")
        names = [bucket.url, bucket.url.replace("127.0.0.1", "localhost"), bucket.url.replace("127.0.0.1", "127.1")]
        page = tmp_path / "page.html"
        page.write_text("".join(f'<img src="{url}/media/{n}.png">' for n, url in enumerate(names)))
        inputs = ("fixtures/seed/news-by.txt", str(page))
        words = ("mirror", *inputs, "--to", "s3://media/x", "--endpoint-url", bucket.url)
        done = mediamirror(*words, "--format", "jsonl", *site.arguments(), **bucket.environment())
    rows = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "variant"]
    assert [row["status"] for row in rows].count("stored") == 4, done.stdout + done.stderr
    refused = [row for row in rows if row["status"] == "failed"]
    assert {row["error"]["code"] for row in refused} == {"address-refused"}
    assert len(refused) == 3
    assert done.returncode == 1

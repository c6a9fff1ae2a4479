"""Scrapy's FilesPipeline and img2dataset as peers of ``make bench``, each in an environment of its own under ``bench/out``."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from fixtures.servers.endpoint import S3Endpoint

PEERS = Path(__file__).resolve().parent / "out" / "peers"
SCRAPY = ("scrapy==2.19.0", "boto3==1.43.103")
IMG2DATASET = ("img2dataset==1.47.0",)

_SPIDER = """
import scrapy
from scrapy.pipelines.files import FilesPipeline


class Files(FilesPipeline):
    def file_path(self, request, response=None, info=None, *, item=None):
        return request.url.split("/", 3)[3]


class Spider(scrapy.Spider):
    name = "files"

    async def start(self):
        with open(self.urls) as lines:
            for line in lines:
                yield {"file_urls": [line.strip()]}
"""


def environment(name: str, packages: Sequence[str]) -> Path:
    """Return the folder of the programs of an environment with some packages; made when it is first asked for."""
    home = PEERS / name
    if not (home / "made").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "-qq", *packages], check=True)
        (home / "made").touch()
    return home / "bin"


def scrapy(urls: Path, store: str, at_once: int, bucket: S3Endpoint | None = None) -> list[str]:
    """Return a command that stores the files of a list of URLs by their paths, in a directory or a bucket."""
    spider = urls.with_name("spider.py")
    spider.write_text(_SPIDER)
    settings: dict[str, object] = {
        "ITEM_PIPELINES": '{"spider.Files": 1}',
        "FILES_STORE": store,
        "CONCURRENT_REQUESTS": at_once,
        "CONCURRENT_REQUESTS_PER_DOMAIN": at_once,
        "CONCURRENT_ITEMS": 4 * at_once,
        "REACTOR_THREADPOOL_MAXSIZE": at_once,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
    }
    if bucket is not None:
        settings |= {
            "AWS_ENDPOINT_URL": bucket.url,
            "AWS_ACCESS_KEY_ID": bucket.access_key,
            "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
        }
    words = [word for name, value in settings.items() for word in ("-s", f"{name}={value}")]
    program = environment("scrapy", SCRAPY) / "scrapy"
    return [str(program), "runspider", str(spider), "-a", f"urls={urls}", *words]


def img2dataset(urls: Path, folder: Path, at_once: int) -> list[str]:
    """Return a command that keeps the files of a list of URLs as they come: nothing resized, nothing encoded anew."""
    return [
        *(str(environment("img2dataset", IMG2DATASET) / "img2dataset"), "--url_list", str(urls)),
        *("--output_folder", str(folder), "--output_format", "files", "--processes_count", "1"),
        *("--thread_count", str(at_once), "--number_sample_per_shard", "2000", "--retries", "0"),
        *("--resize_mode", "no", "--skip_reencode", "True", "--encode_format", "webp", "--encode_quality", "100"),
    ]

"""Bad input: one clear sentence, the right exit code, everything else still done, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.ports import free_ports
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]
SEED = "fixtures/seed/news-by.txt"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        endpoint.create_bucket("media")
        yield endpoint


def one_sentence(done: CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("mirror", "nothing.txt", "--to", "{tmp}/m"), 2, "nothing.txt does not exist"),
        (("mirror", "{tmp}/empty.txt", "--to", "{tmp}/m"), 0, "empty.txt is empty"),
        (
            ("mirror", "{tmp}/words.txt", "--to", "{tmp}/m"),
            0,
            "No image found in 1 document. Read as text; --as names another kind, as urls for a list of URLs.",
        ),
        (("mirror", "{tmp}/words.txt", "--to", "{tmp}/m", "--fail-empty"), 1, "No image found in 1 document."),
        (("mirror", "ftp://h/x", "--to", "{tmp}/m"), 2, "http and https only"),
        (("mirror", SEED, "--to", "gopher://x"), 2, "can't be a DEST"),
        (("mirror", SEED, "--to", "s3://"), 2, "s3://bucket/prefix"),
        (("mirror", SEED, "--to", "{tmp}/words.txt"), 2, "is a file"),
        (("mirror", SEED, "--to", "{tmp}/m", "--rungs", "big"), 2, "--rungs takes all, largest, or widths"),
        (("mirror", SEED, "--to", "{tmp}/m", "--tolerance", "1em"), 2, "1px"),
        (("mirror", SEED, "--to", "{tmp}/m", "--cacert", "none.pem"), 2, "--cacert none.pem"),
        (("mirror", SEED, "--to", "{tmp}/m", "--catalog", "{tmp}/words.txt"), 2, "words.txt is damaged"),
        (("mirror", SEED, "--to", "{tmp}/m", "-H", "nocolon"), 2, "-H needs 'Name: value'"),
        (("mirror", SEED, "--to", "{tmp}/m", "--connect-to", "a:b"), 2, "a:b"),
        (("mirror", SEED, "--to", "{tmp}/m", "--allow-host", "*"), 2, "--allow-host needs a name"),
        (("mirror", SEED, "--to", "{tmp}/m", "--as", "words"), 2, "'words' is no kind of document"),
        (("mirror", SEED, "--to", "{tmp}/m", "--timeout", "nan"), 2, "'nan' is not a number of seconds"),
        (("mirror", SEED, "--to", "{tmp}/m", "--proxy", "nonsense"), 2, "--proxy needs a URL"),
        (("mirror", SEED, "--to", "{tmp}/m", "--base-url", "nonsense"), 2, "--base-url 'nonsense' is not"),
        (("mirror", SEED, "--to", "{tmp}/m", "--rungs", "0"), 2, "--rungs takes all, largest, or widths"),
        (("mirror", SEED, "--to", "{tmp}/m", "--limit-rate", "0"), 2, "'0' is no size to work with"),
        (("parse", "nothing.txt"), 2, "nothing.txt does not exist"),
    ],
)
def test_it_ends_in_one_sentence_and_its_exit_code(
    mediamirror: Command, tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "words.txt").write_text("A camera with 5x zoom and 100w of light, and no picture at all.\n" * 90)
    done = mediamirror(*(word.format(tmp=tmp_path) for word in words))
    said = done.stderr.strip().splitlines()
    assert (done.returncode, sentence in done.stderr, "Traceback" in done.stderr) == (code, True, False), said


def test_an_input_url_that_is_gone_is_a_missing_input(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    done = mediamirror("mirror", "https://news.example/none.html", "--to", str(tmp_path / "m"), *site.arguments())
    assert (done.returncode, "404" in done.stderr) == (2, True), done.stderr


def test_an_input_url_that_is_gone_among_others_fails_alone(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    gone = "https://news.example/none.html"
    done = mediamirror("mirror", gone, SEED, "--to", str(tmp_path / "m"), *site.arguments())
    assert (done.returncode, len(list((tmp_path / "m").rglob("*.webp")))) == (1, 4), done.stderr


def test_a_missing_input_among_others_stops_the_run_before_anything_is_written(
    mediamirror: Command, tmp_path: Path
) -> None:
    done = mediamirror("mirror", SEED, "nothing.txt", "--to", str(tmp_path / "m"))
    assert (done.returncode, (tmp_path / "m").exists()) == (2, False)


@pytest.mark.parametrize(
    ("dest", "changes", "sentence"),
    [
        ("s3://no-such-bucket/x", {}, "no-such-bucket"),
        ("s3://media/x", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS_SECRET_ACCESS_KEY"),
        ("s3://media/x", {"AWS_ACCESS_KEY_ID": "nobody"}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_bucket_that_refuses_is_exit_2_before_any_image_is_asked_for(
    mediamirror: Command, site: Site, bucket: S3Endpoint, dest: str, changes: dict[str, str], sentence: str
) -> None:
    done = mediamirror(
        "mirror", SEED, "--to", dest, "--endpoint-url", bucket.url, *site.arguments(), **bucket.environment() | changes
    )
    assert (done.returncode, site.bodies()) == (2, [])
    assert sentence in one_sentence(done)
    assert "fixture-secret-key" not in done.stderr + done.stdout


def test_an_endpoint_that_is_down_is_exit_2_and_named(mediamirror: Command, bucket: S3Endpoint) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    done = mediamirror("mirror", SEED, "--to", "s3://media/x", "--endpoint-url", url, **bucket.environment())
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in one_sentence(done)


def test_a_full_disk_fails_the_items_in_a_sentence_and_leaves_no_part(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "none", str(small)], check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        done = mediamirror("mirror", SEED, "--to", str(small / "m"), *site.arguments(), "--format", "jsonl")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        errors = {row["error"]["code"] for row in rows if row["type"] == "variant" and row["error"]}
        files = list((small / "m").rglob("*.webp"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert (done.returncode, errors, "Traceback" in done.stderr) == (1, {"store-full"}, False), done.stderr
    assert 0 < len(files) < 4


def test_a_second_run_on_the_same_destination_is_told_who_holds_it(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    dest = str(tmp_path / "m")
    slow = tmp_path / "slow.txt"
    slow.write_text(
        "https://media.news.example/defects/slow_480.webp 480w, https://media.news.example/x_481.webp 481w\n"
    )
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    first = subprocess.Popen(
        [_program(), "mirror", str(slow), "--to", dest, *site.arguments(), "--delay", "60"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(lambda: Path(dest).exists())
        second = mediamirror("mirror", SEED, "--to", dest, *site.arguments())
    finally:
        first.terminate()
        first.wait(PATIENCE)
    assert second.returncode == 2
    assert f"is in use by process {first.pid} (mirror, since" in one_sentence(second)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_its_state_says_what_is_left_and_goes_on_later(
    mediamirror: Command, site: Site, tmp_path: Path, kind: signal.Signals
) -> None:
    dest = str(tmp_path / "m")
    command = ["mirror", SEED, "--to", dest, *site.arguments()]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    first = subprocess.Popen(
        [_program(), *command, "--delay", "5", "--concurrency", "1", "--format", "jsonl"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    next(line for line in first.stdout if '"type":"variant"' in line)
    first.send_signal(kind)
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    assert "left: run the same command again to go on." in said
    assert "Traceback" not in said
    stored = len(list(Path(dest).rglob("*.webp")))
    site.reset_requests()
    done = mediamirror(*command)
    assert (done.returncode, len(list(Path(dest).rglob("*.webp")))) == (0, 4), done.stderr
    assert len(site.bodies()) == 4 - stored >= 1


def _program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "mediamirror")


def _wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_full_disk_behind_standard_output_is_one_sentence(mediamirror: Command) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([_program(), "parse", SEED], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "No space left on device" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_an_interrupt_while_loading_shows_nothing_of_our_code(tmp_path: Path) -> None:
    for wait in (0.1, 0.2, 0.3):
        words = [_program(), "mirror", SEED, "--to", str(tmp_path / "m")]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert "cli/app.py" not in said, said

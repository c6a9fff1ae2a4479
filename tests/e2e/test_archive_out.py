"""``mirror --archive``: an archive of every exchange, as the format's own tools have it, that is a mirror's source again."""

from __future__ import annotations

import gzip
import io
import json
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cdxj_indexer.main import CDXJIndexer
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker
from warcio.recordloader import ArcWarcRecord

from fixtures.archiving import SITE, WWW, Boats, answers, running_boats
from fixtures.patience import PATIENCE

Command = Callable[..., CompletedProcess[str]]
SAME = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
UNCHANGED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


@pytest.fixture(scope="module")
def boats() -> Iterator[Boats]:
    with running_boats() as site:
        yield site


def archived(mediamirror: Command, boats: Boats, folder: Path, name: str, *more: str) -> Path:
    """Mirror the site into ``folder/m``, and write the archive; two rungs are missing there."""
    words = ("mirror", SITE, "--depth", "1", "--any-host", "--to", str(folder / "m"), "--allow-private")
    done = mediamirror(*words, *boats.arguments(), "--archive", str(folder / name), *more)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed" in done.stdout
    return folder / name


def archives_in(path: Path) -> list[bytes]:
    if path.suffix != ".wacz":
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as box:
        return [box.read(name) for name in box.namelist() if name.startswith("archive/")]


def records(path: Path) -> Iterator[tuple[ArcWarcRecord, bytes]]:
    for data in archives_in(path):
        for record in ArchiveIterator(io.BytesIO(data), check_digests="raise"):
            yield record, record.raw_stream.read()


def told(record: ArcWarcRecord, name: str) -> str:
    return record.rec_headers.get_header(name) or ""


def kinds(path: Path) -> Counter[str]:
    return Counter(record.rec_type for record, _ in records(path))


def statuses(path: Path) -> dict[str, str]:
    """The status by URL of what is no revisit."""
    return {
        told(record, "WARC-Target-URI"): record.http_headers.get_statuscode()
        for record, _ in records(path)
        if record.rec_type == "response"
    }


def checked(path: Path, folder: Path) -> None:
    """What warcio, FastWARC, py-wacz and cdxj-indexer say of it."""
    for number, data in enumerate(archives_in(path)):
        warc = folder / f"{path.name}-{number}.warc"
        warc.write_bytes(data)
        check = Checker(type("Words", (), {"inputs": [str(warc)], "verbose": False}))
        check.process_all()
        assert check.exit_value == 0
        words = [sys.executable, "-m", "fastwarc.cli", "check", str(warc)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, "failed" in done.stdout) == (0, False), done.stdout + done.stderr
    if path.suffix == ".wacz":
        words = [sys.executable, "-m", "wacz.main", "validate", "-f", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, "the passed WACZ is valid" in done.stdout) == (0, True), done.stdout


def index_of(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as box:
        return gzip.decompress(box.read("indexes/index.cdx.gz")).decode().splitlines()


def indexed_again(path: Path, folder: Path) -> list[str]:
    """The index as cdxj-indexer makes it."""
    with zipfile.ZipFile(path) as box:
        names = [name for name in box.namelist() if name.startswith("archive/")]
        inputs = [Path(box.extract(name, folder)) for name in names]
    theirs = io.StringIO()
    CDXJIndexer(theirs, inputs=[str(each) for each in inputs], sort=True).process_all()
    return theirs.getvalue().splitlines()


def test_every_exchange_is_there_and_the_tools_of_the_format_accept_it(
    mediamirror: Command, boats: Boats, tmp_path: Path
) -> None:
    path = archived(mediamirror, boats, tmp_path, "site.wacz", "-H", "Authorization: Bearer hush-7")
    checked(path, tmp_path)
    served = {url: answer for url, answer in answers().items() if url != "http://img.boats.example/there.jpg"}
    missing = {f"{WWW}gone.jpg": "404", f"{WWW}boat-2560.webp": "404"}
    twins = {f"{WWW}twin.jpg", "http://img.boats.example/there.jpg"}
    found = statuses(path)
    assert {url: status for url, status in found.items() if url not in twins} == {
        url: str(answer.status) for url, answer in served.items() if url not in twins
    } | missing
    bodies = {told(r, "WARC-Target-URI"): body for r, body in records(path) if r.rec_type == "response"}
    assert all(bodies[url] == served[url].body for url in found if url in served)
    (revisit,) = [record for record, _ in records(path) if record.rec_type == "revisit"]
    assert {told(revisit, "WARC-Target-URI"), told(revisit, "WARC-Refers-To-Target-URI")} == twins
    assert told(revisit, "WARC-Profile") == SAME
    assert index_of(path) == indexed_again(path, tmp_path)


def test_a_request_stands_beside_each_answer_and_no_secret_in_either(
    mediamirror: Command, boats: Boats, tmp_path: Path
) -> None:
    path = archived(mediamirror, boats, tmp_path, "site.warc", "-H", "Authorization: Bearer hush-7", "-H", "DNT: 1")
    data = path.read_bytes()
    assert b"hush-7" not in data
    assert b"7f3a" not in data  # the cookie that was set
    answered = {told(r, "WARC-Record-ID"): r for r, _ in records(path) if r.rec_type in {"response", "revisit"}}
    requests = [record for record, _ in records(path) if record.rec_type == "request"]
    assert {told(record, "WARC-Concurrent-To") for record in requests} == set(answered)
    (info,) = [told(record, "WARC-Record-ID") for record, _ in records(path) if record.rec_type == "warcinfo"]
    for record in requests:
        answer = answered[told(record, "WARC-Concurrent-To")]
        assert told(answer, "WARC-Target-URI") == told(record, "WARC-Target-URI")
        assert told(answer, "WARC-Warcinfo-ID") == told(record, "WARC-Warcinfo-ID") == info
        assert told(answer, "WARC-IP-Address") == told(record, "WARC-IP-Address") == "127.0.0.1"
        assert record.http_headers.get_header("DNT") == "1"
        assert record.http_headers.get_header("Host") == told(record, "WARC-Target-URI").split("/")[2]


def test_pages_and_their_titles_are_listed(mediamirror: Command, boats: Boats, tmp_path: Path) -> None:
    with zipfile.ZipFile(archived(mediamirror, boats, tmp_path, "site.wacz")) as box:
        rows = [json.loads(line) for line in box.read("pages/pages.jsonl").decode().splitlines()]
    assert {row["url"]: row["title"] for row in rows[1:]} == {
        WWW: "Boats & harbours",
        f"{WWW}second.html": "Second",
    }


def test_what_the_origin_calls_unchanged_is_there_whole_and_said_to_be_so(
    mediamirror: Command, boats: Boats, tmp_path: Path
) -> None:
    archived(mediamirror, boats, tmp_path, "monday.wacz")
    path = archived(mediamirror, boats, tmp_path, "tuesday.wacz")
    checked(path, tmp_path)
    found = statuses(path)
    pictures = {url for url, answer in answers().items() if answer.content_type.startswith("image/")}
    revisits = [record for record, _ in records(path) if told(record, "WARC-Profile") == UNCHANGED]
    assert {told(record, "WARC-Target-URI") for record in revisits} == pictures
    whole = {told(r, "WARC-Target-URI"): told(r, "WARC-Date") for r, body in records(path) if r.rec_type == "response"}
    for record in revisits:
        assert whole[told(record, "WARC-Refers-To-Target-URI")] == told(record, "WARC-Refers-To-Date")
    assert len(pictures - set(found)) == 1  # one of the twins
    offline = ("mirror", str(path), "--offline", "--to", str(tmp_path / "again"))
    done = mediamirror(*offline)
    assert "9 stored, 2 failed" in done.stdout, done.stdout
    assert index_of(path) == indexed_again(path, tmp_path)


def contents(path: Path) -> Counter[tuple[str, str, str, str, bytes]]:
    """Every record but those about a file as a whole: kind, URL, date, id, and its block."""
    found: Counter[tuple[str, str, str, str, bytes]] = Counter()
    for data in archives_in(path):
        for record in ArchiveIterator(io.BytesIO(data), no_record_parse=True):
            fields = (told(record, name) for name in ("WARC-Target-URI", "WARC-Date", "WARC-Record-ID"))
            if record.rec_type != "warcinfo":
                found[(record.rec_type, *fields, record.raw_stream.read())] += 1
    return found


def pictures(path: Path) -> tuple[dict[str, tuple[str, str | None, bytes]], dict[str, str]]:
    """Of each picture its date, its validator and its bytes, also where a revisit stands for it; and where redirects of it lead."""
    found, redirects, bodies = {}, {}, {}
    for record, body in records(path):
        url, head, payload = told(record, "WARC-Target-URI"), record.http_headers, told(record, "WARC-Payload-Digest")
        if head is None or record.rec_type == "request" or (head.get_header("content-type") or "")[:5] == "text/":
            if record.rec_type == "response" and head.get_statuscode() == "302":
                redirects[url] = head.get_header("location")
            continue
        whole = bodies.setdefault(payload, body)
        found[url] = (told(record, "WARC-Date"), head.get_header("etag"), whole)
    return found, redirects


def test_three_round_trips_keep_every_record(mediamirror: Command, boats: Boats, tmp_path: Path) -> None:
    monday = archived(mediamirror, boats, tmp_path, "monday.wacz")
    first = archived(mediamirror, boats, tmp_path, "0.wacz")
    boats.asked.clear()
    for number, name in enumerate(("1.warc.gz", "2.warc", "3.wacz")):
        source = tmp_path / ("0.wacz", "1.warc.gz", "2.warc")[number]
        to = tmp_path / f"m{number}"
        words = ("mirror", str(source), "--offline", "--to", str(to), "--archive", str(tmp_path / name))
        done = mediamirror(*words, "--allow-private", *boats.arguments())
        assert "9 stored, 2 failed" in done.stdout, done.stdout + done.stderr
        assert boats.asked == []  # and its style sheets neither
        checked(tmp_path / name, tmp_path)
        assert contents(tmp_path / name) == contents(first)
    infos = [body for record, body in records(tmp_path / "3.wacz") if record.rec_type == "warcinfo"]
    assert sum(b"source: 2.warc\r\n" in body for body in infos) == 1
    assert index_of(tmp_path / "3.wacz") == indexed_again(tmp_path / "3.wacz", tmp_path)

    # And by way of the catalog, which has the pictures alone: live, exported, mirrored from there, exported again.
    source, dest = monday, tmp_path / "m"
    for number in range(3):
        found, redirects = pictures(source)
        assert (len(found), redirects) == (9, {f"{WWW}moved.jpg": "http://img.boats.example/there.jpg"})
        assert found == pictures(monday)[0]
        dest, last = tmp_path / f"k{number}", source
        mediamirror("mirror", str(last), "--offline", "--all-images", "--to", str(dest))
        source = tmp_path / f"k{number}.warc.gz"
        assert mediamirror("catalog", "export", str(dest), "-o", str(source)).returncode == 0


def test_it_is_split_by_size(mediamirror: Command, boats: Boats, tmp_path: Path) -> None:
    path = archived(mediamirror, boats, tmp_path, "site.wacz", "--archive-size", "50k")
    sizes = [len(data) for data in archives_in(path)]
    assert len(sizes) > 2
    checked(path, tmp_path)
    assert index_of(path) == indexed_again(path, tmp_path)
    (tmp_path / "m").rename(tmp_path / "before")
    archived(mediamirror, boats, tmp_path, "site-%03d.warc.gz", "--archive-size", "50k")
    parts = sorted(tmp_path.glob("site-*.warc.gz"))
    assert len(parts) > 2
    assert [part.name for part in parts] == [f"site-{number:03}.warc.gz" for number in range(len(parts))]
    found, whole = sum((kinds(part) for part in parts), Counter()), kinds(path)
    assert (found.pop("warcinfo"), whole.pop("warcinfo")) == (len(parts), len(sizes))
    assert found == whole
    done = mediamirror("mirror", SITE, "--to", str(tmp_path / "n"), "--archive", str(tmp_path / "site-%03d.warc.gz"))
    assert (done.returncode, "is there already" in done.stderr) == (2, True)


def test_that_a_page_without_an_address_is_not_in_the_archive_is_told(
    mediamirror: Command, boats: Boats, tmp_path: Path
) -> None:
    source = archived(mediamirror, boats, tmp_path, "source.warc.gz")
    for name in ("a.html", "b.html"):
        (tmp_path / name).write_text(f'<base href="{WWW}"><img alt="" src="boat-640.webp">')
    words = ("mirror", str(tmp_path / "a.html"), str(tmp_path / "b.html"), "--offline", "--to", str(tmp_path / "n"))
    done = mediamirror(*words, "--archive", str(tmp_path / "local.wacz"))
    assert f"{tmp_path / 'a.html'} and 1 more are not in the archive" in done.stderr
    done = mediamirror(
        "mirror", str(source), "--offline", "--to", str(tmp_path / "k"), "--archive", f"{tmp_path}/k.wacz"
    )
    assert "page-not-archived" not in done.stderr


@pytest.mark.parametrize("name", ["site.zim", "site.cdxj", "site", "site.warc.zst"])
def test_another_ending_is_refused_in_one_sentence(mediamirror: Command, tmp_path: Path, name: str) -> None:
    done = mediamirror("mirror", SITE, "--to", str(tmp_path / "m"), "--archive", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert "end it with .wacz, .warc.gz or .warc." in done.stderr
    assert not list(tmp_path.glob("*"))


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_of_a_run_that_is_cut_off_there_is_no_archive_and_the_next_one_has_all(
    mediamirror: Command, boats: Boats, tmp_path: Path, sign: signal.Signals, code: int
) -> None:
    path = tmp_path / "site.wacz"
    words = ["mirror", SITE, "--depth", "1", "--any-host", "--to", str(tmp_path / "m"), "--allow-private"]
    program = Path(sysconfig.get_path("scripts")) / "mediamirror"
    boats.asked.clear()
    with subprocess.Popen(
        [program, *words, *boats.arguments(), "--archive", str(path), "--delay", "0.2"],
        env={"XDG_STATE_HOME": str(tmp_path / "state"), "PATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        until = time.monotonic() + PATIENCE
        while len(boats.asked) < 9 and time.monotonic() < until:
            time.sleep(0.01)
        run.send_signal(sign)
    assert (run.returncode, path.exists()) == (code, False)
    assert len(list(tmp_path.glob(".site.wacz.*.part"))) == (sign == signal.SIGKILL)
    again = archived(mediamirror, boats, tmp_path, "site.wacz")
    assert not list(tmp_path.glob(".site.wacz.*.part"))
    assert set(statuses(again)) >= set(answers()) - {f"{WWW}twin.jpg", "http://img.boats.example/there.jpg"}

"""Planted secrets are looked for in everything that the commands print, write and send, in good runs and in failing ones."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread

import pytest

from fixtures.images import make_image
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.moto import running_moto

Command = Callable[..., CompletedProcess[str]]

HUSH = re.compile(rb"hush[A-Za-z]*")
"""Every secret below begins so, and nothing else does."""
IN_CATALOG = {
    ("variants", "url"),
    ("candidates", "raw_url"),
    ("documents", "name"),
    ("documents", "base_url"),
    ("findings", "document"),
    ("fetches", "final_url"),
    ("fetches", "redirects"),
}
"""Columns that hold URLs whole, so that they can be asked for again."""
HEADERS = "Authorization: Bearer hushBearer\nCookie: id=hushCookie\nX-Api-Key: hushApiKey\n"
JWT = "eyJodXNoIjoxMjM0NTZ9.eyJodXNoIjoxMjM0NTZ9.hushJwt"
PAGE = f"""<title>page</title>
<img src="http://media.example/a.png?X-Amz-Credential=hushCredential&amp;X-Amz-Signature=hushSignature&amp;w=8"
 srcset="http://media.example/b.png?sig=hushSig 8w, http://media.example/lies.png?token=hushLies 640w">
<img src="http://media.example/go.png?access_token=hushGo" alt="redirected">
<img src="http://media.example/c.png?v={JWT}" alt="by its looks">
<img src="http://media.example/image?url=http%3A%2F%2Fb.example%2Fd.png%3FSignature%3DhushNested%26w%3D1&amp;w=8">
<img src="http://media.example/missing.png?key=hushMissing">
<img src="http://me:hushPassword@media.example/e.png">
<img src="http://169.254.169.254/f.png?sig=hushRefused">
<img src="http://media.example/inside.png?sig=hushInside">
<img src="https://tls.example/g.png?Signature=hushTls">
<img src="http://media.example/broken.png?apikey=hushBroken">
"""
INPUT = "http://pages.example/page?token=hushInput"


@dataclass
class Origin:
    """A plain server for every host: what it was asked, and what it saw of the processes that decode."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    workers: list[bytes] = field(default_factory=list)
    state: str = ""

    @property
    def words(self) -> list[str]:
        """The options that lead here; the second one to a port where nobody speaks TLS."""
        hosts = ("pages.example:80", "media.example:80", "cdn.example:80", "tls.example:443")
        return [word for host in hosts for word in ("--connect-to", f"{host}:127.0.0.1:{self.port}")]

    def look_at_workers(self) -> None:
        """Read command line and environment of the decoder processes of the run with our state folder."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                if b"mediamirror.imaging.decoder.worker" not in line:
                    continue
                parent = re.search(r"^PPid:\s*(\d+)", (folder / "status").read_text(), re.M)
                if parent and self.state.encode() in (Path("/proc") / parent[1] / "environ").read_bytes():
                    self.workers.append(line + (folder / "environ").read_bytes())
            except OSError:
                continue


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    seen = Origin(state=str(tmp_path))
    picture = make_image(8, 6, "png")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = self.headers["Host"]
            seen.asked.append((host, self.path, dict(self.headers.items())))
            name = self.path.partition("?")[0]
            status, kind, body, extra = 200, "image/png", picture, {}
            if name in {"/robots.txt", "/missing.png"}:
                status, kind, body = 404, "text/plain", b"no"
            elif name == "/page":
                kind, body = "text/html", PAGE.encode()
            elif name == "/go.png":
                status, body, extra = 302, b"", {"Location": "http://cdn.example/there.png?X-Goog-Signature=hushHop"}
            elif name == "/inside.png":
                status, body, extra = 302, b"", {"Location": "http://10.0.0.1/x.png?sig=hushWithin"}
            elif name == "/broken.png":
                body = picture[: len(picture) // 2]
            if name == "/broken.png":  # the last one: others have been decoded by now
                seen.look_at_workers()
            self.send_response(status)
            for header, value in {"Content-Type": kind, "Content-Length": str(len(body)), **extra}.items():
                self.send_header(header, value)
            self.send_header("Set-Cookie", "session=hushSession; Secure")
            self.send_header("X-Auth-Token", "hushAnswer")
            self.send_header("Link", "<http://cdn.example/s.css?sig=hushLink>; rel=preload")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with running_moto(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


@pytest.fixture
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the user wrote, outside of where the commands write."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "headers").write_text(HEADERS)
    (folder / "proxy").write_text("http://me:hushProxy@127.0.0.1:9/\n")
    (folder / "mediamirror.toml").write_text('header = ["X-Token: hushConfig"]\n')
    return folder


def found(done: CompletedProcess[str]) -> list[str]:
    return sorted(set(HUSH.findall((done.stdout + done.stderr).encode())))


def unpacked(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    whole = gzip.decompress(data)
    assert whole, "a packed file holds something"
    return whole


def leaks(folder: Path) -> dict[str, set[bytes]]:
    """What was found in every file below a folder, and in its name; of a catalog only what is no URL's own column."""
    told: dict[str, set[bytes]] = {}
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.endswith(("-wal", "-shm")):
            continue
        data = path.read_bytes()
        hits = set(HUSH.findall(in_catalog(path) if data[:6] == b"SQLite" else unpacked(data)))
        hits |= set(HUSH.findall(str(path).encode()))
        if hits:
            told[path.name] = hits
    return told


def in_catalog(path: Path) -> bytes:
    with sqlite3.connect(path) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        cells = [
            str(value)
            for table in tables
            for row in db.execute(f"SELECT * FROM {table}").fetchall()
            for name, value in zip([c[1] for c in db.execute(f"PRAGMA table_info({table})")], row, strict=True)
            if (table, name) not in IN_CATALOG
        ]
    return "\n".join(cells).encode()


NEVER = (
    b"hushBearer",
    b"hushCookie",
    b"hushApiKey",
    b"hushConfig",
    b"hushKey",
    b"hushProxy",
    b"hushSession",
    b"hushAnswer",
)
NEVER += (b"hushHop", b"hushWithin", b"hushLink", b"hushSecretKey", b"hushAwsToken")


def never_in_any_byte(folder: Path) -> list[tuple[str, bytes]]:
    """Secrets that are no part of a URL that is asked for: not in a catalog's free pages nor its write-ahead log either."""
    return [
        (p.name, s) for p in folder.rglob("*") if p.is_file() for s in NEVER if s in unpacked_or_raw(p.read_bytes())
    ]


def unpacked_or_raw(data: bytes) -> bytes:
    try:
        return unpacked(data)
    except (OSError, EOFError, zlib.error):
        return data


def test_a_mirror_in_a_bucket_and_all_that_is_told_of_it_hold_no_secret(
    mediamirror: Command, origin: Origin, server: S3Endpoint, given: Path, tmp_path: Path
) -> None:
    bucket = server.create_bucket("media")
    aws = server.environment() | {"AWS_SECRET_ACCESS_KEY": "hushSecretKey", "AWS_SESSION_TOKEN": "hushAwsToken"}
    dest, catalog, errors = f"s3://{bucket}/m", str(tmp_path / "c.sqlite"), tmp_path / "errors.txt"
    there = ("--endpoint-url", server.url)
    outside = ("-H", f"@{given / 'headers'}", "--retries", "0", *origin.words)
    copy = str(tmp_path / "copy")

    def run(*words: str) -> CompletedProcess[str]:
        done = mediamirror(*words, cwd=given, **aws)
        assert found(done) == [], (words[:2], done.stdout + done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    mirrored = run("mirror", INPUT, "--to", dest, "--catalog", catalog, *there, *outside, "-v", "--format", "jsonl",
                   "--hide-secrets", "--error-file", str(errors), "--concurrency", "1")  # fmt: skip
    for said in ("X-Amz-Signature=***", "http-status", "address-refused", "tls-failed", "invalid-url", "MM301"):
        assert said in mirrored.stdout, (said, mirrored.stdout + mirrored.stderr)
    assert mirrored.stdout.count('"status":"stored"') >= 4, mirrored.stdout
    assert "# http://media.example/missing.png?key=***\t" in errors.read_text()
    # The headers went to the INPUT's own host, and nowhere else.
    seen = {host: {n for n, v in headers.items() if "hush" in v} for host, _, headers in origin.asked}
    assert seen == {
        "pages.example": {"Authorization", "Cookie", "X-Api-Key"},
        "media.example": set(),
        "cdn.example": set(),
    }
    assert origin.workers, "no decoder process was seen"
    assert [line for line in origin.workers if b"hush" in line or b"AWS_" in line] == []

    at = (dest, "--catalog", catalog)
    for words in (
        ("catalog", "ls", *at),
        ("catalog", "ls", *at, "--format", "jsonl", "--hide-secrets"),
        ("catalog", "show", "http://media.example/go.png?access_token=hushGo", *at),
        ("catalog", "export", *at, "--hide-secrets", "-o", str(tmp_path / "x.csv")),
        ("catalog", "export", *at, *there, "--hide-secrets", "-o", str(tmp_path / "x.warc.gz")),
        ("report", *at, *there, "-o", str(tmp_path / "report")),
        ("sync", dest, copy, *there, "--catalog", str(tmp_path / "sync.sqlite"), "-v"),
        ("check", dest, copy, *there, "-v"),
        ("verify", "--mirror", dest, "--catalog", catalog, *there, "-v"),
        ("catalog", "rebuild", dest, "--catalog", str(tmp_path / "new.sqlite"), *there, "-v"),
    ):
        done = run(*words)
        assert done.returncode in (0, 1), (words, done.stderr)

    assert leaks(tmp_path) == {}
    assert never_in_any_byte(tmp_path) == []
    client = server.client()
    manifest = b""
    for row in client.list_objects_v2(Bucket=bucket)["Contents"]:
        got = client.get_object(Bucket=bucket, Key=row["Key"])
        data = unpacked(got["Body"].read())
        manifest += data if "_mediamirror" in row["Key"] else b""
        assert HUSH.findall(data + repr((row["Key"], got["Metadata"])).encode()) == []
    assert b"http://media.example/b.png?sig=***" in manifest
    assert b"http://pages.example/page?token=***" in manifest


def test_a_rebuilt_catalog_names_no_url_that_nobody_can_ask_for(
    mediamirror: Command, origin: Origin, server: S3Endpoint, given: Path, tmp_path: Path
) -> None:
    dest, aws = f"s3://{server.create_bucket('again')}", server.environment()
    words = ("--endpoint-url", server.url, "--retries", "0", *origin.words)
    mediamirror("mirror", INPUT, "--to", dest, *words, "--catalog", str(tmp_path / "a.sqlite"), **aws)
    new = tmp_path / "b.sqlite"
    done = mediamirror("catalog", "rebuild", dest, "--endpoint-url", server.url, "--catalog", str(new), **aws)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(new) as db:
        assert db.execute("SELECT url FROM variants WHERE url LIKE '%***%'").fetchall() == []
        assert db.execute("SELECT count(*) FROM holdings").fetchone()[0] >= 3
    again = mediamirror("mirror", INPUT, "--to", dest, *words, "--catalog", str(new), "--format", "jsonl", **aws)
    assert '"status":"stored"' in again.stdout or '"status":"unchanged"' in again.stdout, again.stderr


def test_verify_and_its_files_hold_no_secret(mediamirror: Command, origin: Origin, given: Path, tmp_path: Path) -> None:
    words = ("-H", f"@{given / 'headers'}", "--retries", "0", *origin.words, "-v")
    files = ("--report", str(tmp_path / "report"), "--write-baseline", str(tmp_path / "known.json"))
    for more in (("--format", "table", *files), ("--format", "sarif")):
        done = mediamirror("verify", INPUT, *words, *more, cwd=given)
        assert found(done) == []
        assert done.returncode in (0, 1)
        assert "***" in done.stdout
    for command in (("parse", "--explain"), ("simulate", "--format", "jsonl", "--hide-secrets")):
        done = mediamirror(command[0], INPUT, *command[1:], *words, cwd=given)
        assert found(done) == []
        assert "sig=***" in done.stdout, done.stderr
    assert leaks(tmp_path) == {}


def sentences(text: str) -> Iterator[tuple[str, str]]:
    """The fields of JSON Lines that hold sentences."""
    rows = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        problems = row.get("problems") if row["type"] == "image-set" else None
        for each in (row, row.get("error") or {}, *(problems or [])):
            yield from ((name, value) for name, value in each.items() if name == "message")


def test_programs_get_whole_urls_but_no_password_and_people_get_none(
    mediamirror: Command, origin: Origin, given: Path, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    done = mediamirror("parse", str(tmp_path / "page.html"), "--format", "jsonl")
    assert "b.png?sig=hushSig" in done.stdout
    assert "hushPassword" not in done.stdout
    dest, errors = str(tmp_path / "m"), tmp_path / "errors.txt"
    words = ("--to", dest, "--retries", "0", *origin.words, "--error-file", str(errors))
    done = mediamirror("mirror", str(tmp_path / "page.html"), *words, "--format", "jsonl")
    assert "b.png?sig=hushSig" in done.stdout
    assert "hushPassword" not in done.stdout + done.stderr + errors.read_text()
    told = [value for _, value in sentences(done.stdout) if HUSH.search(value.encode())]
    assert told == [], "messages are for people"
    assert "http://media.example/missing.png?key=hushMissing\t# http-status: " in errors.read_text()
    assert "missing.png?key=***" in errors.read_text(), "messages are for people"
    for words in (
        ("ls", "--format", "jsonl"),
        ("export",),
        ("export", "--format", "csv"),
    ):
        whole = mediamirror("catalog", words[0], dest, *words[1:])
        assert "b.png?sig=hushSig" in whole.stdout, whole.stderr
        assert "hushPassword" not in whole.stdout
        assert found(mediamirror("catalog", words[0], dest, *words[1:], "--hide-secrets")) == []


def test_a_proxy_password_is_told_to_nobody(mediamirror: Command, given: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<img src="http://media.example/a.png">')
    for words, extra in (
        (("--proxy", f"@{given / 'proxy'}"), {}),
        ((), {"MEDIAMIRROR_PROXY": "http://me:hushProxy@127.0.0.1:9/"}),
        (("--proxy", "socks5://me:hushProxy@127.0.0.1:9/"), {}),
    ):
        command = ("mirror", str(tmp_path / "page.html"), "--to", str(tmp_path / "m"), "--retries", "0", "-v", *words)
        done = mediamirror(*command, cwd=given, **extra)
        assert found(done) == []
        assert done.returncode in (1, 2)
    assert never_in_any_byte(tmp_path) == []


def test_a_refused_input_is_named_without_its_secrets(mediamirror: Command, tmp_path: Path) -> None:
    for word in ("ftp://me:hushFtp@h/?sig=hushSig", "no/such/page?token=hushPath"):
        done = mediamirror("mirror", word, "--to", str(tmp_path / "m"))
        assert (done.returncode, found(done), "***" in done.stderr) == (2, [], True), done.stderr


def test_help_shows_no_secret_of_the_configuration(mediamirror: Command, given: Path) -> None:
    there = {"MEDIAMIRROR_PROXY": "http://me:hushProxy@127.0.0.1:9/", "MEDIAMIRROR_USER_AGENT": "shown"}
    for command in ("parse", "mirror", "verify", "simulate"):
        done = mediamirror(command, "--help", cwd=given, **there)
        assert (found(done), "shown" in done.stdout) == ([], True)


def test_headers_come_from_a_file_a_variable_or_a_config_file(
    mediamirror: Command, origin: Origin, given: Path
) -> None:
    for words, extra in (
        (("-H", f"@{given / 'headers'}"), {}),
        ((), {"MEDIAMIRROR_HEADER": HEADERS}),
    ):
        origin.asked.clear()
        mediamirror("parse", INPUT, *words, *origin.words, cwd=given, **extra)
        asked = [headers for host, path, headers in origin.asked if path.startswith("/page")]
        assert [headers["Authorization"] for headers in asked] == ["Bearer hushBearer"]
        assert [headers["Cookie"] for headers in asked] == ["id=hushCookie"]
    done = mediamirror("parse", INPUT, *origin.words, cwd=given)
    assert origin.asked[-1][2]["X-Token"] == "hushConfig", done.stderr
    done = mediamirror("parse", INPUT, "-H", "@no-such-file", *origin.words)
    assert (done.returncode, done.stderr) == (
        2,
        "mediamirror: -H @no-such-file: the file can't be read (No such file or directory).\n",
    )


def test_an_endpoint_with_a_password_is_refused_without_showing_it(mediamirror: Command, tmp_path: Path) -> None:
    endpoint = ("--endpoint-url", "http://me:hushEndpoint@127.0.0.1:9")
    for words in (
        ("mirror", "x.html", "--to", "s3://media"),
        ("catalog", "ls", "s3://media"),
        ("sync", str(tmp_path), "s3://media"),
    ):
        (tmp_path / "x.html").write_text("<img src=http://h/a.png>")
        done = mediamirror(*words, *endpoint, cwd=tmp_path)
        assert found(done) == []
        assert done.returncode == 2
        assert "http://***@127.0.0.1:9" in done.stderr, done.stderr
    assert leaks(tmp_path) == {}


INJECTED = """
import importlib.util
import sys

if any(word.endswith("/mediamirror") for word in sys.orig_argv[:3]):
    from mediamirror.jobs.mirror import {module} as where

    async def broken(*words, **named):
        secret = "http://me:hushUser@h/a.png?sig=hushTrace"
        headers = {{"Authorization": "Bearer hushBearer", "Cookie": "id=hushCookie"}}
        raise {error}(f"{{headers}} {{secret}}")

    {target} = broken
"""


@pytest.mark.parametrize(
    ("module", "target", "error"),
    [
        ("handle", "where.Handler._handle", "RuntimeError"),
        ("job", "where.Plan.add", "RuntimeError"),
        ("job", "where.Plan.add", "OSError"),
    ],
)
def test_an_unexpected_error_shows_no_secret_not_even_in_its_traceback(
    mediamirror: Command, origin: Origin, given: Path, tmp_path: Path, module: str, target: str, error: str
) -> None:
    (given / "sitecustomize.py").write_text(INJECTED.format(module=module, target=target, error=error))
    words = ("mirror", INPUT, "--to", str(tmp_path / "m"), *origin.words, "-H", f"@{given / 'headers'}")
    for more in (("-v",), ()):
        done = mediamirror(*words, *more, cwd=given, PYTHONPATH=str(given))
        assert found(done) == [], done.stderr
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) == bool(more or module == "handle"), done.stderr
    assert leaks(tmp_path) == {}


def test_only_its_owner_reads_a_new_catalog(mediamirror: Command, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    words = ("--catalog", str(tmp_path / "c.sqlite"), "--retries", "0", *origin.words)
    mediamirror("mirror", str(tmp_path / "page.html"), "--to", str(tmp_path / "m"), *words)
    assert oct((tmp_path / "c.sqlite").stat().st_mode & 0o777) == "0o600"

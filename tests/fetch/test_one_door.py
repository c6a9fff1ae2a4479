"""The guard is one room with one door: nothing in the package can open a connection but what the guard has judged."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mediamirror

PACKAGE = Path(mediamirror.__file__).parent
DIALLING = ("socket", "ssl", "aiohttp", "httpx2", "httpx", "requests", "urllib3", "urllib.request", "http.client")
DIALLING += ("boto3", "botocore", "ftplib", "smtplib", "xmlrpc", "websockets", "asyncio.streams", "fsspec", "pycurl")
CALLS = {"open_connection", "create_connection", "sock_connect", "urlopen", "urlretrieve", "getaddrinfo", "connect"}

ALLOWED = {
    # The door itself, and what only names its errors, its types, or certificates.
    "fetch/transport.py": {"socket", "ssl", "pycurl"},
    "fetch/transfer.py": {"socket", "ssl", "pycurl"},
    "fetch/pump.py": {"socket", "pycurl"},
    "fetch/client.py": {"socket", "ssl"},
    # A transport of the caller's own, which dials or does not.
    "fetch/handed_in.py": {"httpx2"},
    "wire.py": {"httpx2"},
    # Requests to the bucket, over the transport that they are handed.
    "store/s3/store.py": {"ssl", "botocore"},
    "store/s3/errors.py": {"ssl"},
    # The user's own credentials, and uploads in parts to the user's own endpoint.
    "store/s3/multipart.py": {"botocore"},
    "store/s3/session.py": {"boto3", "botocore"},
    # A pair of sockets to a worker, which opens none.
    "imaging/decoder/pool.py": {"socket"},
    "imaging/decoder/worker.py": {"socket"},
}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def test_what_can_dial_is_imported_where_it_is_named_here_and_nowhere_else() -> None:
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        names = {
            each
            for name in imported(ast.parse(path.read_text("utf-8")))
            for each in DIALLING
            if name == each or name.startswith(f"{each}.")
        }
        if names:
            found[path.relative_to(PACKAGE).as_posix()] = names
    assert {
        where: sorted(names - ALLOWED.get(where, set()))
        for where, names in found.items()
        if names - ALLOWED.get(where, set())
    } == {}
    assert {"fetch/transport.py", "fetch/pump.py", "store/s3/session.py"} <= set(found)


def test_nothing_calls_what_dials_or_resolves_by_itself() -> None:
    calls = [
        f"{path.relative_to(PACKAGE).as_posix()}: {ast.unparse(node.func)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS
    ]
    # The one exception asks whether the user's own cluster answers, at the address of --ray-address: no document names it.
    knock = "jobs/mirror/engines.py: asyncio.open_connection"
    assert [call for call in calls if "sqlite3.connect" not in call] == [knock]


def test_transports_without_the_guard_are_made_for_the_users_own_endpoint_alone() -> None:
    using = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(isinstance(n, ast.Name) and n.id == "allow_all" for n in ast.walk(ast.parse(path.read_text("utf-8"))))
    }
    # guard.py for --allow-private; transport.py for what is dialled with --proxy, which is the proxy.
    assert using == {"fetch/late.py", "fetch/guard.py", "fetch/transport.py"}

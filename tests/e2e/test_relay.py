"""The counting relay passes requests on unchanged and counts them."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest

from fixtures.patience import PATIENCE
from fixtures.relay import Passed, Relay, running_relay


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = f"{self.headers['Host']} {len(body)} {body[-3:]!r}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def relay() -> Iterator[Relay]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with running_relay(f"http://127.0.0.1:{server.server_address[1]}") as running:
            yield running
        server.shutdown()


def test_requests_on_one_connection_pass_unchanged_and_are_counted(relay: Relay) -> None:
    place = urlsplit(relay.url).netloc
    connection = http.client.HTTPConnection(place, timeout=PATIENCE)
    answers = []
    for body in (b"GET / HTTP/1.1\r\n\r\nend", bytes(200_000) + b"two"):
        connection.request("PUT", "/bucket/key?x=1", body=body)
        answers.append(connection.getresponse().read())
    connection.close()
    assert answers == [f"{place} 21 b'end'".encode(), f"{place} 200003 b'two'".encode()]
    assert relay.passed() == [Passed("PUT", "/bucket/key?x=1", 21), Passed("PUT", "/bucket/key?x=1", 200_003)]


def test_a_reset_forgets_what_passed(relay: Relay) -> None:
    connection = http.client.HTTPConnection(urlsplit(relay.url).netloc, timeout=PATIENCE)
    connection.request("PUT", "/a", body=b"abc")
    connection.getresponse().read()
    connection.close()
    relay.reset()
    assert relay.passed() == []

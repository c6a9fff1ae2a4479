"""``python -m bench.silent_names``: what names that no name server answers cost the others, for docs/measurements/networks.md.

In a network namespace of its own, the name server of /etc/resolv.conf takes every question and answers none; names in
/etc/hosts are found. The installed command mirrors a text with the found hosts alone, then one with silent names in front.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fixtures.hostile.canaries import NoNamespace, picture
from fixtures.servers.process import executable

ADDRESS = "127.0.0.1"
NAME_SERVER = "127.0.0.53"


def measure(silent: int, found: int, *options: str) -> dict[str, object]:
    """Run the command twice in a namespace. Raises `NoNamespace`."""
    start = ["unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--net", "--mount"]
    with tempfile.TemporaryDirectory() as scratch:
        words = [*start, sys.executable, "-m", "bench.silent_names", "--inside", scratch, str(silent), str(found)]
        done = subprocess.run([*words, "--", *options], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise NoNamespace(f"the namespace could not be furnished: {done.stderr[-500:]}")
    figures: dict[str, object] = json.loads(done.stdout)
    return figures


def _inside(folder: Path, silent: int, found: int, options: list[str]) -> dict[str, object]:
    _furnish(folder, found)
    sound = [f"http://found{n}.test/{n}.png 1x," for n in range(found)]
    dead = [f"http://silent{n}.test/{n}.png 1x," for n in range(silent)]
    alone, _ = _run(folder / "alone", sound, options)
    seconds, codes = _run(folder / "both", [*dead, *sound], options)
    return {"found": f"{codes.pop('stored', 0)}/{found}", "others": codes, "alone": alone, "with silent names": seconds}


def _run(folder: Path, candidates: list[str], options: list[str]) -> tuple[float, dict[str, int]]:
    folder.mkdir()
    (folder / "in.txt").write_text("".join(f"date 2025-12-08 x.test {each} end\n" for each in candidates))
    words = [
        executable("mediamirror"),
        "mirror",
        str(folder / "in.txt"),
        "--to",
        str(folder / "out"),
        "--format",
        "jsonl",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [*words, "--allow-private", *options],
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = round(time.monotonic() - began, 1)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    variants = [row for row in rows if row["type"] == "variant"]
    return seconds, dict(Counter((row["error"] or {"code": row["status"]})["code"] for row in variants))


def _furnish(folder: Path, found: int) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hosts, servers = folder / "hosts", folder / "resolv.conf"
    hosts.write_text("".join(f"{ADDRESS} found{n}.test\n" for n in range(found)))
    servers.write_text(f"nameserver {NAME_SERVER}\n")
    for made, place in ((hosts, "/etc/hosts"), (servers, "/etc/resolv.conf")):
        # The mount is of this namespace alone.
        subprocess.run(["mount", "--bind", str(made), place], check=True)
    silence = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silence.bind((NAME_SERVER, 53))
    silence.detach()
    body = picture()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = b"" if self.path == "/robots.txt" else body
            self.send_response(200)
            self.send_header("Content-Length", str(len(wanted)))
            self.end_headers()
            self.wfile.write(wanted)

        def log_message(self, *words: object) -> None:
            del words

    threading.Thread(target=ThreadingHTTPServer((ADDRESS, 80), Answer).serve_forever, daemon=True).start()


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--silent", type=int, default=100)
    parser.add_argument("--found", type=int, default=40)
    parser.add_argument("--inside", nargs=3)
    parser.add_argument("options", nargs="*", help="further options of mirror, behind --")
    chosen = parser.parse_args()
    if chosen.inside:
        folder, silent, found = chosen.inside
        print(json.dumps(_inside(Path(folder), int(silent), int(found), chosen.options)))
    else:
        print(json.dumps(measure(chosen.silent, chosen.found, *chosen.options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env bash
# pywb replays a URL with two captures: a response, and a revisit with the profile server-not-modified (WARC 1.1, 6.7.3) that has the
# header of the 304 as its block, and a WARC-Refers-To-Target-URI and WARC-Refers-To-Date that lead to the response.
# One would guess: at the date of the revisit it answers as for a revisit of identical-payload-digest, with the bytes of the capture
# that is referred to and status 200.
# So it is: it answers 304 without a body, so that a browser that has nothing in its cache shows no image. Without the block (which
# the standard allows, too) it answers 200 with the bytes.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "pywb==2.10.0" "setuptools<81"
cd "$work"
cat > make.py <<'PY'
import io
import sys

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

URL, FIRST, SECOND = "http://site.example/a.gif", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
with open(sys.argv[1], "wb") as file:
    writer = WARCWriter(file, gzip=True, warc_version="WARC/1.1")
    head = StatusAndHeaders("200 OK", [("Content-Type", "image/gif"), ("Content-Length", str(len(GIF)))], protocol="HTTP/1.1")
    first = writer.create_warc_record(
        URL, "response", payload=io.BytesIO(GIF), http_headers=head, warc_headers_dict={"WARC-Date": FIRST}
    )
    writer.write_record(first)
    said = {
        "WARC-Date": SECOND,
        "WARC-Profile": "http://netpreserve.org/warc/1.1/revisit/server-not-modified",
        "WARC-Refers-To-Target-URI": URL,
        "WARC-Refers-To-Date": FIRST,
        "WARC-Payload-Digest": first.rec_headers.get_header("WARC-Payload-Digest"),
    }
    head = StatusAndHeaders("304 Not Modified", [("ETag", '"x"')], protocol="HTTP/1.1") if sys.argv[2] == "block" else None
    writer.write_record(writer.create_warc_record(URL, "revisit", http_headers=head, warc_headers_dict=said))
PY
"$work/venv/bin/python" -c "from importlib.metadata import version as v; print('pywb', v('pywb'), 'warcio', v('warcio'))"
for kind in block no-block; do
  venv/bin/python make.py "$kind.warc.gz" "$kind"
  venv/bin/wb-manager init "$kind" > /dev/null 2>&1
  venv/bin/wb-manager add "$kind" "$kind.warc.gz" > /dev/null 2>&1
done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
timeout 60 venv/bin/wayback -b 127.0.0.1 -p "$port" > log 2>&1 &
server=$!
cat > ask.py <<'PY'
import sys
import time
import urllib.error
import urllib.request

told = {}
for kind in ("block", "no-block"):
    for date in ("20260101000000", "20260201000000"):
        url = f"http://127.0.0.1:{sys.argv[1]}/{kind}/{date}id_/http://site.example/a.gif"
        for _ in range(120):
            try:
                with urllib.request.urlopen(url, timeout=20) as answer:
                    told[kind, date] = answer.status, len(answer.read())
            except urllib.error.HTTPError as error:
                told[kind, date] = error.code, len(error.read())
            except OSError:
                time.sleep(0.25)
                continue
            break
        print(kind, date, "status and bytes:", *told[kind, date])
assert told["block", "20260101000000"] == told["no-block", "20260101000000"] == (200, 43), told
assert told["block", "20260201000000"] == (304, 0), told
assert told["no-block", "20260201000000"] == (200, 43), told
PY
venv/bin/python ask.py "$port"

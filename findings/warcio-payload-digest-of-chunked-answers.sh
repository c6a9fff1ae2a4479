#!/usr/bin/env bash
# WARC-Payload-Digest is there so that two captures of one picture can be recognised.
# One would guess: it is the digest of the picture's bytes, with the transfer coding taken off, as the standard's
# "payload" of RFC 7230 suggests.
# So it is: warcio digests the block behind the HTTP headers as it stands, chunk lines included. The same picture
# sent in other chunks, or with a Content-Length, has another digest; and a reader that decodes the body and compares
# it finds a difference where nothing is wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "warcio==1.8.1"
"$work/venv/bin/python" - <<'PY'
import base64
import hashlib
import io
from importlib.metadata import version

from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

picture = bytes(range(256)) * 8


def digest(data):
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def chunked(size):
    parts = [picture[at : at + size] for at in range(0, len(picture), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


answers = {
    "Content-Length": ([("Content-Length", str(len(picture)))], picture),
    "chunks of 512": ([("Transfer-Encoding", "chunked")], chunked(512)),
    "chunks of 1024": ([("Transfer-Encoding", "chunked")], chunked(1024)),
}
print("warcio", version("warcio"))
digests = {}
for name, (headers, body) in answers.items():
    out = io.BytesIO()
    http = StatusAndHeaders("200 OK", [("Content-Type", "image/webp"), *headers], protocol="HTTP/1.1")
    writer = WARCWriter(out, gzip=False)
    url = "https://example.org/a.webp"
    writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=http))
    out.seek(0)
    record = next(iter(ArchiveIterator(out)))
    digests[name] = record.rec_headers.get_header("WARC-Payload-Digest")
    assert record.content_stream().read() == picture
    print(f"{name:15} {digests[name]}")
print(f"{'the picture':15} {digest(picture)}")
assert digests["Content-Length"] == digest(picture)
assert digests["chunks of 512"] == digest(chunked(512)) != digest(picture)
assert len(set(digests.values())) == 3
PY

#!/usr/bin/env bash
# warcio undoes the content coding of an answer: content_stream() gives the body as a browser would see it.
# One would guess: an answer in br comes decoded where the package brotli is installed, as one in gzip does.
# So it is: reading any such answer raises AttributeError, because brotli's Decompressor has no unused_data, which warcio asks for
# as zlib's objects have it. The bytes as they are stored can be read by raw_stream, and brotli decodes them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "warcio==1.8.1" "brotli==1.2.0"
"$work/venv/bin/python" - <<'PY'
import gzip
import io
from importlib.metadata import version

import brotli
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

page = b"<!doctype html><title>a page</title>" * 40


def archived(coding, body):
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=True)
    rows = [("Content-Type", "text/html"), ("Content-Encoding", coding), ("Content-Length", str(len(body)))]
    head = StatusAndHeaders("200 OK", rows, protocol="HTTP/1.1")
    writer.write_record(writer.create_warc_record("https://site.example/", "response", io.BytesIO(body), http_headers=head))
    file.seek(0)
    return file


def read(coding, body, how):
    (found,) = (getattr(record, how)().read() for record in ArchiveIterator(archived(coding, body)))
    return found


print("warcio", version("warcio"), "brotli", version("brotli"))
assert read("gzip", gzip.compress(page), "content_stream") == page
try:
    read("br", brotli.compress(page), "content_stream")
except AttributeError as error:
    print("br:", error)
    assert "unused_data" in str(error)
else:
    raise SystemExit("an answer in br is decoded now")
(raw,) = (record.raw_stream.read() for record in ArchiveIterator(archived("br", brotli.compress(page))))
assert brotli.decompress(raw) == page
PY

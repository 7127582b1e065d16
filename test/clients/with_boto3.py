"""Uses boto3 as an engineer would. Fails with a traceback where something is not as Amazon S3 would have it."""
import hashlib
import io
import os

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
BUCKET = "with-boto3"
s3.create_bucket(Bucket=BUCKET)

# Upload, list, read, ranged read, metadata.
s3.put_object(Bucket=BUCKET, Key="größe/日本語 +.txt", Body=b"content", Metadata={"who": "me"}, ContentType="text/plain")
listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
assert [item["Key"] for item in listed] == ["größe/日本語 +.txt"], listed
got = s3.get_object(Bucket=BUCKET, Key="größe/日本語 +.txt", ChecksumMode="ENABLED")
assert got["Body"].read() == b"content" and got["Metadata"] == {"who": "me"} and got["ContentType"] == "text/plain"
assert s3.get_object(Bucket=BUCKET, Key="größe/日本語 +.txt", Range="bytes=-3")["Body"].read() == b"ent"

# Every checksum that boto3 can compute by itself.
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    put = s3.put_object(Bucket=BUCKET, Key="sum", Body=b"x" * 200_000, ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"], (algorithm, head)

# 300 MB in parts, by threads, and back.
large = os.urandom(1 << 20) * 300
config = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=16 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(large), BUCKET, "large", Config=config)
assert s3.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-19"')
back = io.BytesIO()
s3.download_fileobj(BUCKET, "large", back, Config=config)
assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(large).digest()
s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "copy", Config=config)
assert s3.head_object(Bucket=BUCKET, Key="copy")["ContentLength"] == len(large)
parts = s3.get_object_attributes(Bucket=BUCKET, Key="large", ObjectAttributes=["ObjectParts", "ObjectSize"])
assert parts["ObjectSize"] == len(large) and parts["ObjectParts"]["TotalPartsCount"] == 19, parts

# Versions and conditional writes.
s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
first = s3.put_object(Bucket=BUCKET, Key="v", Body=b"one")["VersionId"]
s3.put_object(Bucket=BUCKET, Key="v", Body=b"two")
s3.delete_object(Bucket=BUCKET, Key="v")
assert s3.get_object(Bucket=BUCKET, Key="v", VersionId=first)["Body"].read() == b"one"
s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")
try:
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")
    raise AssertionError("a second conditional write went through")
except ClientError as error:
    assert error.response["Error"]["Code"] == "PreconditionFailed", error.response

# A paginated listing with common prefixes, and deletion of everything.
for number in range(25):
    s3.put_object(Bucket=BUCKET, Key=f"page/{number % 5}/{number}", Body=b"")
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="page/", Delimiter="/", PaginationConfig={"PageSize": 2}))
assert [prefix["Prefix"] for page in pages for prefix in page.get("CommonPrefixes", [])] == [f"page/{number}/" for number in range(5)]
versions = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
for page in versions:
    doomed = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert "Errors" not in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": doomed})
s3.delete_bucket(Bucket=BUCKET)

#!/usr/bin/env bash
# compare.sh LOAD MINIO [SECONDS]   the standard load against Holdfast and MinIO in turn, on this machine, each with four local directories.
#
#   LOAD    a program that takes -name -endpoint -pid -c -d -ops and prints a JSON line per phase: operations and bytes, per second and per
#           CPU-second of the server's process tree (utime + stime)
#   MINIO   MinIO's server program
#
# Both servers get the same keys and make each 200 durable (MinIO: O_DSYNC on each drive). Prints the JSON lines of both; `table.mjs` makes the table of
# bench/results.md from them, as ratios of medians when it is given several runs.
set -eu
LOAD=$1 MINIO=$2 SECONDS_EACH=${3:-10}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NODE=$(echo "$HERE"/../node_modules/node-linux-*/bin/node)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench-XXXXXX")
export S3_ACCESS_KEY=holdfastadmin S3_SECRET_KEY=holdfastsecret
SERVER=
stop() { [ -z "$SERVER" ] || { kill "$SERVER" 2>/dev/null; wait "$SERVER" 2>/dev/null || true; }; SERVER=; }
trap 'stop; rm -rf "$WORK"' EXIT

answers() { # ENDPOINT
  local turn
  for turn in $(seq 300); do
    curl -s -o /dev/null -m 2 "$1" && return 0
    sleep 0.1
  done
  echo "no answer from $1" >&2
  return 1
}
load() { "$LOAD" -name "$1" -endpoint "$2" -pid "$SERVER" -c 16 -d "${SECONDS_EACH}s"; }

HOLDFAST_ROOT_ACCESS_KEY=$S3_ACCESS_KEY HOLDFAST_ROOT_SECRET_KEY=$S3_SECRET_KEY "$NODE" "$HERE/../src/main.ts" init "$WORK/holdfast" >/dev/null
# As packaging/start.sh starts it.
(set -a && . "$HERE/../packaging/malloc.env" && exec "$NODE" "$HERE/../src/main.ts" serve "$WORK/holdfast" --listen 127.0.0.1:19200 >/dev/null) &
SERVER=$!
answers http://127.0.0.1:19200/
load holdfast http://127.0.0.1:19200
stop
rm -rf "$WORK/holdfast"

mkdir -p "$WORK"/minio/d{1,2,3,4}
MINIO_ROOT_USER=$S3_ACCESS_KEY MINIO_ROOT_PASSWORD=$S3_SECRET_KEY MINIO_CI_CD=1 MINIO_BROWSER=off MINIO_UPDATE=off \
  "$MINIO" server --quiet --address 127.0.0.1:19201 --console-address 127.0.0.1:19202 "$WORK/minio/d{1...4}" >/dev/null 2>&1 &
SERVER=$!
answers http://127.0.0.1:19201/minio/health/ready
sleep 1
load minio http://127.0.0.1:19201

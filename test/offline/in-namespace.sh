#!/bin/sh
# in-namespace.sh ARCHIVE-DIR SCRIPT: runs the unpacked archive in a network namespace of its own that has no interface but loopback,
# with an empty PATH, and lets SCRIPT (run by the archive's own runtime) store and read.
set -e
if [ "$3" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare --net "$0" "$1" "$2" inside; fi
  exec unshare --map-root-user --net "$0" "$1" "$2" inside
fi
ip link set lo up
others=$(ip -o link show | grep -vc ' lo:' || true)
[ "$others" = 0 ] || { echo "the namespace has other interfaces than lo" >&2; exit 1; }
exec env -i PATH= HOME="$1" "$1/bin/node" "$2" "$1"

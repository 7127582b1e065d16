# `npm start`: installs what is missing, builds what has changed, makes a site if there is none, and serves it. The shell sees in a tenth of the time that the
# system's Node.js takes to start whether there is anything to install or to build; and then it becomes the server: same process id, so that every signal,
# SIGKILL too, reaches the server itself.

root=$(CDPATH='' cd -- "${0%/*}/.." && pwd -P) || exit 1

# What prepare.mjs said last (two lines), and for which files (a line each). Their time of change (ctime) tells what the rest does not: copying tools can put
# back an older time of modification. Compared for being the same, not for being newer: clocks are set back.
kept=$root/node_modules/.holdfast-built/prepared
files=$(find "$root/package-lock.json" "$root/packaging" "$root/src" -printf '%p %s %T@ %C@\n' 2>/dev/null)
node='' program='' known=''
[ -r "$kept" ] && { IFS= read -r node && IFS= read -r program && known=$(cat); } <"$kept"

if [ -z "$files" ] || [ "$known" != "$files" ] || [ ! -x "$node" ] || [ ! -f "$program" ]; then
  prepared=$(node "$root/packaging/prepare.mjs") || exit
  node=${prepared%%
*}
  program=${prepared#*
}
  if [ ! -x "$node" ]; then
    echo "holdfast: the packaged runtime $node cannot be run: see that its file system lets programs run." >&2
    exit 1
  fi
  case $program in
    *.ts) ;; # The build could not be made or kept: tried again the next time.
    *) { printf '%s\n%s\n' "$prepared" "$files" >"$kept.$$" && mv -f "$kept.$$" "$kept"; } 2>/dev/null ;;
  esac
fi

set -a
. "$root/packaging/malloc.env"
# Compiled code is kept between starts, from the first file on: half of the time to start.
: "${NODE_COMPILE_CACHE=$root/node_modules/.holdfast-compiled}"
set +a
exec "$node" "$program" start

// `npm run pack:offline`: makes dist/holdfast-VERSION-linux-ARCH.tar.gz, which runs on a machine without network and without Node.js:
// the runtime, the program, the native modules, and the documents. The same input gives the same bytes.
import { createWriteStream, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { buildProgram, NATIVE_PACKAGES } from './built.mjs'
import { root, runtime } from './install.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const name = `holdfast-${version}-${process.platform}-${process.arch}`
const out = join(root, 'dist', `${name}.tar.gz`)

const LAUNCHER = `#!/bin/sh
# Uses nothing but the shell's own words, so that it works with an empty PATH (but where it is called by a link).
here=\${0%/*}
[ "$here" = "$0" ] && here=.
# Called by a link, as from /usr/local/bin: the rest lies where that leads.
[ -x "$here/bin/node" ] || { here=$(readlink -f "$0") && here=\${here%/*}; }
set -a
. "$here/lib/malloc.env"
set +a
exec "$here/bin/node" "$here/lib/main.mjs" "$@"
`

const archive = pack()
const gzip = createGzip({ level: 9 })
mkdirSync(dirname(out), { recursive: true })
const file = createWriteStream(out)
archive.pipe(gzip).pipe(file)

add('holdfast', Buffer.from(LAUNCHER), 0o755)
add('bin/node', readFileSync(runtime()), 0o755)
add('lib/malloc.env', readFileSync(join(root, 'packaging', 'malloc.env')), 0o644)
add('lib/package.json', Buffer.from('{"type":"module"}\n'), 0o644)
for (const [file, contents] of await buildProgram()) add(`lib/${file}`, Buffer.from(contents), 0o644)
for (const path of filesOfPackages(NATIVE_PACKAGES)) add(`lib/${path}`, readFileSync(join(root, path)), 0o644)
for (const path of [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .sort()
    .map((doc) => `docs/${doc}`),
]) {
  add(path, readFileSync(join(root, path)), 0o644)
}
// For the day when none of the above runs any more.
for (const script of readdirSync(join(root, 'packaging', 'rescue')).sort()) {
  if (script.endsWith('.py')) add(`rescue/${script}`, readFileSync(join(root, 'packaging', 'rescue', script)), 0o644)
}
archive.finalize()
await finished(file)
console.log(out)

function add(path, content, mode) {
  archive.entry({ name: `${name}/${path}`, mode, mtime: new Date(0), uid: 0, gid: 0 }, content)
}

/** The files of packages and of all they depend on, that this platform can use. */
function filesOfPackages(names) {
  const files = []
  const seen = new Set()
  const visit = (packageName) => {
    const folder = join('node_modules', packageName)
    if (seen.has(packageName)) return
    seen.add(packageName)
    let description
    try {
      description = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    } catch {
      return // An optional package of another platform.
    }
    walk(folder)
    for (const dependency of Object.keys({ ...description.dependencies, ...description.optionalDependencies })) visit(dependency)
  }
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder)).sort()) {
      const path = join(folder, entry)
      if (lstatSync(join(root, path)).isDirectory()) {
        if (entry !== 'node_modules' && entry !== 'src' && entry !== 'deps') walk(path)
      } else if (usable(entry)) files.push(path)
    }
  }
  for (const packageName of names) visit(packageName)
  return files
}

/** Native binaries of this platform and this version of Node.js only; no sources, maps or types. */
function usable(entry) {
  if (/\.(map|ts|cpp|c|h|md|gyp)$/.test(entry)) return false
  const uws = /^uws_(\w+?)_(\w+?)_(\d+)\.node$/.exec(entry)
  if (uws !== null) return uws[1] === process.platform && uws[2] === process.arch && uws[3] === process.versions.modules
  return true
}

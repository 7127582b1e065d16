// The program as it is run: src in a few files of plain JavaScript, which start in two thirds of the time that its 300 modules take. Made once for each
// state of src and kept below node_modules; where it can't be made or kept, src itself runs.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root } from './install.mjs'

/** Packages with native code stay packages. */
export const NATIVE_PACKAGES = ['lmdb', 'uWebSockets.js']

const source = join(root, 'src')
const builds = join(root, 'node_modules', '.holdfast-built')
/** A running server loads what it needs later from the build that it was started from. One takes 2 MB. */
const BUILDS_KEPT = 20

/** The file that starts the program. */
export async function programFile() {
  let entry
  try {
    const build = join(builds, stateOfSource())
    entry = join(build, 'main.mjs')
    if (!isFile(entry)) await keepBuild(build)
  } catch {
    // It may be there all the same: made by another process, or only the tidying up failed.
  }
  return entry !== undefined && isFile(entry) ? entry : join(source, 'main.ts')
}

/** The files of the program, by name: `main.mjs` and those that it loads. The same source gives the same bytes. */
export async function buildProgram() {
  const { build, stop } = await import('esbuild')
  const built = await build({
    absWorkingDir: root,
    entryPoints: [join(source, 'main.ts')],
    bundle: true,
    // What a command does not need stays unread.
    splitting: true,
    write: false,
    outdir: builds,
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: NATIVE_PACKAGES,
    legalComments: 'inline',
    logLevel: 'silent',
    // Packages in CommonJS call require for Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
    },
  })
  // Else its process would stay as long as this one.
  await stop()
  return new Map(built.outputFiles.map(({ path, contents }) => [basename(path), contents]))
}

/** Whole or not at all: several processes may do this at once. */
async function keepBuild(folder) {
  const files = await buildProgram()
  const temporary = `${folder}.${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    for (const [name, contents] of files) writeFileSync(join(temporary, name), contents)
    if (!isFile(join(folder, 'main.mjs'))) renameSync(temporary, folder)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  removeOld()
}

function removeOld() {
  const byAge = readdirSync(builds)
    .map((name) => ({ path: join(builds, name), made: statSync(join(builds, name)).mtimeMs }))
    .sort((one, other) => other.made - one.made)
  for (const { path } of byAge.slice(BUILDS_KEPT)) rmSync(path, { recursive: true, force: true })
}

/** Changes with every file of src, with what is installed and with how it is built. */
function stateOfSource() {
  const hash = createHash('sha256')
  const paths = [join(root, 'package-lock.json'), import.meta.filename ?? join(root, 'packaging', 'built.mjs')]
  for (const entry of readdirSync(source, { recursive: true }).sort()) paths.push(join(source, entry))
  for (const path of paths) {
    // As in start.sh.
    const { ctimeMs, mtimeMs, size } = statSync(path)
    hash.update(`${path}\0${ctimeMs}\0${mtimeMs}\0${size}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

// Finds the pinned Node.js and installs the packages of the lockfile if they are not there. Plain JavaScript: any Node ≥ 20 runs it.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The pinned Node.js of this platform. */
export function runtime() {
  return join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
}

/** Installs exactly what package-lock.json says, unless that was done already. Ends the process with one sentence if it cannot. */
export function ensureInstalled() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const stamp = join(root, 'node_modules', '.holdfast-installed')
  if (existsSync(runtime()) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.error('Installing what package-lock.json lists …')
  const npm = process.env.npm_execpath
  // Not `npm ci`: it refuses a lockfile that lacks an optional package of another platform.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const ended = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (ended.status !== 0) {
    console.error('holdfast: the packages could not be installed; see above what npm said.')
    process.exit(1)
  }
  if (!existsSync(runtime())) {
    console.error(`holdfast: there is no packaged runtime for ${process.platform} ${process.arch}; Linux on x64 or arm64 is needed.`)
    process.exit(1)
  }
  writeFileSync(stamp, lock)
}

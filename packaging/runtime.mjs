// `npx holdfast …`: starts Holdfast under the pinned Node.js. Where the system's Node can (process.execve: 22.15, 23.11, 24), the server takes the place of this
// process: same process id, so that every signal, SIGKILL too, reaches the server itself, and no second process takes memory. Else this one stands in for it:
// signals go on to it, its end is ours; and if this one is killed, the server notices and stops (with-starter.cjs).
import { spawn } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, runtime } from './install.mjs'

// As in start.sh.
const COMPILED = { NODE_COMPILE_CACHE: join(root, 'node_modules', '.holdfast-compiled') }

/** `args`: what Node.js is to run. This process ends with the exit code of that one, or becomes it. */
export function runHoldfast(args) {
  const node = runtime()
  const env = { ...COMPILED, ...process.env, ...malloc() }
  // What cannot be run is told by spawn in words; execve would end with a core dump.
  if (typeof process.execve === 'function' && mayRun(node)) process.execve(node, [node, ...args], env)
  const withStarter = join(root, 'packaging', 'with-starter.cjs')
  const child = spawn(node, ['--require', withStarter, ...args], {
    stdio: 'inherit',
    env: { ...env, HOLDFAST_STARTER: String(process.pid) },
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`holdfast: the packaged runtime ${node} cannot be run (${error.code}): see that its file system lets programs run.`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
    process.exitCode = code ?? 1
  })
}

function malloc() {
  const settings = readFileSync(join(root, 'packaging', 'malloc.env'), 'utf8').match(/^\w+=.*$/gm)
  return Object.fromEntries(settings.map((setting) => setting.split('=')))
}

function mayRun(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// Starts Holdfast under the pinned Node.js and stands in for it: signals go on to it, its end is ours.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root, runtime } from './install.mjs'

// glibc gives large read buffers back to the kernel and faults them in again page by page unless told to keep some: reading large objects costs
// up to twice the processor time then. It reads these when the process starts, so they can't be set from inside.
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '33554432', MALLOC_TRIM_THRESHOLD_: '536870912', MALLOC_TOP_PAD_: '67108864' }

// Compiled code is kept between starts, from the first file on: half of the time to start.
const COMPILED = { NODE_COMPILE_CACHE: join(root, 'node_modules', '.holdfast-compiled') }

/** `args`: what Node.js is to run. Ends this process with the exit code of that one. */
export function runHoldfast(args) {
  const child = spawn(runtime(), args, { stdio: 'inherit', env: { ...MALLOC, ...COMPILED, ...process.env } })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
    process.exitCode = code ?? 1
  })
}

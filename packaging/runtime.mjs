// Starts Holdfast under the pinned Node.js and stands in for it: signals go on to it, its end is ours.
import { spawn } from 'node:child_process'
import { runtime } from './install.mjs'

/** `args`: what Node.js is to run. Ends this process with the exit code of that one. */
export function runHoldfast(args) {
  const child = spawn(runtime(), args, { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
    process.exitCode = code ?? 1
  })
}

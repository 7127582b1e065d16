// Preloaded (`--import with-starter.mjs?PID`) where the start script had to stay beside the server: whoever kills the script means the server, which would never learn of it.
import { isMainThread } from 'node:worker_threads'

const LOOKED_AT_MS = 500
const starter = Number(new URL(import.meta.url).search.slice(1))

if (isMainThread) {
  const look = setInterval(() => {
    if (process.ppid === starter) return
    clearInterval(look)
    process.kill(process.pid, 'SIGTERM')
  }, LOOKED_AT_MS)
  look.unref()
}

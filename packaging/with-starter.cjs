// Preloaded where the start script had to stay beside the server (runtime.mjs): whoever kills the script means the server, which would never learn of it.
// CommonJS: it costs a start nothing that could be measured, and neither do the worker threads that load it, too.
const { isMainThread } = require('node:worker_threads')

const LOOKED_AT_MS = 500

if (isMainThread) {
  const starter = Number(process.env.HOLDFAST_STARTER)
  delete process.env.HOLDFAST_STARTER
  const look = setInterval(() => {
    if (process.ppid === starter) return
    clearInterval(look)
    process.kill(process.pid, 'SIGTERM')
  }, LOOKED_AT_MS)
  look.unref()
}

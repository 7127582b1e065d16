/**
 * One process at a time may have a site open. The lock is a socket in Linux's abstract namespace, named after the directory's device and inode:
 * the kernel frees it when the process ends, however it ends, and no file is left behind. (Source: unix(7), "Abstract sockets".)
 */
import { statSync } from 'node:fs'
import { createServer } from 'node:net'

export type SiteLock = { release(): Promise<void> }

/** Undefined if another process has the site open. */
export function lockSite(directory: string): Promise<SiteLock | undefined> {
  const { dev, ino } = statSync(directory)
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(`\0holdfast-site-${dev}-${ino}`, () => {
      server.unref()
      resolve({ release: () => new Promise((released) => server.close(() => released())) })
    })
  })
}

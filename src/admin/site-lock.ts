/**
 * One process at a time may have a site open. The lock is a socket in Linux's abstract namespace, named after the directory's device and inode:
 * the kernel frees it when the process ends, however it ends, and no file is left behind. (Source: unix(7), "Abstract sockets".)
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { createServer } from 'node:net'

export type SiteLock = { release(): Promise<void> }

function lockName(directory: string): string {
  const { dev, ino } = statSync(directory)
  return `holdfast-site-${dev}-${ino}`
}

/** Undefined if another process has the site open. */
export function lockSite(directory: string): Promise<SiteLock | undefined> {
  const name = lockName(directory)
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(`\0${name}`, () => {
      server.unref()
      resolve({ release: () => new Promise((released) => server.close(() => released())) })
    })
  })
}

/**
 * The process that has the site open, also one that does not answer. Undefined if there is none, or if it is not ours to look at.
 * Source: proc(5), "/proc/net/unix" and "/proc/pid/fd".
 */
export function holderOfSite(directory: string): number | undefined {
  try {
    const name = `@${lockName(directory)}`
    const line = readFileSync('/proc/net/unix', 'latin1')
      .split('\n')
      .find((text) => text.slice(text.lastIndexOf(' ') + 1).replace(/@+$/, '') === name)
    const inode = line?.trim().split(/\s+/)[6]
    return inode === undefined
      ? undefined
      : readdirSync('/proc')
          .filter(isNumber)
          .map(Number)
          .find(hasOpen(`socket:[${inode}]`))
  } catch {
    return undefined
  }
}

/**
 * What a process of this program was asked for: "bundle import", "serve". Undefined if that is not to be seen. Of the arguments no more is told: what they name is the
 * business of whoever gave them. Source: proc(5), "/proc/pid/cmdline".
 */
export function commandOf(pid: number): string | undefined {
  try {
    // The runtime, its options and the program come before.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const from = words.findIndex((word, at) => at > 0 && /\.m?[jt]s$/.test(word)) + 1
    const [group = '', command = ''] = words.slice(from)
    if (from === 0 || !/^[a-z-]+$/.test(group)) return undefined
    return GROUPS.includes(group) && /^[a-z-]+$/.test(command) ? `${group} ${command}` : group
  } catch {
    return undefined
  }
}

/** Commands with commands of their own. */
const GROUPS = ['disk', 'site', 'peer', 'bundle', 'bucket']

const isNumber = (name: string): boolean => /^\d+$/.test(name)

const hasOpen =
  (what: string) =>
  (pid: number): boolean => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => leadsTo(`/proc/${pid}/fd/${fd}`) === what)
    } catch {
      return false
    }
  }

/** What is closed meanwhile leads nowhere. */
function leadsTo(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}

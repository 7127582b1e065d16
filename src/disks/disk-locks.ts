/**
 * One process at a time uses a disk, by whatever path it comes to it: two that write to one would each take the other's writes for damage. The lock is a
 * socket in Linux's abstract namespace, named after the device and inode of the directory, so that neither links nor bind mounts hide that two directories
 * are one; the kernel frees it however the process ends. It tells who asks whose it is. (Source: unix(7), "Abstract sockets".)
 *
 * What it does not see: processes in another network namespace (another container), and other machines.
 */
import { stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { fail, ok, type Result } from '../result.ts'

/** What names a directory, whatever path leads to it. */
export type Inode = { readonly dev: bigint; readonly ino: bigint }
/** `by`: who has it, in words, if that one answers. */
export type DiskHeld = { readonly kind: 'held'; readonly by?: string }
export type DiskLock = { release(): void }

type Held = { readonly taken: Promise<Result<Server, DiskHeld>>; readonly directories: Set<string>; count: number }
type Answer = { readonly pid: number; readonly holder: string; readonly released?: true }

const ANSWER_BYTES_MAX = 4096
const ANSWER_MS_MAX = 500
const ATTEMPTS_MAX = 3

/** The locks of one opened site: it may open a disk several times, as when it comes back after a fault. */
export class DiskLocks {
  readonly #holder: string
  readonly #held = new Map<string, Held>()

  /** `holder`: whose locks these are, for people. */
  constructor(holder: string) {
    this.#holder = holder
  }

  /** `directory`: a path that leads there. */
  async take(inode: Inode, directory: string): Promise<Result<DiskLock, DiskHeld>> {
    const name = lockName(inode)
    const known = this.#held.get(name)
    const directories = known?.directories ?? new Set<string>()
    const held = known ?? { taken: this.#listen(name, inode, directories), directories, count: 0 }
    directories.add(directory)
    held.count++
    this.#held.set(name, held)
    const taken = await held.taken
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      if (--held.count === 0) this.#letGo(name, held, taken)
    }
    if (taken.ok) return ok({ release })
    release()
    return taken
  }

  /** Lets go of all. */
  async close(): Promise<void> {
    for (const [name, held] of [...this.#held]) this.#letGo(name, held, await held.taken)
  }

  #letGo(name: string, held: Held, taken: Result<Server, DiskHeld>): void {
    if (this.#held.get(name) === held) this.#held.delete(name)
    if (taken.ok && taken.value.listening) taken.value.close()
  }

  async #listen(name: string, inode: Inode, directories: ReadonlySet<string>): Promise<Result<Server, DiskHeld>> {
    // A directory that was deleted leaves its inode to the next one made: whoever has the lock looks after that when he is asked.
    const answer = async (): Promise<Answer> => {
      const own = { pid: process.pid, holder: this.#holder }
      if (await leadsTo(directories, inode)) return own
      const held = this.#held.get(name)
      if (held !== undefined) this.#letGo(name, held, await held.taken)
      return { ...own, released: true }
    }
    let refused: DiskHeld = { kind: 'held' }
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const server = await listen(name, answer)
      if (server !== undefined) return ok(server)
      const by = await askHolder(name)
      refused = by === undefined ? { kind: 'held' } : { kind: 'held', by: `process ${by.pid} for ${by.holder}` }
      if (by !== undefined && by.released !== true) break
    }
    return fail(refused)
  }
}

const lockName = ({ dev, ino }: Inode): string => `\0holdfast-disk-${dev}-${ino}`

async function leadsTo(directories: Iterable<string>, inode: Inode): Promise<boolean> {
  for (const directory of directories) {
    const found = await stat(directory, { bigint: true }).catch(() => undefined)
    if (found?.dev === inode.dev && found.ino === inode.ino) return true
  }
  return false
}

/** Undefined if the name is taken. */
function listen(name: string, answer: () => Promise<Answer>): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    void answer().then((said) => socket.end(JSON.stringify(said)))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(name, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** Undefined if nobody answers, or not as we do: anybody on this machine may take the name. */
function askHolder(name: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: name })
    let answer = ''
    const settle = (): void => {
      socket.destroy()
      resolve(parseHolder(answer))
    }
    socket.setTimeout(ANSWER_MS_MAX, settle)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      answer += text
      if (answer.length > ANSWER_BYTES_MAX) settle()
    })
    socket.on('error', settle)
    socket.on('close', settle)
  })
}

/** What a holder answers; undefined for anything else. */
export function parseHolder(text: string): Answer | undefined {
  try {
    const { pid, holder, released } = JSON.parse(text) as Record<string, unknown>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || typeof holder !== 'string') return undefined
    return { pid, holder: holder.replace(/\p{Cc}/gu, '?').slice(0, 1000), ...(released === true && { released }) }
  } catch {
    return undefined
  }
}

/** What to tell an operator. */
export const describeHeld = (directory: string, { by }: DiskHeld): string =>
  `${directory} is in use by another process${by === undefined ? '' : ` (${by})`}, maybe under another path: stop that one first, or use other disks. Only one process may use a disk.`

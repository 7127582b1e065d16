/**
 * A disk that is a directory of the file system, usually a mount point.
 *
 * `rm -rf` of it, or a mount lost from below it, does not show on open files: writes and fdatasync on them still succeed. So `check()`
 * opens the identity file by its path and compares device and inode with those of the start; that file is never replaced.
 * Files are made with mode 0600, folders with 0700, and symbolic links are not followed.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join, resolve } from 'node:path'
import type { Clock } from '../environment.ts'
import { done, fail, ok, type Result } from '../result.ts'
import { DirectoryFile, writeFully } from './directory-file.ts'
import type { Disk, DiskFault, DiskFile, DiskSpace, Lane, OpenOptions } from './disk.ts'
import type { DiskHeld, DiskLock, DiskLocks, Inode } from './disk-locks.ts'
import { isDiskPath, UNFINISHED_SUFFIX } from './disk-path.ts'
import { type Back, type Call, DiskQueue } from './disk-queue.ts'

export type DirectoryDiskOptions = {
  readonly directory: string
  /** The file whose device and inode say that the directory is still the same. A new disk has none until it is written. */
  readonly identityFile: string
  readonly clock: Clock
  /** Operations of the data lane in the thread pool at once. */
  readonly dataLimit?: number
  readonly timeLimitMs?: number
}

/** Answers 'gone' if there is no such directory. */
export async function openDirectoryDisk(options: DirectoryDiskOptions): Promise<Result<DirectoryDisk, DiskFault>> {
  assert(isDiskPath(options.identityFile), options.identityFile)
  const disk = new DirectoryDisk(options)
  const begun = await disk.begin()
  return begun.ok ? ok(disk) : begun
}

/** The same for the process's own use of the disk as a whole: it is locked until it is closed. */
export async function openLockedDisk(
  options: DirectoryDiskOptions,
  locks: DiskLocks,
): Promise<Result<DirectoryDisk, DiskFault | DiskHeld>> {
  const opened = await openDirectoryDisk(options)
  if (!opened.ok) return opened
  const locked = await opened.value.lock(locks)
  if (locked.ok) return opened
  opened.value.close()
  return locked
}

const SMALL_FILE_BYTES_MAX = 1024 * 1024
const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_DSYNC, O_DIRECT, O_DIRECTORY, O_NOFOLLOW } = fs.constants
const MODE_FLAGS = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_EXCL }

export class DirectoryDisk implements Disk {
  readonly directory: string
  readonly #identityFile: string
  readonly #queue: DiskQueue
  #directoryInode: Inode | undefined
  #lock: DiskLock | undefined
  #identityInode: Inode | undefined
  readonly #files = new Set<DirectoryFile>()
  /** Its file system knows no O_DIRECT. */
  #refusesDirect = false
  readonly #replacements = new Map<string, Promise<unknown>>()

  /** Use openDirectoryDisk. */
  constructor(options: DirectoryDiskOptions) {
    this.directory = resolve(options.directory)
    this.#identityFile = options.identityFile
    this.#queue = new DiskQueue({ clock: options.clock, dataLimit: options.dataLimit ?? 3, timeLimitMs: options.timeLimitMs ?? 2000 })
  }

  get failed(): DiskFault | undefined {
    return this.#queue.failed
  }

  get quiet(): boolean {
    return this.#queue.quiet
  }

  /** Remembers which directory and identity file these are. */
  async begin(): Promise<Result<void, DiskFault>> {
    const directory = await this.#inode('')
    if (!directory.ok) return fail(directory.error === 'not-found' ? 'gone' : directory.error)
    this.#directoryInode = directory.value
    const identity = await this.#inode(this.#identityFile)
    if (!identity.ok && identity.error !== 'not-found') return identity
    this.#identityInode = identity.ok ? identity.value : undefined
    return done
  }

  /** Keeps other processes away from it until it is closed. */
  async lock(locks: DiskLocks): Promise<Result<void, DiskHeld>> {
    assert(this.#directoryInode !== undefined && this.#lock === undefined)
    const taken = await locks.take(this.#directoryInode, this.directory)
    if (!taken.ok) return taken
    this.#lock = taken.value
    return done
  }

  async open(file: string, options: OpenOptions): Promise<Result<DiskFile, DiskFault>> {
    const flags = MODE_FLAGS[options.mode] | O_NOFOLLOW | (options.dsync === true ? O_DSYNC : 0)
    const all = options.direct === true && !this.#refusesDirect ? flags | O_DIRECT : flags
    return this.#open(options.lane, this.#path(file), all, options.forgiving === true)
  }

  async readFile(file: string): Promise<Result<Uint8Array, DiskFault>> {
    const opened = await this.#open('data', this.#path(file), O_RDONLY | O_NOFOLLOW)
    if (!opened.ok) return opened
    const size = await opened.value.size()
    const content = !size.ok ? size : size.value > SMALL_FILE_BYTES_MAX ? fail<DiskFault>('io') : await opened.value.read(0, size.value)
    opened.value.close()
    return content
  }

  async writeFile(file: string, content: Uint8Array): Promise<Result<void, DiskFault>> {
    // One at a time per name, since they share the name of the unfinished file.
    const before = this.#replacements.get(file)
    const replaced = before === undefined ? this.#replace(file, content) : before.then(() => this.#replace(file, content))
    this.#replacements.set(file, replaced)
    const result = await replaced
    if (this.#replacements.get(file) === replaced) this.#replacements.delete(file)
    return result
  }

  async makeFolder(folder: string): Promise<Result<void, DiskFault>> {
    this.#path(folder)
    const parts = folder.split('/')
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = join(this.directory, ...parts.slice(0, depth))
      const made = await this.#queue.run<void>('data', (back) => fs.mkdir(path, { mode: 0o700 }, back))
      if (!made.ok && made.error !== 'exists') return made
      // Also when it was there: whoever made it may not have come to its sync yet.
      const synced = await this.syncFolder(parts.slice(0, depth - 1).join('/'))
      if (!synced.ok) return synced
    }
    return done
  }

  syncFolder(folder: string): Promise<Result<void, DiskFault>> {
    // Opened each time: a descriptor kept might be that of a folder which another thread has removed and made anew.
    const path = this.#path(folder)
    return this.#queue.run('data', (back) => syncFolder(path, back))
  }

  async list(folder: string): Promise<Result<string[], DiskFault>> {
    const path = this.#path(folder)
    const entries = await this.#queue.run<fs.Dirent[]>('data', (back) => fs.readdir(path, { withFileTypes: true }, back))
    if (!entries.ok) return entries
    const kept = entries.value.filter((entry) => isDiskPath(entry.name) && !entry.name.endsWith(UNFINISHED_SUFFIX))
    return ok(kept.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)))
  }

  remove(file: string): Promise<Result<void, DiskFault>> {
    const path = this.#path(file)
    return this.#queue.run('data', (back) => fs.unlink(path, back))
  }

  removeFolder(folder: string): Promise<Result<void, DiskFault>> {
    const path = this.#path(folder)
    return this.#queue.run('data', (back) => fs.rmdir(path, back))
  }

  async space(): Promise<Result<DiskSpace, DiskFault>> {
    const stats = await this.#queue.run<fs.StatsFs>('data', (back) => fs.statfs(this.directory, back))
    if (!stats.ok) return stats
    const { bsize, blocks, bavail } = stats.value
    return ok({ totalBytes: blocks * bsize, freeBytes: bavail * bsize })
  }

  async check(): Promise<Result<void, DiskFault>> {
    await this.#replacements.get(this.#identityFile)
    const expected = this.#identityInode ?? this.#directoryInode
    const found = await this.#inode(this.#identityInode === undefined ? '' : this.#identityFile)
    if (!found.ok && found.error !== 'not-found') return found
    if (found.ok && expected !== undefined && found.value.dev === expected.dev && found.value.ino === expected.ino) return done
    this.#queue.distrust('gone')
    return fail('gone')
  }

  close(): void {
    this.#queue.distrust('gone')
    for (const file of this.#files) file.close()
    this.#lock?.release()
  }

  #path(path: string): string {
    assert(path === '' || isDiskPath(path), path)
    return path === '' ? this.directory : `${this.directory}/${path}`
  }

  async #open(lane: Lane, path: string, flags: number, forgiving = false): Promise<Result<DirectoryFile, DiskFault>> {
    // If the answer comes too late for its caller, or the disk failed meanwhile, nobody else would close the descriptor.
    let late = false
    let opened: number | undefined
    let granted = flags
    const open: Call<number> = (back) => tryOpen(flags, back)
    const tryOpen = (flags: number, back: Back<number>): void =>
      fs.open(path, flags, 0o600, (error, fd) => {
        if (error?.code === 'EINVAL' && (flags & O_DIRECT) !== 0) {
          this.#refusesDirect = true
          granted = flags & ~O_DIRECT & ~O_EXCL
          // The refused call may have made the file already.
          tryOpen(granted, back)
          return
        }
        if (error === null && late) fs.close(fd, () => {})
        else if (error === null) opened = fd
        back(error, fd)
      })
    const fd = await this.#queue.run(lane, open)
    late = true
    if (fd.ok) return ok(new DirectoryFile(this.#queue, this.#files, lane, fd.value, granted, forgiving))
    if (opened !== undefined) fs.close(opened, () => {})
    return fd
  }

  async #replace(file: string, content: Uint8Array): Promise<Result<void, DiskFault>> {
    const path = this.#path(file)
    const unfinished = path + UNFINISHED_SUFFIX
    const written = await this.#queue.run<void>('journal', (back) => writeNewFile(unfinished, content, back))
    if (!written.ok) return written
    const renamed = await this.#queue.run<void>('journal', (back) => fs.rename(unfinished, path, back))
    if (!renamed.ok) return renamed
    const synced = await this.syncFolder(file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : '')
    if (!synced.ok || file !== this.#identityFile) return synced
    const identity = await this.#inode(file)
    if (!identity.ok) return identity
    this.#identityInode = identity.value
    return done
  }

  /** Device and inode of what is at the path now; opened, since some file systems answer a stat from memory. */
  #inode(file: string): Promise<Result<Inode, DiskFault>> {
    const path = this.#path(file)
    return this.#queue.run('journal', (back) =>
      fs.open(path, O_RDONLY, (openError, fd) => {
        if (openError === null) fs.fstat(fd, { bigint: true }, (error, stats) => fs.close(fd, () => back(error, stats)))
        else back(openError)
      }),
    )
  }
}

function syncFolder(path: string, back: Back<void>): void {
  fs.open(path, O_RDONLY | O_DIRECTORY, (openError, fd) => {
    if (openError === null) fs.fsync(fd, (error) => fs.close(fd, (closeError) => back(error ?? closeError)))
    else back(openError)
  })
}

/** Content and size are durable when it calls back; the name is not. */
function writeNewFile(path: string, content: Uint8Array, back: Back<void>): void {
  fs.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600, (openError, fd) => {
    if (openError !== null) {
      back(openError)
      return
    }
    const close: Back<void> = (error) => fs.close(fd, (closeError) => back(error ?? closeError))
    writeFully(fd, [content], 0, (error) => (error === null ? fs.fdatasync(fd, close) : close(error)))
  })
}

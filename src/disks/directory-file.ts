/** An open file of a directory disk: descriptor numbers and the callback calls of node:fs, which cost half of what FileHandle does. */
import fs from 'node:fs'
import { fail, type Result } from '../result.ts'
import { DIRECT_BYTES, type DiskFault, type DiskFile, type Lane } from './disk.ts'
import type { Back, Call, DiskQueue, SystemError } from './disk-queue.ts'

const { O_DIRECT, O_DSYNC, O_RDWR } = fs.constants
/** Linux takes at most so many pieces in one writev (IOV_MAX). */
const PIECES_MAX = 1024

export class DirectoryFile implements DiskFile {
  readonly #queue: DiskQueue
  readonly #lane: Lane
  #fd: number
  /** How it is opened anew without O_DIRECT. */
  readonly #flags: number
  /** The first descriptor if it has O_DIRECT; it stays open until the end, since others may be writing to it. */
  readonly #directFd: number | undefined
  /** The open files of the disk, so that it can close them. */
  readonly #files: Set<DirectoryFile>
  /** Calls that the kernel may still be working on: the descriptor is not closed under them. */
  #underWay = 0
  #closing = false
  /** Of reads. */
  readonly #forgiving: { readonly forgiving: boolean }

  constructor(queue: DiskQueue, files: Set<DirectoryFile>, lane: Lane, fd: number, flags: number, forgiving: boolean) {
    this.#queue = queue
    this.#files = files
    files.add(this)
    this.#lane = lane
    this.#forgiving = { forgiving }
    this.#fd = fd
    this.#directFd = (flags & O_DIRECT) === 0 ? undefined : fd
    this.#flags = flags & (O_RDWR | O_DSYNC)
  }

  read(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
    return this.#run((back) => {
      const content = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
      readFully(this.#fd, content, offset, 0, back)
    }, this.#forgiving)
  }

  readInto(offset: number, target: Uint8Array): Promise<Result<number, DiskFault>> {
    return this.#run((back) => this.#directly((fd, then) => readUpTo(fd, target, offset, 0, then), back), this.#forgiving)
  }

  write(offset: number, pieces: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    return this.#run((back) => this.#directly((fd, then) => writeFully(fd, pieces, offset, then), back))
  }

  /** A file system may take O_DIRECT and then refuse operations: it wants greater blocks, or stopped in the middle of one. Then on without. */
  #directly<T>(act: (fd: number, then: Back<T>) => void, back: Back<T>): void {
    const fd = this.#fd
    if (fd !== this.#directFd) {
      act(fd, back)
      return
    }
    act(fd, (error, value) => {
      if (isInvalid(error)) this.#becomeBuffered(fd, (reopenError) => (reopenError === null ? act(this.#fd, back) : back(reopenError)))
      else back(error, value)
    })
  }

  #becomeBuffered(directFd: number, back: Back<void>): void {
    fs.open(`/proc/self/fd/${directFd}`, this.#flags, (error, fd) => {
      // Of several that come here at once the first one wins.
      if (error === null && this.#fd === directFd) this.#fd = fd
      else if (error === null) fs.close(fd, () => {})
      back(error)
    })
  }

  sync(): Promise<Result<void, DiskFault>> {
    return this.#run((back) => fs.fdatasync(this.#fd, back))
  }

  size(): Promise<Result<number, DiskFault>> {
    return this.#run((back) => fs.fstat(this.#fd, (error, stats) => back(error, stats?.size)))
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#files.delete(this)
    if (this.#underWay === 0) this.#release()
  }

  #run<T>(call: Call<T>, options?: { readonly forgiving: boolean }): Promise<Result<T, DiskFault>> {
    if (this.#closing) return Promise.resolve(fail('gone'))
    this.#underWay += 1
    return this.#queue.run(this.#lane, call, this.#left, options)
  }

  readonly #left = (): void => {
    this.#underWay -= 1
    if (this.#closing && this.#underWay === 0) this.#release()
  }

  #release(): void {
    this.#queue.release(this.#lane, (back) => {
      const fds = this.#directFd === undefined || this.#directFd === this.#fd ? [this.#fd] : [this.#directFd, this.#fd]
      let open = fds.length
      for (const fd of fds) fs.close(fd, () => (--open === 0 ? back(null) : undefined))
    })
  }
}

const isInvalid = (error: SystemError | DiskFault | null): boolean => typeof error === 'object' && error?.code === 'EINVAL'

/** Until `target` is full, or the file ends: so it does where a read ends in the middle of a page. */
function readUpTo(fd: number, target: Uint8Array, offset: number, done: number, back: Back<number>): void {
  fs.read(fd, target, done, target.length - done, offset + done, (error, bytes) => {
    const all = done + bytes
    if (error !== null) back(error)
    else if (bytes === 0 || all === target.length || all % DIRECT_BYTES !== 0) back(null, all)
    else readUpTo(fd, target, offset, all, back)
  })
}

function readFully(fd: number, content: Uint8Array, offset: number, done: number, back: Back<Uint8Array>): void {
  fs.read(fd, content, done, content.length - done, offset + done, (error, bytes) => {
    if (error !== null) back(error)
    else if (done + bytes === content.length) back(null, content)
    else if (bytes === 0) back('short')
    else readFully(fd, content, offset, done + bytes, back)
  })
}

/** Writes all pieces, going on after partial writes. */
export function writeFully(fd: number, pieces: readonly Uint8Array[], offset: number, back: Back<void>): void {
  const batch = pieces.length > PIECES_MAX ? pieces.slice(0, PIECES_MAX) : pieces
  let bytes = 0
  for (const piece of batch) bytes += piece.length
  fs.writev(fd, batch, offset, (error, written) => {
    if (error !== null) back(error)
    else if (written === bytes && batch === pieces) back(null)
    else if (written === 0 && bytes > 0) back({ code: 'EIO' })
    else writeFully(fd, rest(pieces, written), offset + written, back)
  })
}

/** What is left of the pieces after their first `bytes` bytes. */
export function rest(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  let from = 0
  while (from < pieces.length && pieces[from]!.length <= left) left -= pieces[from++]!.length
  const remaining = pieces.slice(from)
  if (left > 0) remaining[0] = remaining[0]!.subarray(left)
  return remaining
}

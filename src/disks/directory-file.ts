/** An open file of a directory disk: descriptor numbers and the callback calls of node:fs, which cost half of what FileHandle does. */
import fs from 'node:fs'
import { fail, type Result } from '../result.ts'
import type { DiskFault, DiskFile, Lane } from './disk.ts'
import type { Back, Call, DiskQueue } from './disk-queue.ts'

/** Linux takes at most so many pieces in one writev (IOV_MAX). */
const PIECES_MAX = 1024

export class DirectoryFile implements DiskFile {
  readonly #queue: DiskQueue
  readonly #lane: Lane
  readonly #fd: number
  /** The open files of the disk, so that it can close them. */
  readonly #files: Set<DirectoryFile>
  /** Calls that the kernel may still be working on: the descriptor is not closed under them. */
  #underWay = 0
  #closing = false

  constructor(queue: DiskQueue, files: Set<DirectoryFile>, lane: Lane, fd: number) {
    this.#queue = queue
    this.#files = files
    files.add(this)
    this.#lane = lane
    this.#fd = fd
  }

  read(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
    return this.#run((back) => {
      const content = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
      readFully(this.#fd, content, offset, 0, back)
    })
  }

  write(offset: number, pieces: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    return this.#run((back) => writeFully(this.#fd, pieces, offset, back))
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

  #run<T>(call: Call<T>): Promise<Result<T, DiskFault>> {
    if (this.#closing) return Promise.resolve(fail('gone'))
    this.#underWay += 1
    return this.#queue.run(this.#lane, call, this.#left)
  }

  readonly #left = (): void => {
    this.#underWay -= 1
    if (this.#closing && this.#underWay === 0) this.#release()
  }

  #release(): void {
    this.#queue.release(this.#lane, (back) => fs.close(this.#fd, () => back(null)))
  }
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

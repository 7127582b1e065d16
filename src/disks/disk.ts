/**
 * A disk: one directory (usually a mount point) that holds journal segments, extents and its identity. The engine knows disks only through
 * this contract; `directory-disk.ts` is the real one, `test/sim` has the simulated one, and one suite runs on both.
 *
 * Files are named by paths relative to the disk, parts joined by '/'. Every fault is a value. No operation takes longer than the
 * disk's time limit (2 s): it answers 'timeout' and the disk is no longer trusted. A disk that has failed once ('gone', 'timeout', 'io')
 * answers 'gone' from then on until it is opened anew: what it holds may be stale. (But for reads of files that were opened as `forgiving`.)
 */
import type { Result } from '../result.ts'

export type DiskFault =
  /** The directory is not there any more, or is another one than at the start. */
  | 'gone'
  | 'timeout'
  | 'io'
  | 'full'
  | 'not-found'
  | 'exists'
  /** Fewer bytes than asked for are there. */
  | 'short'

/** The journal has a place of its own in the disk's queue, so that uploads do not delay it. */
export type Lane = 'data' | 'journal'

export type OpenMode =
  | 'read'
  /** Read and write a file that is there. */
  | 'write'
  /** Make it; 'exists' if it is there. Read and write. */
  | 'create'

export type OpenOptions = {
  readonly mode: OpenMode
  readonly lane: Lane
  /** Each write is durable when it answers (O_DSYNC). */
  readonly dsync?: boolean
  /**
   * Past the page cache where the file system can do that (O_DIRECT): only `readInto` and `write` then, with addresses, lengths and offsets that are multiples
   * of DIRECT_BYTES. Such bytes are no more durable than others: `sync` all the same.
   */
  readonly direct?: boolean
  /** A read that fails with 'io' speaks against that place of the file, not against the disk, which stays trusted: for what is made again from others. */
  readonly forgiving?: boolean
}

/** Page and block of whatever we run on. Memory at such addresses: the slabs of src/erasure. */
export const DIRECT_BYTES = 4096

export interface Disk {
  /** The directory, for people. */
  readonly directory: string
  open(file: string, options: OpenOptions): Promise<Result<DiskFile, DiskFault>>
  /** The whole of a small file (at most 1 MiB; 'io' beyond). */
  readFile(file: string): Promise<Result<Uint8Array, DiskFault>>
  /** Replaces a small file atomically and durably: temporary name, sync, rename, sync of the folder. */
  writeFile(file: string, content: Uint8Array): Promise<Result<void, DiskFault>>
  /** Makes a folder (and those above it) durably; no fault if it is there. */
  makeFolder(folder: string): Promise<Result<void, DiskFault>>
  /** Makes names added to or removed from a folder durable. */
  syncFolder(folder: string): Promise<Result<void, DiskFault>>
  /** Names in a folder, in no order; those of folders end with '/'. */
  list(folder: string): Promise<Result<string[], DiskFault>>
  /** Removes a file. 'not-found' if it was not there. Not durable before syncFolder. */
  remove(file: string): Promise<Result<void, DiskFault>>
  /** Removes an empty folder. */
  removeFolder(folder: string): Promise<Result<void, DiskFault>>
  space(): Promise<Result<DiskSpace, DiskFault>>
  /** Whether the directory is still the one that was opened: its identity file, opened by path, has the device and inode of the start. */
  check(): Promise<Result<void, DiskFault>>
  /** Undefined while trusted; else the first fault that ended the trust. */
  readonly failed: DiskFault | undefined
  /** Nothing that was begun can still reach the disk: a write that was not answered in time might, hours later. Also to be asked after `close`. */
  readonly quiet: boolean
  /** Closes every file; nothing may be called afterwards. */
  close(): void
}

/** Of a file opened as `forgiving`: whether a read failed for its place, and not for its disk. */
export const isOfPlace = (fault: DiskFault, disk: Disk): boolean => fault === 'io' && disk.failed === undefined

export type DiskSpace = { readonly totalBytes: number; readonly freeBytes: number }

export interface DiskFile {
  /** Exactly `bytes` bytes from `offset`, or 'short'. The array is the caller's. */
  read(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>>
  /**
   * Fills `target` from `offset` on and says how far: to its end, or to that of the file. After a fault other than 'short' and 'not-found' the disk may
   * still write into `target` at any time, until it is closed and beyond.
   */
  readInto(offset: number, target: Uint8Array): Promise<Result<number, DiskFault>>
  /** The pieces one behind the other from `offset`. They must not change until it answers. */
  write(offset: number, pieces: readonly Uint8Array[]): Promise<Result<void, DiskFault>>
  /** fdatasync. */
  sync(): Promise<Result<void, DiskFault>>
  size(): Promise<Result<number, DiskFault>>
  /** Releases the descriptor, after operations under way; never fails. */
  close(): void
}

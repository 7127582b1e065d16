/**
 * Extents: immutable runs of bytes, erasure-coded over one set. Written once, then only read, rebuilt or removed. Used by every thread at once.
 * Format: docs/formats.md#extent. Implementation: sharded-extents.ts.
 */
import type { Result } from '../result.ts'
import type { Disk, DiskFault } from './disk.ts'
import type { ExtentPlace } from './geometry.ts'

/** The disks of the sets as one thread sees them now. */
export interface SetDisks {
  /** By position, successors behind; undefined where the disk is out. `writeOnly`: it is healing, so reads should not count on it. */
  disks(set: number): readonly (SetDisk | undefined)[]
  /** Tells whoever decides about the pool that a disk failed an operation. Never throws; may be called often. */
  reportFault(set: number, position: number, fault: DiskFault): void
  /** Tells that a shard is missing or bad on a disk that works, so that it is rebuilt. */
  reportBadShard(place: ExtentPlace, shard: number): void
}
export type SetDisk = { readonly disk: Disk; readonly writeOnly: boolean }

export type ExtentFault =
  /** Fewer than k shards can be had, now. */
  | 'too-few-disks'
  /** Enough disks are there, but fewer than k shards are intact. */
  | 'damaged'
  | 'full'

export type WrittenExtent = {
  readonly place: ExtentPlace
  /** Bit s is set if shard s is durable (its file and its folder). */
  readonly durable: number
  /** The same of the successors of disks. */
  readonly mirrored: number
}

export interface ExtentWriter {
  /** What finish() will answer, as soon as it is known: writing on is of no use. */
  readonly fault: ExtentFault | undefined
  /**
   * Takes bytes; wait for the promise, if any. They are copied, so after that the caller's memory is his again.
   * Memory: at most two runs (RUN_BYTES, or a stripe where that is more) with their parity; what all have is bounded (run-room.ts). Never rejects.
   */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Durable: files and folder synced on every disk that took part to the end. */
  finish(): Promise<Result<WrittenExtent, ExtentFault>>
  /** Gives up and removes what was written. */
  abort(): Promise<void>
}

export interface ExtentReader {
  /** What is read from now on is only lent, until the next read or `close`, so that its memory serves again. */
  lend(): void
  /** The next bytes (at most a unit), each unit checked; lost units are rebuilt from the others. Undefined at the end. */
  read(): Promise<Result<Uint8Array | undefined, ExtentFault>>
  close(): void
}

/** Told how many bytes were read, answers when to go on, or that it is enough. */
export type Pace = (bytes: number) => Promise<'go-on' | 'stop'> | undefined

export interface ExtentStore {
  create(set: number, start: number, counter: number): ExtentWriter
  /** Bytes `from` to `to` (exclusive). */
  open(place: ExtentPlace, from: number, to: number): ExtentReader
  /**
   * Rebuilds one shard from the others onto the disk at its position, durably, and reads it back. `at`: of another disk that is to have it, a successor; what the
   * disk at its position has of it is copied.
   */
  rebuild(place: ExtentPlace, shard: number, at?: number): Promise<Result<void, ExtentFault | DiskFault>>
  /**
   * Reads one shard through, from the disk itself: every unit and the header. Durable if that is well; with a `pace` it only reads, not faster than that.
   * `at`: as in `rebuild`.
   */
  verify(
    place: ExtentPlace,
    shard: number,
    options?: { readonly pace?: Pace | undefined; readonly at?: number | undefined },
  ): Promise<Result<void, DiskFault | 'damaged' | 'stopped'>>
  /** Removes the files from every disk that is reachable. Faults are ignored: leftovers are found by the scrub. */
  remove(place: ExtentPlace): Promise<void>
}

/** What every thread knows of the pool: who is in. Plain values, sent between threads. */
import type { Geometry } from './geometry.ts'
import type { ReadOnly } from './read-only.ts'

/**
 * - in: holds all it should, counts.
 * - healing: gets new writes, but counts as lost until everything it should hold was read back.
 * - out: not used.
 */
export type DiskState = 'in' | 'healing' | 'out'

export type DiskSlot = {
  readonly set: number
  /** Place within the set, 0 to n − 1. */
  readonly position: number
  /** 32 hexadecimal digits. Changes when the disk is replaced. */
  readonly diskId: string
  readonly directory: string
  readonly state: DiskState
  /** Out for good, by an operator's word: it does not come back, only its place can be given to another. */
  readonly retired?: true
  /** Why it is out or healing, in words. */
  readonly reason?: string
  /** While healing. */
  readonly healed?: { readonly doneBytes: number; readonly totalBytes: number }
}

export type PoolSet = Geometry & { readonly disks: readonly DiskSlot[] }

export type PoolView = {
  /** 32 hexadecimal digits. */
  readonly poolId: string
  /** Grows with every change of who is in. */
  readonly generation: number
  readonly sets: readonly PoolSet[]
  /** Set when the pool may not be written. */
  readonly readOnly?: ReadOnly
}

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
  /** Place within the set, 0 to n − 1; of the successor of the disk at place p, n + p. */
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

export type PoolSet = Geometry & {
  /** By place. */
  readonly disks: readonly DiskSlot[]
  /** Disks that are healing, to take the place of others (successors.ts), or are out for the time being; only where there are any. */
  readonly successors?: readonly DiskSlot[]
}

export type PoolView = {
  /** 32 hexadecimal digits. */
  readonly poolId: string
  /** Grows with every change of who is in. */
  readonly generation: number
  readonly sets: readonly PoolSet[]
  /** Set when the pool may not be written. */
  readonly readOnly?: ReadOnly
}

/** All disks that the pool knows: those that have a place, and those that are to take one. */
export const everySlot = ({ sets }: Pick<PoolView, 'sets'>): DiskSlot[] =>
  sets.flatMap(({ disks, successors = [] }) => [...disks, ...successors])

export function slotAt({ sets }: Pick<PoolView, 'sets'>, set: number, position: number): DiskSlot | undefined {
  const found = sets[set]
  return found?.disks[position] ?? found?.successors?.find((slot) => slot.position === position)
}

/** It is to take another's place, and counts for nothing until then. */
export const isSuccessor = ({ sets }: Pick<PoolView, 'sets'>, { set, position }: DiskSlot): boolean => position >= sets[set]!.disks.length

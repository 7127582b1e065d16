/**
 * Where content is, as rows and records say it. Content is immutable, so several owners may share it; an owner is the sequence of the record that
 * made it (each record makes at most one), and an extent or manifest is given up with its last owner.
 */
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { BodyPlace } from './journal/terms.ts'

/** A run of bytes `from` to `to` (exclusive) of something stored. */
export type Slice =
  /** Of a record's body in the journal. */
  | { readonly kind: 'journal'; readonly place: BodyPlace; readonly from: number; readonly to: number }
  | { readonly kind: 'extent'; readonly place: ExtentPlace; readonly from: number; readonly to: number }
  /** Of the parts of a multipart object, one behind the other. `id` is the sequence of the record that completed it. */
  | { readonly kind: 'manifest'; readonly id: number; readonly from: number; readonly to: number }

/** One run after the other. Versions have at most one; parts made by copying may have several. */
export type Slices = readonly Slice[]

/** A part copied from a manifest refers to its pieces themselves up to this many, and to the manifest beyond. */
export const SLICES_PER_PART_MAX = 1000

export const sliceBytes = (slice: Slice): number => slice.to - slice.from
export const slicesBytes = (slices: Slices): number => slices.reduce((bytes, slice) => bytes + sliceBytes(slice), 0)

/** Bytes `from` to `to` (exclusive) of the slices. */
export function cut(slices: Slices, from: number, to: number): Slices {
  const pieces: Slice[] = []
  let start = 0
  for (const slice of slices) {
    const end = start + sliceBytes(slice)
    if (end > from && start < to) {
      pieces.push({ ...slice, from: slice.from + Math.max(0, from - start), to: slice.to - Math.max(0, end - to) })
    }
    start = end
  }
  return pieces
}

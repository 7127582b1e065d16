import type { NewRecord, PlacedRecord } from './terms.ts'

/** A batch that is being filled. Only one exists at a time; see journal.ts. */
export interface Reservation {
  readonly firstSequence: number
  /** Sequence of the next record that is added. */
  readonly nextSequence: number
  /** Records added. */
  readonly count: number
  /** Whether all of these can still be added. */
  fits(records: readonly Pick<NewRecord, 'metadata' | 'body'>[]): boolean
  /** Asserts that it fits. */
  add(record: NewRecord): PlacedRecord
  /** Gives the batch up; nothing was written. */
  cancel(): void
}

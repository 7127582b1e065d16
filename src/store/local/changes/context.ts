/** What deciding and applying work on. Both are synchronous: nothing is asked of clock, chance or disks. */
import type { ExtentPlace } from '../../../disks/geometry.ts'
import type { SiteId } from '../../terms.ts'
import type { IndexReader, IndexWriter } from '../index/ordered-map.ts'
import type { IndexState } from '../index/rows.ts'
import type { BodyPlace } from '../journal/terms.ts'
import type { ChangeRecord } from './record.ts'
import type { ChangeValue, Refusal } from './request.ts'

export type DecideContext = {
  readonly reader: IndexReader
  readonly state: Readonly<IndexState>
  readonly site: SiteId
  readonly epoch: number
  /** The stamp and sequence that the next record gets. */
  readonly clock: number
  readonly sequence: number
  /** Microseconds since 1970 by the clock on the wall. */
  readonly nowUs: number
}

/** A record to be written, with its body (which may be empty). */
export type RecordToWrite = { readonly record: ChangeRecord; readonly body: Uint8Array }

export type Decision =
  | { readonly kind: 'refused'; readonly error: Refusal }
  /** Nothing changes. `unused`: staged content was not needed. */
  | { readonly kind: 'nothing'; readonly value: ChangeValue; readonly unused?: true }
  /** All of them or none. */
  | { readonly kind: 'change'; readonly records: readonly RecordToWrite[]; readonly value: ChangeValue; readonly unused?: true }

const NO_BODY = new Uint8Array(0)

export const refused = (error: Refusal): Decision => ({ kind: 'refused', error })
export const change = (record: ChangeRecord, value: ChangeValue, body: Uint8Array = NO_BODY): Decision => ({
  kind: 'change',
  records: [{ record, body }],
  value,
})

export const applyContext = (writer: IndexWriter, state: IndexState, site: SiteId): ApplyContext => ({
  writer,
  state,
  site,
  freed: [],
  doomed: [],
  bucketsChanged: false,
  healListGrew: false,
})

/** A record with its place in history. */
export type PlacedChange = {
  readonly sequence: number
  readonly clock: number
  readonly record: ChangeRecord
  /** Of the body, if it has one. */
  readonly place: BodyPlace | undefined
  /** Only documents need it. */
  readonly body?: Uint8Array | undefined
}

export type ApplyContext = {
  readonly writer: IndexWriter
  readonly state: IndexState
  readonly site: SiteId
  /** Extents that lost their last owner: to be unlinked once this is durable and no reader is older. */
  readonly freed: ExtentPlace[]
  /** Manifests without owners, to be dropped by a record of their own when no reader is older. */
  readonly doomed: number[]
  /** Whether caches of buckets are stale. */
  bucketsChanged: boolean
  /** Whether the heal list grew. */
  healListGrew: boolean
}

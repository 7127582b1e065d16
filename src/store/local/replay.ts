/** Brings the index up to the journal: at the start, after a lost or set-back index, and when a commit of the index failed. */
import type { ExtentPlace } from '../../disks/geometry.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { apply } from './changes/apply.ts'
import { type ApplyContext, applyContext } from './changes/context.ts'
import { decodeRecord } from './changes/record.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { emptyState, readState, writeState } from './index/rows.ts'
import type { Journal } from './journal/journal.ts'
import type { JournalEntry, JournalFault } from './journal/terms.ts'
import type { ReplayReport } from './replay-report.ts'

export type ReplayFault =
  | JournalFault
  /** The index cannot be written. */
  | { readonly kind: 'index-failed' }
  /** A record of a kind that this software does not know: a newer one wrote it. */
  | { readonly kind: 'unknown-record'; readonly sequence: number }
  | { readonly kind: 'malformed-record'; readonly sequence: number }

export type Replayed = {
  readonly records: number
  readonly freed: readonly ExtentPlace[]
  readonly doomed: readonly number[]
  readonly healListGrew: boolean
}

const RECORDS_PER_COMMIT = 2000

/** Applies what the journal has beyond the index, and commits it in steps. Answers what has to be freed. */
export async function replay(input: {
  readonly index: OrderedMap
  readonly journal: Pick<Journal, 'entries' | 'reader' | 'nextSequence'>
  readonly site: SiteId
  /** Of the pool, now: the index remembers the newest. */
  readonly generation: number
  readonly onProgress?: ReplayReport
}): Promise<Result<Replayed, ReplayFault>> {
  const { index, journal, site } = input
  const state = readState(index.reader()) ?? emptyState()
  const freed: ExtentPlace[] = []
  const doomed: number[] = []
  let healListGrew = false
  let records = 0
  let transaction = index.begin()
  let context = applyContext(transaction, state, site)
  let pending = 0
  const commit = (): boolean => {
    state.generation = Math.max(state.generation, input.generation)
    writeState(transaction, state)
    const committed = transaction.commit()
    healListGrew ||= context.healListGrew
    freed.push(...context.freed)
    doomed.push(...context.doomed)
    pending = 0
    return committed.ok
  }
  if (journal.nextSequence > state.applied + 1) {
    for await (const entry of journal.entries(state.applied + 1, undefined, { bodies: false })) {
      if (!entry.ok) return fail(entry.error)
      if (pending === 0) {
        transaction = index.begin()
        context = applyContext(transaction, state, site)
      }
      const applied = await applyEntry(context, journal, entry.value)
      if (!applied.ok) return applied
      state.chain = entry.value.chain
      records++
      if (++pending >= RECORDS_PER_COMMIT) {
        if (!commit()) return fail({ kind: 'index-failed' })
        input.onProgress?.(state.applied, journal.nextSequence - 1)
      }
    }
  }
  if (pending > 0 && !commit()) return fail({ kind: 'index-failed' })
  return ok({ records, freed, doomed, healListGrew })
}

async function applyEntry(
  context: ApplyContext,
  journal: Pick<Journal, 'reader'>,
  entry: JournalEntry,
): Promise<Result<undefined, ReplayFault>> {
  const { sequence, clock, place } = entry
  const decoded = decodeRecord(entry)
  if (!decoded.ok) return fail({ kind: decoded.error === 'unknown-kind' ? 'unknown-record' : 'malformed-record', sequence })
  const record = decoded.value
  if (record.kind === 'create-bucket' && record.origin.site !== context.site)
    return fail({ kind: 'other-site', written: record.origin.site })
  let body: Uint8Array | undefined
  if (record.kind === 'put-document' && place !== undefined) {
    const read = await journal.reader.read(place)
    if (!read.ok)
      return fail(
        read.error === 'damaged' ? { kind: 'damaged', segment: place.segment, offset: place.offset, sequence } : { kind: 'unavailable' },
      )
    body = read.value
  }
  apply(context, { sequence, clock, record, place, body })
  return ok(undefined)
}

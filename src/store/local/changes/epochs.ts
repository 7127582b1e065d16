/**
 * Epochs. A site that was restored from an older copy, or cloned, may have given numbers a second time: it begins a new epoch, under which it signs everything that
 * it holds of its own again, each operation under the number that it had. So nobody has to guess where two histories parted.
 *
 * At a peer, an operation of the new epoch that it knows from an earlier one is a *twin*: it takes the place of the other, and changes nothing else. What is left of the
 * earlier epoch is what the site has lost; the peer gives it back, and here it becomes an operation of the present epoch, at its own position.
 * Format: docs/formats.md#record-metadata, "Epochs".
 */

import { originOf, parseOrigin } from '../../operation.ts'
import { contains, NO_RANGES, subtract, withNumber } from '../../ranges.ts'
import type { BucketId } from '../../terms.ts'
import { withOperation, withRanges } from '../frontiers.ts'
import { foreignOperationKey, heldKey, returnedKey, Table, tableRange } from '../index/keys.ts'
import { walk } from '../index/ordered-map.ts'
import { encodeFrontier, getHeld, readEpoch, writeEpoch } from '../index/rows.ts'
import { getAt, replaceVersion } from '../index/versions.ts'
import { type BucketDeletion, getDeletions, setDeletions } from './bucket-deletions.ts'
import { type ApplyContext, change, type DecideContext, type Decision } from './context.ts'
import type { ApplyForeignRecord } from './record.ts'

/** As often as origins are written in nine digits. */
export const EPOCH_MAX = 999_999_999

/** Nothing if the epoch has begun: asking again is harmless. */
export const decideEpoch = ({ reader }: DecideContext, epoch: number): Decision =>
  epoch <= readEpoch(reader) || epoch > EPOCH_MAX
    ? { kind: 'nothing', value: undefined }
    : change({ kind: 'begin-epoch', epoch }, undefined)

/** What was seen of this site's earlier epochs was seen of the new one. */
export function applyEpoch({ writer, site }: ApplyContext, epoch: number): void {
  writeEpoch(writer, epoch)
  const origin = originOf(site, epoch)
  for (const { key } of walk(writer, tableRange(Table.bucketDeletions))) {
    const id = Buffer.from(key).readUInt32BE(1) as BucketId
    const renamed = getDeletions(writer, id).map((deletion): BucketDeletion => {
      let seen = deletion.seen
      for (const [from, ranges] of Object.entries(deletion.seen)) {
        if (parseOrigin(from)?.site === site) seen = withRanges(seen, origin, ranges)
      }
      return { ...deletion, seen, origin: parseOrigin(deletion.origin)?.site === site ? origin : deletion.origin }
    })
    setDeletions(writer, id, renamed)
  }
}

/** Whether its site had lost it, and numbered it again when it came back. */
export const cameBack = ({ was, operation }: ApplyForeignRecord): boolean => was !== undefined || operation !== undefined

/** The operation that came back has a place in the present epoch. */
export function noteReturned({ writer }: ApplyContext, { bucket, position }: ApplyForeignRecord, sequence: number): void {
  const row = Buffer.alloc(8)
  row.writeBigUInt64BE(BigInt(sequence))
  writer.put(returnedKey(bucket, position), row)
}

/** Whether the operation of an earlier epoch is there that a twin is to take the place of. */
export const isTwinHere = ({ reader }: DecideContext, id: BucketId, from: string, twin: NonNullable<ApplyForeignRecord['twin']>): boolean =>
  reader.get(foreignOperationKey(id, parseOrigin(from)!.site, twin.epoch, twin.number)) !== undefined

/** The version, what is held, and who had seen it go by the new number. */
export function applyTwin(
  { writer, site: here }: ApplyContext,
  record: ApplyForeignRecord,
  twin: NonNullable<ApplyForeignRecord['twin']>,
): void {
  const { bucket, from, number, position, change: made } = record
  const { site, epoch } = parseOrigin(from)!
  const before = originOf(site, twin.epoch)
  const row = 'key' in made ? getAt(writer, bucket, made.key, position) : undefined
  if (row !== undefined && 'key' in made) {
    const more = cameBack(record) ? { more: { ...row.more, cameBack: true } } : {}
    replaceVersion(writer, bucket, made.key, { ...row, epoch, operation: number, ...more })
  }
  const held = getHeld(writer, bucket)
  const { [before]: old, ...others } = held
  const rest = subtract(old ?? NO_RANGES, [[twin.number, twin.number]])
  writer.put(heldKey(bucket), encodeFrontier(withOperation(rest.length === 0 ? others : { ...others, [before]: rest }, from, number)))
  const deletions = getDeletions(writer, bucket)
  if (deletions.length === 0) return
  setDeletions(
    writer,
    bucket,
    deletions.map((deletion) => {
      const had = contains(deletion.seen[before], twin.number) || (deletion.origin === before && deletion.number === twin.number)
      // One made here that the other site has still to hear of: there it will not have seen what goes by new numbers.
      const isNews = parseOrigin(deletion.origin)?.site === here && !contains(twin.knows, deletion.number)
      return had && !isNews
        ? { ...deletion, seen: { ...deletion.seen, [from]: withNumber(deletion.seen[from] ?? NO_RANGES, number) } }
        : deletion
    }),
  )
}

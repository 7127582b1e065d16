/**
 * How versions of several sites meet under one key. Versions are immutable and ordered by position, so that replicas are a set union; what needs care is
 * who had seen whom. Source: DESIGN section 6, "Merge".
 */
import type { Frontier, Origin } from '../../store.ts'
import type { BucketId, Position, SiteId } from '../../terms.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { decodeFrontier } from '../index/rows.ts'
import type { VersionRow } from '../index/version-row.ts'
import { listOfKey } from '../index/versions.ts'
import { samePosition } from '../position.ts'
import { isIn, originOf } from '../ranges.ts'

/** An operation as the merge sees it. */
export type Arrival = { readonly from: Origin; readonly number: number; readonly position: Position; readonly frontier: Frontier }

/** The newest versions of a key that an arrival is compared with. */
const COMPARED_MAX = 100

/** Whether the arrival's origin had seen the version when it made its own. */
function hadSeen(arrival: Arrival, row: VersionRow): boolean {
  const origin = originOf(row.position.site, row.epoch)
  return origin === arrival.from ? row.operation < arrival.number : isIn(arrival.frontier[origin], row.operation)
}

/** Whether the version's origin had seen the arrival. What was made here had not: it arrives only now. */
function wasSeenBy(arrival: Arrival, row: VersionRow, here: SiteId): boolean {
  if (row.position.site === here) return false
  if (originOf(row.position.site, row.epoch) === arrival.from) return row.operation > arrival.number
  return isIn(decodeFrontier(row.more?.frontier)[arrival.from], arrival.number)
}

/** Versions of the key of which neither origin had seen the other's, but for the one that the arrival takes the place of. */
export function concurrentWith(
  reader: IndexReader,
  at: { readonly bucket: BucketId; readonly key: string; readonly here: SiteId },
  arrival: Arrival,
  replaces: Position | null,
): readonly VersionRow[] {
  return listOfKey(reader, at.bucket, at.key, COMPARED_MAX).filter(
    (row) =>
      !samePosition(row.position, arrival.position) &&
      !(replaces !== null && samePosition(row.position, replaces)) &&
      !hadSeen(arrival, row) &&
      !wasSeenBy(arrival, row, at.here),
  )
}

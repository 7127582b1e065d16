/**
 * How versions of several sites meet under one key. Versions are immutable and ordered by position, so that replicas are a set union; what needs care is
 * who had seen whom. See docs/architecture.md#bundles, "Merge".
 */
import { type Frontier, type Origin, originOf, parseOrigin } from '../../operation.ts'
import { contains, type Ranges } from '../../ranges.ts'
import type { BucketId, Position, SiteId } from '../../terms.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { decodeFrontier } from '../index/rows.ts'
import type { VersionRow } from '../index/version-row.ts'
import { listOfKey } from '../index/versions.ts'
import { comparePositions, samePosition } from '../position.ts'

/** An operation as the merge sees it. `cameBack`: its site had lost it, and numbered it again when it came back. */
export type Arrival = {
  readonly from: Origin
  readonly number: number
  readonly position: Position
  readonly frontier: Frontier
  readonly cameBack: boolean
}

/** The newest versions of a key that an arrival is compared with. */
const COMPARED_MAX = 100

/** Whether the arrival's origin had seen the version when it made its own. */
function hadSeen(arrival: Arrival, row: VersionRow, here: SiteId): boolean {
  const origin = originOf(row.position.site, row.epoch)
  // What a site had lost and got back has a number from later, and saw what was before. (A removed version that an undo brought back has an old
  // position, and saw all the same.)
  const isOlder = comparePositions(row.position, arrival.position) < 0
  if (origin === arrival.from) return row.operation < arrival.number && (!arrival.cameBack || isOlder)
  if (row.position.site !== here) return contains(arrival.frontier[origin], row.operation)
  if (arrival.position.site === here) return isOlder
  return sameInLaterEpochs(arrival.frontier, row).some((ranges) => contains(ranges, row.operation))
}

/** An operation keeps its number when its site begins a new epoch. */
const sameInLaterEpochs = (frontier: Frontier, { position, epoch }: VersionRow): readonly Ranges[] =>
  Object.entries(frontier).flatMap(([name, ranges]) => {
    const origin = parseOrigin(name)
    return origin?.site === position.site && origin.epoch >= epoch ? [ranges] : []
  })

/** Whether the version's origin had seen the arrival. What was made here had not: it arrives only now. */
function wasSeenBy(arrival: Arrival, row: VersionRow, here: SiteId): boolean {
  if (row.position.site === here) return false
  if (originOf(row.position.site, row.epoch) === arrival.from) {
    return row.operation > arrival.number && (row.more?.cameBack !== true || comparePositions(arrival.position, row.position) < 0)
  }
  return contains(decodeFrontier(row.more?.frontier)[arrival.from], arrival.number)
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
      !hadSeen(arrival, row, at.here) &&
      !wasSeenBy(arrival, row, at.here),
  )
}

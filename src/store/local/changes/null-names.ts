/** Which of several versions that were written as the null one is called `null`. */
import type { BucketId, Position } from '../../terms.ts'
import type { IndexWriter } from '../index/ordered-map.ts'
import { getNull, noteLostNull, replaceVersion } from '../index/versions.ts'
import { comparePositions } from '../position.ts'

/** Of two null versions, of which neither takes the place of the other, the later keeps the name; the other goes by an id from its position. */
export function keepsNullName(writer: IndexWriter, bucket: BucketId, key: string, position: Position): boolean {
  const other = getNull(writer, bucket, key)
  if (other === undefined) return true
  const isLater = comparePositions(other.position, position) < 0
  noteLostNull(writer, bucket, key, isLater ? other.position : position)
  if (!isLater) return false
  replaceVersion(writer, bucket, key, { ...other, isNull: false, lostNull: true, concurrent: true })
  return true
}

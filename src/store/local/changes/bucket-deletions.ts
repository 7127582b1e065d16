/**
 * A bucket that several sites share is deleted if some deletion of it had seen every operation on it that is known here (other deletions aside). One that had not
 * is undone, wherever and in whatever order the two meet: what its origin did not know of cannot have been meant. See docs/architecture.md#bundles, "Merge".
 *
 * Rows of versions stay when a bucket goes: at the deletion's origin there were none, so that what is left here is removed by operations still to come.
 */
import { type Frontier, type Origin, originOf } from '../../operation.ts'
import { contains, type Ranges } from '../../ranges.ts'
import type { BucketId, SiteId } from '../../terms.ts'
import { decodeCbor, encodeCborApart } from '../codec.ts'
import { withAllUpTo, withOperation } from '../frontiers.ts'
import { bucketDeletionsKey } from '../index/keys.ts'
import type { IndexReader, IndexWriter } from '../index/ordered-map.ts'
import { getHeld, lastOperation } from '../index/rows.ts'

/** `seen`: what had been applied at its origin, its own operations included. */
export type BucketDeletion = { readonly origin: Origin; readonly number: number; readonly seen: Frontier }

export function getDeletions(reader: IndexReader, id: BucketId): readonly BucketDeletion[] {
  const value = reader.get(bucketDeletionsKey(id))
  return value === undefined ? [] : (decodeCbor(value) as BucketDeletion[])
}

export function setDeletions(writer: IndexWriter, id: BucketId, deletions: readonly BucketDeletion[]): void {
  writer.put(bucketDeletionsKey(id), encodeCborApart(deletions))
}

export function noteDeletion(writer: IndexWriter, id: BucketId, deletion: BucketDeletion): void {
  setDeletions(writer, id, [...getDeletions(writer, id), deletion])
}

/** All operations on the bucket that are known here. */
export function knownOperations(reader: IndexReader, id: BucketId, here: { readonly site: SiteId; readonly epoch: number }): Frontier {
  // Those of earlier epochs of this site are this one's too.
  return withAllUpTo(getHeld(reader, id), originOf(here.site, here.epoch), lastOperation(reader, id))
}

/** What a deletion had seen: of its own origin all before it, unless it came back to its origin, which then says so. */
export const seenWith = (frontier: Frontier, from: Origin, number: number): Frontier =>
  frontier[from] === undefined ? withAllUpTo(frontier, from, number) : withOperation(frontier, from, number)

/** Whether, by what is known, the bucket is deleted. */
export function isDeleted(deletions: readonly BucketDeletion[], known: Frontier): boolean {
  const isDeletion = (origin: string, number: number) => deletions.some((each) => each.origin === origin && each.number === number)
  const hasSeen = ({ seen }: BucketDeletion) =>
    Object.entries(known).every(([origin, ranges]) => {
      return unseen(ranges, seen[origin as Origin], deletions.length).every((number) => isDeletion(origin, number))
    })
  return deletions.some(hasSeen)
}

/** Numbers in `ranges` that are not in `seen`; no more than one beyond `max`, since that many cannot all be deletions. */
function unseen(ranges: Ranges, seen: Ranges | undefined, max: number): number[] {
  const found: number[] = []
  for (const [first, last] of ranges) {
    for (let number = first; number <= last && found.length <= max; ) {
      const covering = seen?.find((range) => range[0] <= number && number <= range[1])
      if (covering !== undefined) number = covering[1] + 1
      else found.push(number++)
    }
  }
  return found
}

/** Whether an operation was seen by one of the deletions that hold now. */
export const wasSeen = (deletions: readonly BucketDeletion[], origin: Origin, number: number): boolean =>
  deletions.some(({ seen }) => contains(seen[origin], number))

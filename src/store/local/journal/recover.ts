/**
 * Finds the journal that the disks hold: docs/formats.md#journal-segment, "The newest segment rules" and "End of the newest segment".
 *
 * Nothing is written before it is decided what holds. A disk that fails on the way is put out first and everything is read again, since what is
 * decided must stand without it.
 */
import type { Disk } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { findChain, type SegmentEnd, scanNewest } from './chain-end.ts'
import { hexOf, type Xxh64 } from './checksum.ts'
import { type JournalDisk, type JournalDisks, putOutFailed } from './journal-disks.ts'
import { repairNewest } from './repair-newest.ts'
import { JOURNAL_FOLDER, newSegment, type Segment, segmentOfName } from './segment.ts'
import { findSegments, type Listed } from './segment-listing.ts'
import type { JournalFault } from './terms.ts'

export type Seen = {
  /** The newest sequence that was acknowledged, as far as index and SITE know; 0 if nothing is known. */
  readonly sequence: number
  /** Checksum of that record (`lastChain` at the time), if it was kept. */
  readonly chain?: string
}

export type RecoverInput = {
  readonly disks: JournalDisks
  readonly xxh64: Xxh64
  readonly seen: Seen
  /** An operator decided to go on with less than what was seen. */
  readonly acceptOlder: boolean
}

export type Recovered = {
  /** The whole chain, ascending. The last one is `newest`. */
  readonly segments: Segment[]
  /** May be appended to: its copies are where its header says, and as many as they should be. */
  readonly continues: boolean
  readonly lastClock: number
  /** For the next segment. */
  readonly nextNumber: number
}

/** A disk failed: try without it. */
export type Failed = { readonly kind: 'disks-failed'; readonly failed: readonly { readonly disk: JournalDisk; readonly reason: string }[] }

export async function recoverJournal(input: RecoverInput): Promise<Result<Recovered, JournalFault>> {
  const excluded = new Set<Disk>()
  for (;;) {
    const disks = input.disks.disks().filter((disk) => !disk.healing && !excluded.has(disk.disk))
    if (disks.length === 0) return fail({ kind: 'unavailable' })
    const attempt = await recoverFrom(input, disks)
    if (attempt.ok || attempt.error.kind !== 'disks-failed') return attempt as Result<Recovered, JournalFault>
    for (const { disk } of attempt.error.failed) excluded.add(disk.disk)
    if (input.disks.readOnly) continue
    const out = await putOutFailed(input.disks, attempt.error.failed)
    if (!out.ok) return fail({ kind: 'unavailable' })
  }
}

async function recoverFrom(input: RecoverInput, disks: readonly JournalDisk[]): Promise<Result<Recovered, JournalFault | Failed>> {
  const listed = await listDisks(disks, input.disks.readOnly)
  if (!listed.ok) return listed
  const found = await findSegments(listed.value, input.disks.poolId, disks, input.xxh64)
  if (!found.ok) return found
  const { chain, nextNumber, newestRules } = found.value
  const newest = chain.at(-1)
  if (newest === undefined) {
    if (input.seen.sequence > 0 && !input.acceptOlder) return fail({ kind: 'sequence-lost', seen: input.seen.sequence, found: 0 })
    return ok({ segments: [], continues: false, lastClock: 0, nextNumber })
  }
  const segments = chain.map(({ header, seed, disks: holders, suspects }) => newSegment(header, seed, holders, suspects))
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.header
    if (next === undefined) break
    segment.end = next.previousEnd
    segment.lastSequence = next.firstSequence - 1
    segment.lastChain = next.previousChain
  }
  const segment = segments.at(-1)!
  const end = await scanNewest(segment, disks, input.xxh64)
  if (!end.ok) return end
  const refused = await checkSeen(input, segments)
  if (refused !== undefined) return fail(refused)
  const continues = input.disks.readOnly ? ok(false) : await repairNewest(segment, end.value, disks, input.disks)
  if (!continues.ok) return continues
  return ok({ segments, continues: continues.value && newestRules, lastClock: lastClock(segment, end.value), nextNumber })
}

const lastClock = (segment: Segment, end: SegmentEnd): number => Math.max(segment.header.clock, end.lastClock)

async function checkSeen(input: RecoverInput, segments: readonly Segment[]): Promise<JournalFault | undefined> {
  const { sequence, chain } = input.seen
  const found = segments.at(-1)?.lastSequence ?? 0
  if (found < sequence) return input.acceptOlder ? undefined : { kind: 'sequence-lost', seen: sequence, found }
  if (chain === undefined || sequence === 0) return undefined
  const there = await findChain(segments, sequence, input.xxh64)
  // A record that cannot be read now says nothing about the history; whoever needs it gets the fault.
  return there === undefined || hexOf(there) === chain ? undefined : { kind: 'other-history', sequence }
}

async function listDisks(disks: readonly JournalDisk[], readOnly: boolean): Promise<Result<Listed, Failed>> {
  const listed: Listed = new Map()
  const failed: Failed['failed'][number][] = []
  const list = async (disk: JournalDisk): Promise<void> => {
    const made = readOnly ? ok(undefined) : await disk.disk.makeFolder(JOURNAL_FOLDER)
    const names = made.ok ? await disk.disk.list(JOURNAL_FOLDER) : made
    if (!names.ok) {
      const empty = readOnly && names.error === 'not-found'
      if (!empty) failed.push({ disk, reason: `the journal's folder could not be listed: ${names.error}` })
      return
    }
    for (const number of names.value.map(segmentOfName)) {
      if (number === undefined || number === 0) continue
      const holders = listed.get(number)
      if (holders === undefined) listed.set(number, [disk])
      else holders.push(disk)
    }
  }
  await Promise.all(disks.map(list))
  return failed.length > 0 ? fail({ kind: 'disks-failed', failed }) : ok(listed)
}

/**
 * Finds the journal that the disks hold: docs/formats.md#journal-segment, "The newest segment rules" and "End of the newest segment".
 *
 * Nothing is written before it is decided what holds, not even a generation of the pool: if the disks hold less than was seen, those that are missing may
 * hold the rest, and must not be put out for being away. A disk that fails on the way is put out first and everything is read again, since what
 * is decided must stand without it.
 */
import type { Disk } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { findChain, type SegmentEnd, scanNewest } from './chain-end.ts'
import { hexOf, type Xxh64 } from './checksum.ts'
import { entryOf, readSegment } from './entries.ts'
import { type DisksFailed, type JournalDisk, type JournalDisks, putOutFailed } from './journal-disks.ts'
import { repairNewest } from './repair-newest.ts'
import { JOURNAL_FOLDER, newSegment, type Segment, segmentOfName } from './segment.ts'
import { findSegments, type Listed } from './segment-listing.ts'
import type { JournalEntry, JournalFault } from './terms.ts'

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
  /** An operator decided to go on with less than what was seen: with anything, or with a chain that holds at least this. */
  readonly accepts: Seen | 'anything' | undefined
  /** Called with what was found, before anything is written: a fault refuses it. */
  readonly examine?: (found: FoundJournal) => Promise<Result<unknown, JournalFault>>
  /** Called when it is known that the disks hold what was seen: lets the pool be written. Without it a read-only pool is read as it is. */
  readonly begin?: () => Promise<Result<unknown, unknown>>
}

/** The journal as it lies on the disks, before anything is mended. */
export type FoundJournal = {
  /** Those that are in. */
  readonly disks: readonly JournalDisk[]
  /** 0 if there is no record. */
  readonly lastSequence: number
  /** All records, without bodies. After a fault nothing more comes. */
  entries(): AsyncGenerator<Result<JournalEntry, JournalFault>>
}

export type Recovered = {
  /** The whole chain, ascending. The last one is `newest`. */
  readonly segments: Segment[]
  /** May be appended to: its copies are where its header says, and as many as they should be. */
  readonly continues: boolean
  readonly lastClock: number
  /** For the next segment. */
  readonly nextNumber: number
  /** It holds what was seen. False only where an operator goes on with less. */
  readonly agrees: boolean
}

export async function recoverJournal(input: RecoverInput): Promise<Result<Recovered, JournalFault>> {
  const excluded = new Map<Disk, string>()
  const begin =
    input.begin &&
    (async () => {
      const begun = await input.begin?.()
      if (begun?.ok === false) return begun
      const failed = input.disks.disks().flatMap((disk) => (excluded.has(disk.disk) ? [{ disk, reason: excluded.get(disk.disk)! }] : []))
      return failed.length === 0 ? ok(undefined) : putOutFailed(input.disks, failed)
    })
  for (;;) {
    const disks = input.disks.disks().filter((disk) => !disk.healing && !excluded.has(disk.disk))
    if (disks.length === 0) return fail({ kind: 'unavailable' })
    const attempt = await recoverFrom({ ...input, ...(begin && { begin }) }, disks)
    if (!attempt.ok && attempt.error.kind === 'disks-left') continue
    if (attempt.ok || attempt.error.kind !== 'disks-failed') return attempt as Result<Recovered, JournalFault>
    for (const { disk, reason } of attempt.error.failed) excluded.set(disk.disk, reason)
    if (input.disks.readOnly) continue
    const out = await putOutFailed(input.disks, attempt.error.failed)
    if (!out.ok) return fail({ kind: 'unavailable' })
  }
}

/** A disk that was read is not in any more: look again without it. */
type Left = { readonly kind: 'disks-left' }

async function recoverFrom(
  input: RecoverInput,
  disks: readonly JournalDisk[],
): Promise<Result<Recovered, JournalFault | DisksFailed | Left>> {
  const looked = await look(input, disks)
  if (!looked.ok) return looked
  const { segments, end, newestRules, nextNumber, agrees } = looked.value
  const examined = await input.examine?.(foundJournal(segments, disks, input.xxh64))
  if (examined?.ok === false) return examined
  if (input.begin !== undefined) {
    if (!(await input.begin()).ok) return fail({ kind: 'unavailable' })
    const now = input.disks.disks().filter(({ healing }) => !healing)
    if (!disks.every(({ disk }) => now.some((other) => other.disk === disk))) return fail({ kind: 'disks-left' })
  }
  const segment = segments.at(-1)
  if (segment === undefined || end === undefined) return ok({ segments: [], continues: false, lastClock: 0, nextNumber, agrees })
  const continues = input.disks.readOnly ? ok(false) : await repairNewest(segment, end, disks, input.disks)
  if (!continues.ok) return continues
  return ok({ segments, continues: continues.value && newestRules, lastClock: lastClock(segment, end), nextNumber, agrees })
}

function foundJournal(segments: readonly Segment[], disks: readonly JournalDisk[], xxh64: Xxh64): FoundJournal {
  return {
    disks,
    lastSequence: segments.at(-1)?.lastSequence ?? 0,
    async *entries() {
      for (const segment of segments) {
        const range = { from: segment.header.firstSequence, to: segment.lastSequence }
        for await (const found of readSegment({ segment, ...range, bodies: false, disks: segment.holders, xxh64 })) {
          yield found.ok ? ok(entryOf(segment, found.value)) : found
          if (!found.ok) return
        }
      }
    },
  }
}

type Looked = Pick<Recovered, 'segments' | 'nextNumber' | 'agrees'> & {
  readonly end: SegmentEnd | undefined
  readonly newestRules: boolean
}

/** Where the chain on these disks ends, and whether it holds what was seen. Writes nothing. */
export async function lookAtChain(input: RecoverInput): Promise<Result<{ readonly end: Seen; readonly agrees: boolean }, JournalFault>> {
  const disks = input.disks.disks().filter(({ healing }) => !healing)
  const looked = await look(input, disks)
  if (!looked.ok) return fail(looked.error.kind === 'disks-failed' ? { kind: 'unavailable' } : looked.error)
  const segment = looked.value.segments.at(-1)
  const end = segment === undefined ? { sequence: 0 } : { sequence: segment.lastSequence, chain: hexOf(segment.lastChain) }
  return ok({ end, agrees: looked.value.agrees })
}

async function look(input: RecoverInput, disks: readonly JournalDisk[]): Promise<Result<Looked, JournalFault | DisksFailed>> {
  const listed = await listDisks(disks)
  if (!listed.ok) return listed
  const found = await findSegments(listed.value, input.disks.poolId, disks, input.xxh64)
  if (!found.ok) return found
  const { chain, nextNumber, newestRules } = found.value
  const segments = chain.map(({ header, seed, disks: holders, suspects }) => newSegment(header, seed, holders, suspects))
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.header
    if (next === undefined) break
    segment.end = next.previousEnd
    segment.lastSequence = next.firstSequence - 1
    segment.lastChain = next.previousChain
  }
  const newest = segments.at(-1)
  const end = newest === undefined ? undefined : await scanNewest(newest, disks, input.xxh64)
  if (end?.ok === false) return end
  const agrees = await checkSeen(input, segments)
  return agrees.ok ? ok({ segments, end: end?.value, newestRules, nextNumber, agrees: agrees.value }) : agrees
}

const lastClock = (segment: Segment, end: SegmentEnd): number => Math.max(segment.header.clock, end.lastClock)

/** False: it does not hold what was seen, and an operator goes on with that. */
async function checkSeen({ seen, accepts, xxh64 }: RecoverInput, segments: readonly Segment[]): Promise<Result<boolean, JournalFault>> {
  const missed = await findMissed(seen, segments, xxh64)
  if (missed === undefined) return ok(true)
  if (accepts === undefined) return fail(missed)
  return accepts === 'anything' || (await findMissed(accepts, segments, xxh64)) === undefined ? ok(false) : fail(missed)
}

async function findMissed({ sequence, chain }: Seen, segments: readonly Segment[], xxh64: Xxh64): Promise<JournalFault | undefined> {
  const found = segments.at(-1)?.lastSequence ?? 0
  if (found < sequence) return { kind: 'sequence-lost', seen: sequence, found }
  if (chain === undefined || sequence === 0) return undefined
  const there = await findChain(segments, sequence, xxh64)
  // A record that cannot be read now says nothing about the history; whoever needs it gets the fault.
  return there === undefined || hexOf(there) === chain ? undefined : { kind: 'other-history', sequence }
}

async function listDisks(disks: readonly JournalDisk[]): Promise<Result<Listed, DisksFailed>> {
  const listed: Listed = new Map()
  const failed: DisksFailed['failed'][number][] = []
  const list = async (disk: JournalDisk): Promise<void> => {
    const names = await disk.disk.list(JOURNAL_FOLDER)
    if (!names.ok) {
      // A disk that was never written has no such folder; one that has gone neither.
      const there = names.error === 'not-found' ? await disk.disk.check() : names
      if (!there.ok) failed.push({ disk, reason: `the journal's folder could not be listed: ${there.error}` })
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

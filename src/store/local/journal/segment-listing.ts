/** From the files that disks list to the chain of segments that counts. */
import { type Disk, isOfPlace } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import type { DisksFailed, JournalDisk } from './journal-disks.ts'
import { type DecodedSegmentHeader, decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { closeCopies, type OpenCopy, openCopies } from './segment-scan.ts'
import type { JournalFault } from './terms.ts'

/** Disks by the number of the file they list. */
export type Listed = Map<number, JournalDisk[]>

export type ChainLink = DecodedSegmentHeader & { readonly disks: readonly Disk[]; readonly suspects: readonly Disk[] }
export type FoundSegments = {
  readonly chain: ChainLink[]
  readonly nextNumber: number
  /** No file behind the newest segment might have been meant as one. */
  readonly newestRules: boolean
}

type Probe = {
  readonly number: number
  /** Those with the header that counts, and those in `suspects`. */
  readonly disks: readonly Disk[]
  /** Their copy has a header that is neither valid nor blank, or cannot be read. The records may be good. */
  readonly suspects: readonly Disk[]
  readonly found: DecodedSegmentHeader | undefined
  readonly unknownVersion: number | undefined
  /** No header is valid, and in every copy something that is not zero lies where records begin. */
  readonly used: boolean
}

const PROBES_AT_ONCE = 16

export async function findSegments(
  listed: Listed,
  pool: string,
  disks: readonly JournalDisk[],
  xxh64: Xxh64,
): Promise<Result<FoundSegments, JournalFault | DisksFailed>> {
  const numbers = [...listed.keys()].sort((a, b) => a - b)
  const probes = new Map<number, Probe>()
  const failed = new Map<Disk, string>()
  const queue = [...numbers]
  const work = async (): Promise<void> => {
    for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
      const holders = listed.get(number)!.map(({ disk }) => disk)
      probes.set(number, await probe(number, holders, pool, failed, xxh64))
    }
  }
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, work))
  if (failed.size > 0) {
    return fail({
      kind: 'disks-failed',
      failed: disks.filter(({ disk }) => failed.has(disk)).map((disk) => ({ disk, reason: failed.get(disk.disk)! })),
    })
  }
  const newest = numbers.findLast((number) => probes.get(number)?.found !== undefined)
  // A file behind the newest segment is blank, or its header was torn before any record was written. With records in all copies it had been begun, and its
  // header is damaged; in some of them only, they are writes that landed in the wrong file.
  for (const number of numbers.filter((number) => newest === undefined || number > newest)) {
    const { unknownVersion, used } = probes.get(number)!
    if (unknownVersion !== undefined) return fail({ kind: 'unknown-version', segment: number, version: unknownVersion })
    if (used) return fail({ kind: 'damaged', segment: number, offset: 0, sequence: 0 })
  }
  const chain = followBack(newest, probes)
  if (!chain.ok) return chain
  // A torn header must never be found whole behind records that were written later.
  const torn = numbers.findLast((number) => probes.get(number)!.suspects.length > 0) ?? 0
  return ok({ chain: chain.value, nextNumber: Math.max(newest ?? 0, torn) + 1, newestRules: torn <= (newest ?? 0) })
}

function followBack(newest: number | undefined, probes: ReadonlyMap<number, Probe>): Result<ChainLink[], JournalFault> {
  const chain: ChainLink[] = []
  for (let number = newest ?? 0; number !== 0; ) {
    const next = chain.at(-1)?.header
    const sequence = (next?.firstSequence ?? 1) - 1
    const probe = probes.get(number)
    if (probe === undefined) return fail({ kind: 'segment-missing', segment: number })
    if (probe.unknownVersion !== undefined) return fail({ kind: 'unknown-version', segment: number, version: probe.unknownVersion })
    if (probe.found === undefined) return fail({ kind: 'damaged', segment: number, offset: 0, sequence })
    const { header } = probe.found
    const continuous = next === undefined || (header.firstSequence <= next.firstSequence && header.generation <= next.generation)
    const begins = header.previous !== 0 || header.firstSequence === 1
    if (!continuous || !begins) return fail({ kind: 'damaged', segment: number, offset: 0, sequence })
    chain.push({ ...probe.found, disks: probe.disks, suspects: probe.suspects })
    number = header.previous
  }
  return ok(chain.reverse())
}

/** Reads the header of every copy; the one of the greatest generation counts, and only disks that have it hold a copy. */
async function probe(number: number, disks: readonly Disk[], pool: string, failed: Map<Disk, string>, xxh64: Xxh64): Promise<Probe> {
  const { copies, faults } = await openCopies(number, disks, { forgiving: true })
  for (const { disk, fault } of faults) failed.set(disk, `segment ${number} of the journal could not be opened: ${fault}`)
  const headers = new Map<Disk, DecodedSegmentHeader>()
  let unknownVersion: number | undefined
  let used = 0
  const suspects: Disk[] = []
  const readHeader = async ({ disk, file }: OpenCopy): Promise<void> => {
    const read = await file.read(0, SEGMENT_HEADER_BYTES)
    if (!read.ok) {
      // A header in a bad sector is written again like one that was torn.
      if (isOfPlace(read.error, disk)) suspects.push(disk)
      else if (read.error !== 'short') failed.set(disk, `segment ${number} of the journal could not be read: ${read.error}`)
      return
    }
    const decoded = decodeSegmentHeader(read.value, xxh64)
    if (decoded.ok && decoded.value.header.number === number && decoded.value.header.pool === pool) headers.set(disk, decoded.value)
    else if (!decoded.ok && decoded.error.kind === 'unknown-version') unknownVersion = decoded.error.version
    if (headers.has(disk)) return
    if (!decoded.ok && decoded.error.kind !== 'blank') suspects.push(disk)
    const first = await file.read(SEGMENT_HEADER_BYTES, 8)
    if (first.ok && first.value.some((byte) => byte !== 0)) used += 1
  }
  await Promise.all(copies.map(readHeader))
  closeCopies(copies)
  let found: DecodedSegmentHeader | undefined
  for (const header of headers.values()) if (found === undefined || header.header.generation > found.header.generation) found = header
  const holders = disks.filter((disk) => found !== undefined && (headers.get(disk)?.seed === found.seed || suspects.includes(disk)))
  const unknown = found === undefined ? unknownVersion : undefined
  return { number, disks: holders, suspects, found, unknownVersion: unknown, used: used > 0 && used === copies.length }
}

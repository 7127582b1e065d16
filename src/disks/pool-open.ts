/** From directories to a decision of who is in: what opening a pool does before it may write. */
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import { GenerationFiles, readFoundDisk } from './generation-files.ts'
import { readWitness } from './pool-create.ts'
import type { Handle } from './pool-roster.ts'
import { decideStart, type StartDecision } from './pool-start.ts'
import type { PoolWitness } from './pool-witness.ts'
import type { PoolFault } from './pool-words.ts'

export type PoolInput = {
  readonly witness: PoolWitness
  /** The greatest generation that the index has seen; 0 without an index. (Sequences are compared by the journal.) */
  readonly seen: { readonly generation: number }
  /** The operator's word that what other disks may hold is given up. */
  readonly acceptOlder?: boolean
  /** The operator's word that these disks are lost, by id. */
  readonly retired?: ReadonlySet<string>
  /** What people call the site, for the disks to remember; as they have it unless given. */
  readonly siteName?: string
  /** Where a directory of an earlier start is today; the same unless given. */
  readonly moved?: (directory: string) => string
}

export type Decided = { readonly decision: StartDecision; readonly handles: Map<string, Handle> }

/** `disks`: in any order; those that cannot be opened are left out. Writes nothing. */
export async function decideOn(disks: readonly (Disk | undefined)[], input: PoolInput): Promise<Result<Decided, PoolFault>> {
  const witness = await readWitness(input.witness)
  if (!witness.ok) return witness
  const present = disks.filter((disk) => disk !== undefined)
  const read = await Promise.all(present.map(readFoundDisk))
  const newer = present.filter((_, i) => !read[i]!.ok).map((disk) => disk.directory)
  if (newer.length > 0)
    return fail({ kind: 'newer-format', sentence: `${newer.join(', ')} was written by a newer Holdfast: use that one.` })
  const decision = decideStart({
    found: read.flatMap((result) => (result.ok ? result.value : [])),
    witness: witness.value,
    seenGeneration: input.seen.generation,
    acceptOlder: input.acceptOlder === true,
    retired: input.retired ?? new Set(),
    moved: input.moved ?? ((directory) => directory),
  })
  if (!decision.ok) return decision
  const handles = new Map<string, Handle>()
  for (const [id, { disk }] of decision.value.here) handles.set(id, { disk, files: await GenerationFiles.open(disk) })
  const { siteName = decision.value.ruling.siteName } = input
  const ruling = siteName === undefined ? decision.value.ruling : { ...decision.value.ruling, siteName }
  return ok({ decision: { ...decision.value, ruling }, handles })
}

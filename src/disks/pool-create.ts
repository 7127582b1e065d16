/** The beginning of a pool. */
import type { Random } from '../environment.ts'
import { done, fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import { GenerationFiles, isVacant } from './generation-files.ts'
import { DISKS_PER_SET_MAX } from './geometry.ts'
import type { Generation } from './identity.ts'
import type { PoolWitness, Witness } from './pool-witness.ts'
import { describeFault, type PoolFault, WITNESS_LOST } from './pool-words.ts'
import { joinWords } from './read-only.ts'

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Gives empty disks their identity, then their first generation, then the witness its first word. */
export async function layPool(input: {
  readonly disks: readonly Disk[]
  readonly parityShards: number
  readonly random: Random
  readonly witness: PoolWitness
  /** What people call the site. */
  readonly siteName?: string
}): Promise<Result<void, PoolFault>> {
  const { disks, parityShards, random, siteName } = input
  const dataShards = disks.length - parityShards
  if (disks.length > DISKS_PER_SET_MAX || dataShards < 1 || parityShards < 0 || !Number.isInteger(parityShards)) {
    const sentence = `${disks.length} disks with parity ${parityShards} make no set: 1 to ${DISKS_PER_SET_MAX} disks, and at least one of them for data.`
    return fail({ kind: 'bad-geometry', sentence })
  }
  const witness = await readWitness(input.witness)
  if (!witness.ok) return witness
  if (witness.value !== undefined) return fail({ kind: 'not-empty', sentence: 'The site has a pool already.' })
  const vacant = await Promise.all(disks.map((disk) => isVacant(disk, 'without-identity')))
  const taken = disks.flatMap(({ directory }, i) => (vacant[i]!.ok ? [] : `${directory} (${vacant[i]!.error})`))
  if (taken.length > 0)
    return fail({ kind: 'not-empty', sentence: `Not usable for a new pool: ${joinWords(taken)}. Choose empty directories.` })

  const poolId = hex(random.bytes(16))
  const diskIds = disks.map(() => hex(random.bytes(16)))
  const generation: Generation = {
    poolId,
    branches: [hex(random.bytes(8))],
    number: 1,
    name: hex(random.bytes(8)),
    past: [],
    settled: 0,
    sets: [{ dataShards, parityShards, disks: disks.map(({ directory }, i) => ({ diskId: diskIds[i]!, state: 'in', directory })) }],
    ...(siteName === undefined ? {} : { siteName }),
  }
  const faults = await Promise.all(
    disks.map(async (disk, position) => {
      const files = await GenerationFiles.lay(disk, { poolId, diskId: diskIds[position]!, set: 0, position, dataShards, parityShards })
      const written = files.ok ? await files.value.write(generation) : files
      return written.ok ? [] : [`${disk.directory} (${describeFault(written.error)})`]
    }),
  )
  if (faults.flat().length > 0) return fail({ kind: 'disk-failed', sentence: `Not written: ${joinWords(faults.flat())}.` })
  const witnessed = await input.witness.write(generation)
  return witnessed.ok ? done : fail({ kind: 'witness-failed', sentence: WITNESS_LOST })
}

/** A damaged witness is as good as none: the rules of a start without one are the stricter ones. */
export async function readWitness(witness: PoolWitness): Promise<Result<Witness | undefined, PoolFault>> {
  const read = await witness.read()
  if (read.ok || read.error === 'damaged') return ok(read.ok ? read.value : undefined)
  if (read.error === 'unreachable')
    return fail({ kind: 'witness-failed', sentence: 'The file pool.json of the site cannot be read: see that its disk works.' })
  return fail({ kind: 'newer-format', sentence: 'The file pool.json of the site was written by a newer Holdfast: use that one.' })
}

import type { DiskSlot, PoolSet, PoolView } from '../../disks/pool-view.ts'
import { describeReadOnly } from '../../disks/read-only.ts'
import { ok } from '../../result.ts'
import type { AdminCommand, AdminSite } from '../command.ts'
import type { ScrubStatus } from '../control.ts'

export type DiskStatus = {
  readonly path: string
  readonly state: 'in' | 'out' | 'healing'
  readonly set: number
  readonly position: number
  readonly id: string
  /** Out for good, by an operator's word. */
  readonly retired?: true
  readonly reason?: string
  readonly healed?: { readonly doneBytes: number; readonly totalBytes: number }
  /** The disk that is being filled to take its place. */
  readonly successor?: DiskStatus
}

export type SiteStatus = {
  readonly name: string
  readonly site: string
  readonly state: 'healthy' | 'degraded' | 'healing' | 'read-only'
  /** Why, when it is not healthy. */
  readonly sentence: string
  /** How many more disks may be lost in the weakest set, without losing anything. */
  readonly survives: number
  readonly dataShards: number
  readonly parityShards: number
  readonly generation: number
  readonly sequence: number
  readonly shardsToRepair: number
  readonly buckets: number
  /** What peers removed and can still be brought back: its bytes are in use. */
  readonly hidden: { readonly versions: number; readonly bytes: number }
  readonly disks: readonly DiskStatus[]
  readonly scrub: ScrubStatus
  readonly epoch: number
  /** What else an operator should know: bundles are stopped, a peer is silent. */
  readonly warnings: readonly string[]
}

/** The state of the whole site. */
export const status: AdminCommand<SiteStatus> = {
  name: 'status',
  async run(site) {
    const { pool, sequence, shardsToRepair, scrub } = await site.control.status()
    const hidden = await site.store.federation.hiddenSums()
    const weakest = pool.sets.reduce((least, set) => Math.min(least, survives(set)), 32)
    const disks = pool.sets.flatMap(diskStatuses)
    return ok({
      name: site.name,
      site: site.store.federation.siteId,
      ...condition(pool, shardsToRepair, scrub),
      survives: Math.max(0, weakest),
      dataShards: pool.sets[0]?.dataShards ?? 0,
      parityShards: pool.sets[0]?.parityShards ?? 0,
      generation: pool.generation,
      sequence,
      shardsToRepair,
      buckets: (await site.store.listBuckets()).length,
      hidden: { versions: total(hidden, 'versions'), bytes: total(hidden, 'bytes') },
      disks,
      scrub,
      epoch: site.store.federation.epoch,
      warnings: [...(site.store.foreseenFault() === 'full' ? [FULL] : []), ...(await federationWarnings(site))],
    })
  },
}

const FULL =
  'FULL: what is left on the disks, or where the index lies, is kept in reserve, so new content is refused. Deletes still work, and make room; so does whatever else frees space there.'

const total = <K extends string>(sums: readonly Readonly<Record<K, number>>[], field: K): number =>
  sums.reduce((sum, one) => sum + one[field], 0)
async function federationWarnings({ federation, clock }: AdminSite): Promise<string[]> {
  const { findStopped, stoppedSentence } = await import('../../federation/stopped.ts')
  const { peerStatuses, staleSentences } = await import('../../federation/peer-trust.ts')
  try {
    const stopped = await findStopped(federation.store.federation)
    const stale = staleSentences(await peerStatuses(federation), clock.nowMs())
    return [...(stopped === undefined ? [] : [stoppedSentence(stopped)]), ...stale]
  } catch (error) {
    // The state of the disks is told whatever else is wrong.
    return [`What is known of the peers cannot be read: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** The state of the disks alone, as scripts read it. */
export const diskStatusCommand: AdminCommand<DisksStatus> = {
  name: 'disk/status',
  async run(site) {
    const { pool, scrub } = await site.control.status()
    const disks = pool.sets.flatMap(diskStatuses)
    return ok({ disks, scrub, ...(pool.readOnly === undefined ? {} : { readOnly: describeReadOnly(pool.readOnly) }) })
  },
}

export type DisksStatus = {
  readonly disks: readonly DiskStatus[]
  readonly scrub: ScrubStatus
  /** Why the site is read-only, and what to do. */
  readonly readOnly?: string
}

const survives = (set: PoolSet): number => set.parityShards - set.disks.filter((disk) => disk.state !== 'in').length

const diskStatuses = ({ disks, successors = [] }: PoolSet): DiskStatus[] =>
  disks.map((slot) => {
    const successor = successors.find(({ position }) => position === disks.length + slot.position)
    return { ...diskStatus(slot), ...(successor === undefined ? {} : { successor: diskStatus(successor) }) }
  })

function diskStatus(slot: DiskSlot): DiskStatus {
  return {
    path: slot.directory,
    state: slot.state,
    set: slot.set,
    position: slot.position,
    id: slot.diskId,
    ...(slot.retired === undefined ? {} : { retired: slot.retired }),
    ...(slot.reason === undefined ? {} : { reason: slot.reason }),
    ...(slot.healed === undefined ? {} : { healed: slot.healed }),
  }
}

function condition(pool: PoolView, shardsToRepair: number, scrub: ScrubStatus): Pick<SiteStatus, 'state' | 'sentence'> {
  const disks = pool.sets.flatMap((set) => set.disks)
  const lost = disks.filter((disk) => disk.state === 'out')
  if (pool.readOnly !== undefined) return { state: 'read-only', sentence: describeReadOnly(pool.readOnly) }
  if (lost.length > 0) {
    const named = lost.map((disk) => (disk.retired ? `${disk.directory} (retired)` : disk.directory)).join(', ')
    const replaced = replacements(pool)
    const todo = replaced === '' ? 'Replace with: holdfast disk replace SITE OLD-DIR NEW-DIR.' : replaced.trimStart()
    return { state: 'degraded', sentence: `Out: ${named}. ${todo}` }
  }
  const damaged = scrub.last?.remaining ?? 0
  if (damaged > 0) {
    const places = damaged === 1 ? '1 damaged place' : `${damaged} damaged places`
    const sentence = `The last scrub found ${places} that cannot be repaired: holdfast disk scrub SITE says what is lost by that.`
    return { state: 'degraded', sentence }
  }
  if (disks.some((disk) => disk.state === 'healing'))
    return { state: 'healing', sentence: 'A disk is being filled; it counts as lost until that is done.' }
  if (shardsToRepair > 0)
    return { state: 'healing', sentence: `${shardsToRepair} damaged ${shardsToRepair === 1 ? 'shard is' : 'shards are'} being rebuilt.` }
  const parity = Math.min(...pool.sets.map((set) => set.parityShards))
  return parity === 0
    ? { state: 'healthy', sentence: `All disks are in. There is no parity: the loss of any disk loses data.${replacements(pool)}` }
    : { state: 'healthy', sentence: `All disks are in.${replacements(pool)}` }
}

/** What disks are being replaced, while they serve or not; each sentence behind a blank. */
function replacements(pool: PoolView): string {
  const sentences = pool.sets.flatMap(({ disks, successors = [] }) =>
    successors.map((successor) => {
      const { directory, state } = disks[successor.position - disks.length]!
      const serves = state === 'in' ? ', and serves until that is filled' : ''
      if (successor.state === 'healing') return ` ${directory} is being replaced by ${successor.directory}${serves}.`
      const why = successor.reason === undefined ? '' : ` (${successor.reason})`
      return ` ${successor.directory}, which is to take the place of ${directory}, is out${why}: bring it back, or call it off with "holdfast disk retire SITE ${successor.directory}".`
    }),
  )
  return sentences.join('')
}

/** How a site on real disks is opened: its directory, its disks and their locks, then the engine. */
import { join, resolve } from 'node:path'
import { type DirectoryDisk, openDirectoryDisk, openLockedDisk } from '../../disks/directory-disk.ts'
import type { Disk, DiskFault } from '../../disks/disk.ts'
import { type DiskHeld, DiskLocks, describeHeld } from '../../disks/disk-locks.ts'
import { IDENTITY_FILE } from '../../disks/identity.ts'
import { Pool } from '../../disks/pool.ts'
import { type PoolWitness, witnessIn } from '../../disks/pool-witness.ts'
import { EXTENTS_FOLDER } from '../../disks/shard-file.ts'
import { membersOf } from '../../disks/successors.ts'
import type { Clock, Random } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { type Engine, openEngine } from './engine.ts'
import type { EngineInput } from './engine-input.ts'
import { IndexSpace } from './index-space.ts'
import type { ReplayReport } from './replay-report.ts'
import { scrubMemoryIn } from './scrub-record.ts'
import { belowSite, lockDisks, movedAlong, ofAPool, openDisks } from './site-disks.ts'
import { INDEX_FOLDER, SITE_FILE, SiteFile, type SiteFileFault, type SiteRecord } from './site-file.ts'
import { noteIndexOpens, openIndex, seenGeneration } from './site-index.ts'
import { describeEngineFault, type SiteFault } from './site-words.ts'

export type OpenSite = {
  readonly siteDirectory: string
  readonly clock: Clock
  readonly random: Random
  /** The operator's word that what missing disks may hold is given up. */
  readonly acceptOlder?: boolean
  /** Directories to look in besides those that the site knows: where a disk has been moved. */
  readonly moreDirectories?: readonly string[]
  readonly onTrouble?: (sentence: string) => void
  readonly onReplay?: ReplayReport
}

export type LocalSite = {
  readonly directory: string
  readonly name: string
  readonly site: SiteId
  readonly epoch: number
  readonly createdMs: number
  /** The number of this start: goes with extent numbers, to every thread. */
  readonly start: number
  readonly engine: Engine
  /** Opens a directory that is to become a disk of the site, for this process alone. */
  openDisk(directory: string): Promise<Result<Disk, DiskFault | DiskHeld>>
  /** Answers what was submitted and lets go of everything. Requests must have ended. */
  close(): Promise<void>
}

/** Opens the site in this process, whose only one it must be (the caller holds the site's lock). */
export async function openLocalSite(input: OpenSite): Promise<Result<LocalSite, SiteFault>> {
  const { clock } = input
  const directory = resolve(input.siteDirectory)
  const folder = await openDirectoryDisk({ directory, identityFile: SITE_FILE, clock })
  if (!folder.ok) return fail(siteFileFault(directory, 'not-a-site'))
  const locks = new DiskLocks(directory)
  const opened: { close(): unknown }[] = [locks, folder.value]
  let indexOpens = false
  const giveUp = async (fault: SiteFault) => {
    for (const each of opened.reverse()) await each.close()
    // The index had no part in it: it stays, for it may be all that knows how much is missing.
    if (indexOpens) await noteIndexOpens(directory)
    return fail(fault)
  }
  const file = await SiteFile.read(folder.value)
  if (!file.ok) return giveUp(siteFileFault(directory, file.error))
  // One that is damaged stays until it is known that it can be made anew.
  const whole = await openIndex(directory, 'if-whole')
  if (whole !== undefined) opened.push(whole)
  indexOpens = whole !== undefined
  const witness = witnessIn(folder.value)
  const { home, pendingRetirement, name: siteName } = file.value.record
  const moved = (each: string): string => movedAlong(each, home, directory)
  const places = (await diskDirectories(file.value.record, witness)).map(moved)
  const disks = await openDisks([...new Set([...places, ...(input.moreDirectories ?? [])])], clock)
  for (const disk of disks) if (disk !== undefined) opened.push(disk)
  const ours = await ofAPool(disks)
  const held = await lockDisks(ours, locks)
  if (held !== undefined) return giveUp({ kind: 'unusable', sentence: held })
  const openDisk = (path: string) => openLockedDisk({ directory: path, identityFile: IDENTITY_FILE, clock }, locks)
  const seen = { generation: whole === undefined ? 0 : seenGeneration(whole, file.value.record.site) }
  const retired = new Set(pendingRetirement?.disks)
  const pool = await Pool.find({ disks: ours, witness, seen, retired, siteName, moved, random: input.random, ...accept(input) })
  if (!pool.ok) return giveUp({ kind: pool.error.kind === 'newer-format' ? 'newer-version' : 'unusable', sentence: pool.error.sentence })

  if (whole === undefined && !pool.value.mayBegin) return giveUp(describeEngineFault({ kind: 'nothing-to-show' }, pool.value.view))
  const index = whole ?? (await openIndex(directory, 'or-anew'))
  if (index === undefined)
    return giveUp({
      kind: 'unusable',
      sentence: `The index in ${join(directory, INDEX_FOLDER)} cannot be opened or made anew: see that its file system works, and has room.`,
    })
  if (whole === undefined) opened.push(index)

  const begun = await beginStart(file.value, disks)
  if (begun === undefined) return giveUp({ kind: 'unusable', sentence: `${directory} cannot be written.` })
  const { start, uncleanStarts } = begun
  const { site, name, epoch, createdMs } = file.value.record
  const engine = await openEngine({
    ...input,
    ...surroundings(input, file.value, folder.value, openDisk),
    pool: pool.value,
    index,
    site,
    epoch,
    start,
    uncleanStarts,
    ...(pendingRetirement === undefined ? {} : { pendingRetirement }),
  })
  indexOpens &&= engine.ok || engine.error.kind !== 'index-failed'
  if (!engine.ok) return giveUp(describeEngineFault(engine.error, pool.value.view))
  await noteIndexOpens(directory)
  // Not before the pool's own list says where the disks are now: by the old place they are found in this copy, not where the original has them.
  if (home !== directory && engine.value.pool.view.readOnly === undefined) await file.value.noteHome(directory)
  // The site's file may be older than the disks, or its change have been interrupted.
  const reached = engine.value.store.federation.epoch
  if (reached > epoch) await file.value.noteEpoch(reached)
  return ok({
    directory,
    name,
    site,
    epoch: reached,
    createdMs,
    start,
    engine: engine.value,
    openDisk: async (path) => openDisk(await belowSite(resolve(path), directory)),
    async close() {
      const { clean } = await engine.value.close()
      if (clean) await file.value.forgetStart(start)
      for (const each of opened) if (each !== index) await each.close()
    },
  })
}

/** Where the pool's disks were when somebody last knew. */
async function diskDirectories({ disks }: SiteRecord, witness: PoolWitness): Promise<readonly string[]> {
  const known = await witness.read()
  const listed = known.ok && known.value !== undefined ? known.value.sets.flatMap(membersOf).map((member) => member.directory ?? '') : []
  // Of a pool whose witness is there, the disks of the beginning may have been given to others since.
  return (listed.length > 0 ? listed : disks).filter((each) => each !== '')
}

/** What the engine needs of the site's directory, and of disks that come back. */
function surroundings(
  { clock, onTrouble }: OpenSite,
  file: SiteFile,
  folder: DirectoryDisk,
  openDisk: LocalSite['openDisk'],
): Partial<EngineInput> {
  const space = new IndexSpace(join(folder.directory, INDEX_FOLDER), clock)
  /** Directories of which the operator knows that they could not be taken back. */
  const told = new Set<string>()
  return {
    onSwept: async (swept) => void (await file.forgetStart(swept)),
    savePendingRetirement: async (pending) => (await file.savePendingRetirement(pending)).ok,
    reopenDisk: async (lost) => {
      const disk = await openDisk(lost)
      if (disk.ok) return disk.value
      if (typeof disk.error === 'object' && !told.has(lost)) {
        told.add(lost)
        onTrouble?.(describeHeld(lost, disk.error))
      }
      return undefined
    },
    scrubMemory: scrubMemoryIn(folder),
    indexRoom: () => space.room,
    onEpoch: (begun) => file.noteEpoch(begun),
  }
}

const accept = ({ acceptOlder }: OpenSite) => (acceptOlder === true ? { acceptOlder } : {})

/** Takes the next start's number, greater than any that left a folder on a disk, and notes durably that it is under way. */
async function beginStart(
  file: SiteFile,
  disks: readonly (Disk | undefined)[],
): Promise<{ start: number; uncleanStarts: readonly number[] } | undefined> {
  const folders = await Promise.all(disks.map(async (disk) => disk?.list(EXTENTS_FOLDER)))
  const used = folders.flatMap((names) => (names?.ok === true ? names.value.map((name) => Number.parseInt(name, 16)) : []))
  const start = 1 + used.filter(Number.isSafeInteger).reduce((a, b) => Math.max(a, b), file.record.start)
  const uncleanStarts = file.record.unclean
  const written = await file.change((record) => ({ ...record, start, unclean: [...record.unclean, start] }))
  return written.ok ? { start, uncleanStarts } : undefined
}

function siteFileFault(directory: string, fault: SiteFileFault): SiteFault {
  switch (fault) {
    case 'not-a-site':
      return { kind: 'not-a-site', sentence: `${directory} is not a site: make one with "holdfast init ${directory}".` }
    case 'newer-version':
      return { kind: 'newer-version', sentence: `${directory} was written by a newer Holdfast: use that one.` }
    case 'damaged':
      return {
        kind: 'damaged',
        sentence: `${join(directory, SITE_FILE)} is damaged: run "holdfast site recover ${directory}", which makes it again from the keys and the disks.`,
      }
    case 'unreachable':
      return { kind: 'unusable', sentence: `${join(directory, SITE_FILE)} cannot be read: check its permissions and its disk.` }
  }
}

/** A site on real disks: how one is made, and how the engine of one is opened. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type DirectoryDisk, openDirectoryDisk, openLockedDisk } from '../../disks/directory-disk.ts'
import type { Disk, DiskFault } from '../../disks/disk.ts'
import { type DiskHeld, DiskLocks, describeHeld } from '../../disks/disk-locks.ts'
import { DISKS_PER_SET_MAX, defaultParity } from '../../disks/geometry.ts'
import { IDENTITY_FILE } from '../../disks/identity.ts'
import { describeNotMade, makeFolders, removeFolders } from '../../disks/make-folders.ts'
import { Pool } from '../../disks/pool.ts'
import { witnessIn } from '../../disks/pool-witness.ts'
import { EXTENTS_FOLDER } from '../../disks/shard-file.ts'
import type { Clock, Random } from '../../environment.ts'
import { done, fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { type Engine, openEngine } from './engine.ts'
import { looksWhole } from './index/lmdb-check.ts'
import { BAD_INDEX_FILE, LmdbMap } from './index/lmdb-map.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { readState } from './index/rows.ts'
import { IndexSpace } from './index-space.ts'
import type { ReplayReport } from './replay-report.ts'
import { scrubMemoryIn } from './scrub-record.ts'
import { INDEX_FOLDER, SITE_FILE, SiteFile, type SiteFileFault } from './site-file.ts'
import { describeEngineFault, type SiteFault } from './site-words.ts'
import { undoMaking } from './undo-making.ts'

export type InitSite = {
  readonly siteDirectory: string
  /** In the order of their positions. They are made if they are missing, and must be empty. */
  readonly diskDirectories: readonly string[]
  /** Disks that may be lost; by the number of disks unless given. */
  readonly parity?: number
  readonly name: string
  readonly site: SiteId
  readonly clock: Clock
  readonly random: Random
  /** Keeps what else belongs to the site, once its disks are laid and before it counts as one; `undo` takes it away again. The error is a sentence. */
  readonly keep?: { act(): Result<void, string>; undo(): void }
}

/**
 * Makes a site: its disks' identities and its own file, which comes last, so that an interrupted one is no site. One that fails leaves everything as it was.
 */
export async function initSite(input: InitSite): Promise<Result<void, SiteFault>> {
  const siteDirectory = resolve(input.siteDirectory)
  const directories = input.diskDirectories.map((directory) => resolve(directory))
  const parityShards = input.parity ?? defaultParity(directories.length)
  const unfit = unfitDisks(directories, parityShards)
  if (unfit !== undefined) return fail({ kind: 'unusable', sentence: unfit })
  const folders: string[] = []
  for (const directory of [siteDirectory, ...directories]) {
    const made = await makeFolders(directory)
    if (!made.ok) {
      await removeFolders(folders)
      return fail({ kind: 'unusable', sentence: describeNotMade(made.error) })
    }
    folders.push(...made.value)
  }
  const laid = await laySite(input, siteDirectory, directories, parityShards)
  if (!laid.ok) await removeFolders(folders)
  return laid
}

async function laySite(
  { clock, random, name, site, keep }: InitSite,
  siteDirectory: string,
  directories: readonly string[],
  parityShards: number,
): Promise<Result<void, SiteFault>> {
  const unusable = (sentence: string) => fail<SiteFault>({ kind: 'unusable', sentence })
  const folder = await openDirectoryDisk({ directory: siteDirectory, identityFile: SITE_FILE, clock })
  if (!folder.ok) return unusable(`${siteDirectory} cannot be opened.`)
  const opened: Disk[] = [folder.value]
  const locks = new DiskLocks(siteDirectory)
  let undo = async (): Promise<void> => undefined
  try {
    if ((await folder.value.readFile(SITE_FILE)).ok) return fail({ kind: 'exists', sentence: `${siteDirectory} is a site already.` })
    const disks = await openDisks(directories, clock)
    for (const disk of disks) if (disk !== undefined) opened.push(disk)
    const held = await lockDisks([folder.value, ...disks], locks)
    if (held !== undefined) return unusable(held)
    const missing = directories.find((_, position) => disks[position] === undefined)
    if (missing !== undefined) return unusable(`${missing} cannot be opened: check that you may read and write there.`)
    const takeAway = await undoMaking(siteDirectory, directories)
    undo = async () => {
      keep?.undo()
      await takeAway()
    }
    const pool = await Pool.create({ disks: disks as Disk[], parityShards, random, witness: witnessIn(folder.value) })
    if (!pool.ok) return unusable(pool.error.sentence)
    const kept = keep?.act() ?? done
    if (!kept.ok) return unusable(kept.error)
    const record = { site, name, createdMs: clock.nowMs(), epoch: 1, start: 0, unclean: [], home: siteDirectory, disks: directories }
    const written = await SiteFile.create(folder.value, record)
    if (!written.ok) return unusable(`${siteDirectory} cannot be written.`)
    undo = async () => undefined
    return ok(undefined)
  } finally {
    await undo()
    for (const disk of opened) disk.close()
    await locks.close()
  }
}

function unfitDisks(directories: readonly string[], parityShards: number): string | undefined {
  if (directories.length < 1 || directories.length > DISKS_PER_SET_MAX) return `A site has 1 to ${DISKS_PER_SET_MAX} disks.`
  if (new Set(directories).size < directories.length) return 'The same directory is given twice.'
  if (!Number.isInteger(parityShards) || parityShards < 0 || parityShards >= directories.length) {
    return `The parity is a whole number below that of the disks, ${directories.length}.`
  }
  return undefined
}

async function openDisks(directories: readonly string[], clock: Clock): Promise<(DirectoryDisk | undefined)[]> {
  const opened = await Promise.all(directories.map((directory) => openDirectoryDisk({ directory, identityFile: IDENTITY_FILE, clock })))
  return opened.map((disk) => (disk.ok ? disk.value : undefined))
}

/** Keeps other processes away from the disks. The sentence says which one is in use. */
async function lockDisks(disks: readonly (DirectoryDisk | undefined)[], locks: DiskLocks): Promise<string | undefined> {
  for (const disk of disks) {
    const locked = await disk?.lock(locks)
    if (disk !== undefined && locked?.ok === false) return describeHeld(disk.directory, locked.error)
  }
  return undefined
}

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
    if (indexOpens) await rm(join(directory, INDEX_FOLDER, BAD_INDEX_FILE), { force: true })
    return fail(fault)
  }
  const file = await SiteFile.read(folder.value)
  if (!file.ok) return giveUp(siteFileFault(directory, file.error))
  // One that is damaged stays until it is known that it can be made anew.
  const whole = await openIndex(directory, 'if-whole')
  if (whole !== undefined) opened.push(whole)
  indexOpens = whole !== undefined
  const witness = witnessIn(folder.value)
  const known = await witness.read()
  const listed =
    known.ok && known.value !== undefined ? known.value.sets.flatMap((set) => set.disks.map((member) => member.directory ?? '')) : []
  const { home, disks: given, word } = file.value.record
  const moved = (each: string): string => movedAlong(each, home, directory)
  // Of a pool whose witness is there, the disks of the beginning may have been given to others since.
  const places = (listed.length > 0 ? listed : given).filter((each) => each !== '').map(moved)
  const directories = [...new Set([...places, ...(input.moreDirectories ?? [])])]
  const disks = await openDisks(directories, clock)
  for (const disk of disks) if (disk !== undefined) opened.push(disk)
  const ours = await ofAPool(disks)
  const held = await lockDisks(ours, locks)
  if (held !== undefined) return giveUp({ kind: 'unusable', sentence: held })
  const openDisk = (path: string) => openLockedDisk({ directory: path, identityFile: IDENTITY_FILE, clock }, locks)
  const seen = { generation: whole === undefined ? 0 : seenGeneration(whole) }
  const retired = new Set(word?.disks)
  const pool = await Pool.find({ disks: ours, witness, seen, retired, moved, random: input.random, ...accept(input) })
  if (!pool.ok) return giveUp({ kind: pool.error.kind === 'newer-format' ? 'newer-version' : 'unusable', sentence: pool.error.sentence })

  if (whole === undefined && !pool.value.mayBegin) return giveUp(describeEngineFault({ kind: 'nothing-to-show' }, pool.value.view))
  const index = whole ?? (await openIndex(directory, 'or-anew'))
  if (index === undefined)
    return giveUp({ kind: 'unusable', sentence: `The index in ${join(directory, INDEX_FOLDER)} cannot be opened or made anew.` })
  if (whole === undefined) opened.push(index)

  const begun = await beginStart(file.value, directory, disks)
  if (begun === undefined) return giveUp({ kind: 'unusable', sentence: `${directory} cannot be written.` })
  const { start, uncleanStarts } = begun
  const { site, name, epoch, createdMs } = file.value.record
  const noteEpoch = (begun: number) => file.value.change((record) => ({ ...record, epoch: Math.max(record.epoch, begun) }))
  const forget = (ended: number) => file.value.change((record) => ({ ...record, unclean: record.unclean.filter((each) => each !== ended) }))
  const space = new IndexSpace(join(directory, INDEX_FOLDER), clock)
  /** Directories of which the operator knows that they could not be taken back. */
  const told = new Set<string>()
  const engine = await openEngine({
    ...input,
    pool: pool.value,
    index,
    site,
    epoch,
    start,
    uncleanStarts,
    onSwept: async (swept) => void (await forget(swept)),
    ...(word === undefined ? {} : { word }),
    keepWord: async (given) => (await file.value.change(({ word: _, ...record }) => (given ? { ...record, word: given } : record))).ok,
    reopenDisk: async (lost) => {
      const disk = await openDisk(lost)
      if (disk.ok) return disk.value
      if (typeof disk.error === 'object' && !told.has(lost)) {
        told.add(lost)
        input.onTrouble?.(describeHeld(lost, disk.error))
      }
      return undefined
    },
    scrubMemory: scrubMemoryIn(folder.value),
    indexRoom: () => space.room,
    onEpoch: noteEpoch,
  })
  indexOpens &&= engine.ok || engine.error.kind !== 'index-failed'
  if (!engine.ok) return giveUp(describeEngineFault(engine.error, pool.value.view))
  await rm(join(directory, INDEX_FOLDER, BAD_INDEX_FILE), { force: true })
  // The site's file may be older than the disks, or its change have been interrupted.
  const reached = engine.value.store.federation.epoch
  if (reached > epoch) await noteEpoch(reached)
  return ok({
    directory,
    name,
    site,
    epoch: reached,
    createdMs,
    start,
    engine: engine.value,
    openDisk,
    async close() {
      const { clean } = await engine.value.close()
      if (clean) await forget(start)
      for (const each of opened) if (each !== index) await each.close()
    },
  })
}

const accept = ({ acceptOlder }: OpenSite) => (acceptOlder === true ? { acceptOlder } : {})

/**
 * A disk below the site's directory moves with it. Of a copy, too, only the copied disks are opened: two sites must never write to the same ones.
 */
function movedAlong(disk: string, home: string, siteDirectory: string): string {
  return disk.startsWith(`${home}/`) ? join(siteDirectory, disk.slice(home.length + 1)) : disk
}

/** Directories without an identity are no disks: an unmounted mount point is an empty directory. */
async function ofAPool(disks: readonly (DirectoryDisk | undefined)[]): Promise<(DirectoryDisk | undefined)[]> {
  return Promise.all(disks.map(async (disk) => (disk !== undefined && (await disk.readFile(IDENTITY_FILE)).ok ? disk : undefined)))
}

/** It is bad if it is garbage, or if the last start died over it. 'or-anew': then it is removed, as the journal has all that it held. */
async function openIndex(siteDirectory: string, how: 'if-whole' | 'or-anew'): Promise<OrderedMap | undefined> {
  const directory = join(siteDirectory, INDEX_FOLDER)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const names = await readdir(directory)
    if (how === 'or-anew') for (const name of names) await rm(join(directory, name), { recursive: true })
    else if (names.includes(BAD_INDEX_FILE) || !(await looksWhole(directory))) return undefined
    await writeFile(join(directory, BAD_INDEX_FILE), '')
    const index = await LmdbMap.open(directory)
    return index.ok ? index.value : undefined
  } catch {
    return undefined
  }
}

function seenGeneration(index: OrderedMap): number {
  try {
    return readState(index.reader())?.generation ?? 0
  } catch {
    return 0
  }
}

/** Takes the next start's number, greater than any that left a folder on a disk, and notes durably that it is under way. */
async function beginStart(
  file: SiteFile,
  home: string,
  disks: readonly (Disk | undefined)[],
): Promise<{ start: number; uncleanStarts: readonly number[] } | undefined> {
  const folders = await Promise.all(disks.map(async (disk) => disk?.list(EXTENTS_FOLDER)))
  const used = folders.flatMap((names) => (names?.ok === true ? names.value.map((name) => Number.parseInt(name, 16)) : []))
  const start = 1 + used.filter(Number.isSafeInteger).reduce((a, b) => Math.max(a, b), file.record.start)
  const uncleanStarts = file.record.unclean
  const written = await file.change((record) => ({
    ...{ ...record, start, home, unclean: [...record.unclean, start] },
    // Else the next start of a copy would look for the original's disks again.
    disks: record.disks.map((disk) => movedAlong(disk, record.home, home)),
  }))
  return written.ok ? { start, uncleanStarts } : undefined
}

function siteFileFault(directory: string, fault: SiteFileFault): SiteFault {
  switch (fault) {
    case 'not-a-site':
      return { kind: 'not-a-site', sentence: `${directory} is not a site: make one with "holdfast init ${directory}".` }
    case 'newer-version':
      return { kind: 'newer-version', sentence: `${directory} was written by a newer Holdfast: use that one.` }
    case 'damaged':
      return { kind: 'damaged', sentence: `${join(directory, SITE_FILE)} is damaged: restore it from a copy of the site's directory.` }
    case 'unreachable':
      return { kind: 'unusable', sentence: `${join(directory, SITE_FILE)} cannot be read: check its permissions and its disk.` }
  }
}

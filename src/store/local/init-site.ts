/** How a site is made on real disks. */
import { resolve } from 'node:path'
import { openDirectoryDisk } from '../../disks/directory-disk.ts'
import type { Disk } from '../../disks/disk.ts'
import { DiskLocks } from '../../disks/disk-locks.ts'
import { DISKS_PER_SET_MAX, defaultParity } from '../../disks/geometry.ts'
import { Pool } from '../../disks/pool.ts'
import { witnessIn } from '../../disks/pool-witness.ts'
import type { Clock, Random } from '../../environment.ts'
import { describeNotMade, makeFolders, removeFolders, whyNotWritable } from '../../make-folders.ts'
import { done, fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { belowSite, lockDisks, openDisks } from './site-disks.ts'
import { SITE_FILE, SiteFile } from './site-file.ts'
import type { SiteFault } from './site-words.ts'
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
    if (made.ok) folders.push(...made.value)
    const unusable = made.ok ? await whyNotWritable(directory) : describeNotMade(made.error)
    if (unusable !== undefined) {
      await removeFolders(folders)
      return fail({ kind: 'unusable', sentence: unusable })
    }
  }
  const places = await Promise.all(directories.map((directory) => belowSite(directory, siteDirectory)))
  const laid = await laySite(input, siteDirectory, places, parityShards)
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
    const pool = await Pool.create({ disks: disks as Disk[], parityShards, random, witness: witnessIn(folder.value), siteName: name })
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

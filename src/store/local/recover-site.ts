/** What SITE/site.json said, where it is lost: what it says of the disks they say themselves, and whose they are the site's keys do. */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Disk } from '../../disks/disk.ts'
import { readFoundDisk } from '../../disks/generation-files.ts'
import type { DiskIdentity, Generation, Member } from '../../disks/identity.ts'
import { EXTENTS_FOLDER } from '../../disks/shard-file.ts'
import { membersOf } from '../../disks/successors.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { isIndexOf } from './index/rows.ts'
import { openDisks } from './site-disks.ts'
import { encodeSite, INDEX_FOLDER, SITE_FILE, type SiteRecord } from './site-file.ts'
import { noteIndexOpens, openIndex } from './site-index.ts'

export type RecoverSite = {
  readonly siteDirectory: string
  /** Any of its disks: they know the others. Undefined: those directly below the site's directory. */
  readonly diskDirectories?: readonly string[]
  /** What people shall call it; as the disks remember it unless given. */
  readonly name?: string
  /** Where they don't. */
  readonly defaultName: string
  readonly site: SiteId
  readonly clock: Clock
}

type Recognised = { readonly disk: Disk; readonly identity: DiskIdentity; readonly generation?: Generation }

/** The name and bytes of the file to write. Reads only. The error is a sentence. */
export async function recoverSiteFile(input: RecoverSite): Promise<Result<{ readonly file: string; readonly bytes: Uint8Array }, string>> {
  const { diskDirectories, site, clock } = input
  const siteDirectory = resolve(input.siteDirectory)
  // It would be made anew, and may be all that knows how much is missing.
  if (!(await mayBeIndexOf(siteDirectory, site)))
    return fail(`${join(siteDirectory, INDEX_FOLDER)} is the index of another site than SITE/keys are of: put that site's keys there.`)
  const directories = (diskDirectories ?? (await directoriesIn(siteDirectory))).map((directory) => resolve(directory))
  const opened = await openDisks(directories, clock)
  try {
    const recognised = await recognise(directories, opened, diskDirectories !== undefined)
    if (!recognised.ok) return recognised
    const disks = recognised.value
    if (disks.length === 0) return fail(`There is no disk below ${siteDirectory}: name those of the site with --disk.`)
    const stranger = disks.find(({ identity }) => identity.poolId !== disks[0]?.identity.poolId)
    if (stranger !== undefined)
      return fail(
        `${disks[0]?.disk.directory} and ${stranger.disk.directory} are disks of different sites: name those of this one with --disk.`,
      )
    const generations = newestFirst(disks)
    const members = generations[0]?.sets.flatMap(membersOf) ?? []
    const listed = members.flatMap(({ directory }) => (directory === undefined ? [] : [directory]))
    const record: SiteRecord = {
      site,
      name: input.name ?? generations.find(({ siteName }) => siteName !== undefined)?.siteName ?? input.defaultName,
      createdMs: clock.nowMs(),
      // The journal knows better, and is asked at the next start.
      epoch: 1,
      start: 0,
      // What is left of a start that ended well is nothing, so looking there costs only time.
      unclean: await startsOn(disks.map(({ disk }) => disk)),
      home: homeBy(disks, members, siteDirectory),
      disks: [...new Set([...listed, ...disks.map(({ disk }) => disk.directory)])],
    }
    return ok({ file: join(siteDirectory, SITE_FILE), bytes: encodeSite(record) })
  } finally {
    for (const disk of opened) disk?.close()
  }
}

/** Also where there is none, or none that is whole. */
async function mayBeIndexOf(siteDirectory: string, site: SiteId): Promise<boolean> {
  if (!(await readdir(siteDirectory)).includes(INDEX_FOLDER)) return true
  const index = await openIndex(siteDirectory, 'if-whole')
  if (index === undefined) return true
  try {
    return isIndexOf(index.reader(), site)
  } finally {
    await index.close()
    await noteIndexOpens(siteDirectory)
  }
}

async function directoriesIn(siteDirectory: string): Promise<string[]> {
  const entries = await readdir(siteDirectory, { withFileTypes: true })
  return entries.filter((entry) => !entry.isFile()).map(({ name }) => join(siteDirectory, name))
}

/** `named`: by the operator, so that each of them has to be one. */
async function recognise(
  directories: readonly string[],
  opened: readonly (Disk | undefined)[],
  named: boolean,
): Promise<Result<Recognised[], string>> {
  const recognised: Recognised[] = []
  for (const [place, directory] of directories.entries()) {
    const disk = opened[place]
    const found = disk === undefined ? undefined : await readFoundDisk(disk)
    if (found?.ok === false) return fail(`${directory} was written by a newer Holdfast: use that one.`)
    const { identity, generation, why = 'it cannot be opened' } = found?.value ?? {}
    if (disk !== undefined && identity !== undefined)
      recognised.push({ disk, identity, ...(generation === undefined ? {} : { generation }) })
    else if (named) return fail(`${directory} is no disk of a site: ${why}.`)
  }
  return ok(recognised)
}

function newestFirst(disks: readonly Recognised[]): readonly Generation[] {
  const generations = disks.flatMap(({ generation }) => (generation === undefined ? [] : [generation]))
  return generations.sort((one, other) => other.number - one.number)
}

/** Where the site's directory was when the disks last noted where they are: by that, a copy opens the copied disks and not the original's. */
function homeBy(disks: readonly Recognised[], members: readonly Member[], siteDirectory: string): string {
  for (const { disk, identity } of disks) {
    if (!disk.directory.startsWith(`${siteDirectory}/`)) continue
    const below = disk.directory.slice(siteDirectory.length)
    const noted = members.find(({ diskId }) => diskId === identity.diskId)?.directory
    if (noted?.endsWith(below)) return noted.slice(0, -below.length)
  }
  return siteDirectory
}

async function startsOn(disks: readonly Disk[]): Promise<number[]> {
  const folders = await Promise.all(disks.map((disk) => disk.list(EXTENTS_FOLDER)))
  const starts = folders.flatMap((names) => (names.ok ? names.value.map((name) => Number.parseInt(name, 16)) : []))
  return [...new Set(starts.filter(Number.isSafeInteger))].sort((one, other) => one - other)
}

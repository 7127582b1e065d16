/**
 * What has to be known of a journal before anything is written on the disks, where no index tells: that it is this site's, and that it is there at all.
 * Sites and disks are put together anew by hand then, and each slip would else be made durable by the start that finds it.
 */
import type { Disk } from '../../disks/disk.ts'
import { EXTENTS_FOLDER, parseShardName } from '../../disks/shard-file.ts'
import { done, fail, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { decodeRecord, RECORD_KINDS } from './changes/record.ts'
import type { FoundJournal } from './journal/recover.ts'
import type { JournalFault } from './journal/terms.ts'

/** Reads up to the first bucket that was made here: all others were made by the same site, as a replay sees to. */
export async function checkOwner(found: FoundJournal, site: SiteId): Promise<Result<void, JournalFault>> {
  for await (const entry of found.entries()) {
    if (!entry.ok) return entry
    if (entry.value.kind !== RECORD_KINDS['create-bucket']) continue
    const record = decodeRecord(entry.value)
    // What is wrong with the record itself is said by the replay.
    if (!record.ok || record.value.kind !== 'create-bucket') return done
    const written = record.value.origin.site
    return written === site ? done : fail({ kind: 'other-site', written })
  }
  return done
}

/**
 * A file of an extent, where the journal has no record at all. Content is only taken for a bucket, which a record made: so the journal that said what the file
 * is has been lost. Looks no further than the first one.
 */
export async function findOrphan(found: FoundJournal): Promise<string | undefined> {
  if (found.lastSequence > 0) return undefined
  for (const { disk } of found.disks) {
    const file = await firstShardIn(disk, EXTENTS_FOLDER)
    if (file !== undefined) return `${disk.directory}/${file}`
  }
  return undefined
}

async function firstShardIn(disk: Disk, folder: string): Promise<string | undefined> {
  const names = await disk.list(folder)
  if (!names.ok) return undefined
  const shard = names.value.find((name) => parseShardName(name) !== undefined)
  if (shard !== undefined) return `${folder}/${shard}`
  for (const name of names.value) {
    const below = name.endsWith('/') ? await firstShardIn(disk, `${folder}/${name.slice(0, -1)}`) : undefined
    if (below !== undefined) return below
  }
  return undefined
}

/** The making of a site that fails takes away what it has made, and nothing that was there before: so that the next try, with the mistake mended, works. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UNFINISHED_SUFFIX } from '../../disks/disk-path.ts'
import { GENERATION_FILES, IDENTITY_FILE } from '../../disks/identity.ts'
import { WITNESS_FILE } from '../../disks/pool-witness.ts'
import { SITE_FILE } from './site-file.ts'

const DISK_FILES = withUnfinished([IDENTITY_FILE, ...GENERATION_FILES])
const SITE_FILES = withUnfinished([WITNESS_FILE, SITE_FILE])

/** Looks at what is there. The returned function removes those files that making a site writes and that were not there then; call it while the locks hold. */
export async function undoMaking(siteDirectory: string, diskDirectories: readonly string[]): Promise<() => Promise<void>> {
  const places = [
    { directory: siteDirectory, files: SITE_FILES },
    ...diskDirectories.map((directory) => ({ directory, files: DISK_FILES })),
  ]
  const candidates = await Promise.all(places.map(missingFrom))
  return async () => {
    for (const file of candidates.flat()) await rm(file, { force: true }).catch(() => undefined)
  }
}

async function missingFrom({ directory, files }: { readonly directory: string; readonly files: readonly string[] }): Promise<string[]> {
  // Of a directory that can't be read nothing is known: nothing is removed there.
  const names = await readdir(directory).catch(() => files)
  return files.filter((file) => !names.includes(file)).map((file) => join(directory, file))
}

function withUnfinished(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => [file, file + UNFINISHED_SUFFIX])
}

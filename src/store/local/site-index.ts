/** SITE/index at a start: opened if it is whole, else made anew; and marked, while it is being opened, for the process may die over a bad one. */
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '../../make-folders.ts'
import type { SiteId } from '../terms.ts'
import { looksWhole } from './index/lmdb-check.ts'
import { BAD_INDEX_FILE, LmdbMap } from './index/lmdb-map.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { isIndexOf, readState } from './index/rows.ts'
import { INDEX_FOLDER } from './site-file.ts'

/** It is bad if it is garbage, or if the last start died over it. 'or-anew': then it is removed, as the journal has all that it held. */
export async function openIndex(siteDirectory: string, how: 'if-whole' | 'or-anew'): Promise<OrderedMap | undefined> {
  const directory = join(siteDirectory, INDEX_FOLDER)
  try {
    if (!(await makeFolders(directory)).ok) return undefined
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

/** Of the pool, as the index saw it; 0 if it does not say. */
export function seenGeneration(index: OrderedMap, site: SiteId): number {
  try {
    return isIndexOf(index.reader(), site) ? (readState(index.reader())?.generation ?? 0) : 0
  } catch {
    return 0
  }
}

/** The start got over it. Its mark goes, by which the next one would take it for bad. */
export const noteIndexOpens = (siteDirectory: string): Promise<void> =>
  rm(join(siteDirectory, INDEX_FOLDER, BAD_INDEX_FILE), { force: true })

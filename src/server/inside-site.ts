/** Whether a path leads into a site's directory or onto a disk of one: what is put there goes with them, and is in their way. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeIdentity, IDENTITY_FILE } from '../disks/identity.ts'
import { placeOf } from '../disks/same-place.ts'
import { decodeSite, SITE_FILE } from '../store/local/site-file.ts'

const FILE_BYTES_MAX = 1024 * 1024

/** The end of a sentence that begins with the path: "lies inside the site /srv/a". `except`: a site that it may lie in. */
export function whyInsideSite(path: string, { except }: { readonly except?: string } = {}): string | undefined {
  const allowed = except === undefined ? undefined : placeOf(except)
  for (let at = dirname(placeOf(path)); ; at = dirname(at)) {
    if (at !== allowed && isSite(at)) return `lies inside the site ${at}`
    if (isDisk(at)) return `lies inside the disk ${at} of a site`
    if (at === dirname(at)) return undefined
  }
}

/** Whether it is a disk of some site. */
const isDisk = (directory: string): boolean => holds(directory, IDENTITY_FILE, (bytes) => decodeIdentity(bytes).ok)

const isSite = (directory: string): boolean => holds(directory, SITE_FILE, (bytes) => decodeSite(bytes).ok)

function holds(directory: string, name: string, is: (bytes: Uint8Array) => boolean): boolean {
  try {
    const file = join(directory, name)
    const stat = statSync(file)
    return stat.isFile() && stat.size <= FILE_BYTES_MAX && is(readFileSync(file))
  } catch {
    return false
  }
}

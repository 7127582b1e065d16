/** Whether the directories given for a new site can be its disks, side by side: the loss of one must not be the loss of another. */
import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** What the site itself keeps in its directory. Format: docs/formats.md#site. */
const RESERVED = ['admin.sock', 'exports', 'index', 'keys', 'pool.json', 'scrub.json', 'site.json']

type Place = { readonly given: string; readonly real: string; readonly inode: string | undefined }

/** A sentence if they overlap, by whatever links: one given twice, one inside another, or in the way of the site. Disks inside the site's directory are fine. */
export function whyDisksClash(siteDirectory: string, diskDirectories: readonly string[]): string | undefined {
  const site = placeOf(siteDirectory)
  const disks = diskDirectories.map(placeOf)
  for (const [index, disk] of disks.entries()) {
    if (isSame(disk, site)) return `${disk.given} is the site's own directory: give each disk a directory of its own.`
    if (isInside(site, disk)) return `The site ${site.given} lies inside the disk ${disk.given}: put it elsewhere, or the disk.`
    const reserved = isInside(disk, site)
      ? disk.real
          .slice(site.real.length)
          .split('/')
          .find((part) => part !== '')
      : undefined
    if (reserved !== undefined && RESERVED.includes(reserved)) {
      return `${disk.given} is where the site keeps its own files (${reserved}): choose another directory for the disk.`
    }
    for (const other of disks.slice(0, index)) {
      const words = other.given === disk.given ? disk.given : `${other.given} and ${disk.given} are the same directory`
      if (isSame(disk, other)) return `A disk was given twice: ${words}.`
      const [inner, outer] = isInside(disk, other) ? [disk, other] : [other, disk]
      if (isInside(inner, outer)) return `The disk ${inner.given} lies inside the disk ${outer.given}: disks must lie side by side.`
    }
  }
  return undefined
}

const isSame = (one: Place, other: Place): boolean => one.real === other.real || (one.inode !== undefined && one.inode === other.inode)
const isInside = (inner: Place, outer: Place): boolean => inner.real.startsWith(outer.real === '/' ? '/' : `${outer.real}/`)

/** Where a path leads, which need not be there yet. The inode tells of bind mounts. */
function placeOf(given: string): Place {
  const missing: string[] = []
  for (let at = resolve(given); ; at = dirname(at)) {
    try {
      const real = join(realpathSync(at), ...missing)
      const { dev, ino } = statSync(at, { bigint: true })
      return { given, real, inode: missing.length === 0 ? `${dev}-${ino}` : undefined }
    } catch {
      // What can't be looked at is taken by its name; the making of it says what is wrong.
      if (at === dirname(at)) return { given, real: resolve(given), inode: undefined }
      missing.unshift(basename(at))
    }
  }
}

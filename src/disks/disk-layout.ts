/** Whether directories can be the disks of a site, side by side: the loss of one must not be the loss of another. */
import { statSync } from 'node:fs'
import { placeOf } from './same-place.ts'

/** What the site itself keeps in its directory. Format: docs/formats.md#site. */
const RESERVED = ['admin.new', 'admin.sock', 'exports', 'index', 'keys', 'pool.json', 'scrub.json', 'site.json']

type Place = { readonly given: string; readonly real: string; readonly inode: string | undefined }

/** A sentence if they overlap, by whatever links: one given twice, one inside another, or in the way of the site. Disks inside the site's directory are fine. */
export function whyDisksClash(siteDirectory: string, diskDirectories: readonly string[]): string | undefined {
  const site = look(siteDirectory)
  const disks = diskDirectories.map(look)
  for (const [index, disk] of disks.entries()) {
    const clash = clashWithSite(disk, site) ?? clashWithDisks(disk, disks.slice(0, index))
    if (clash !== undefined) return clash
  }
  return undefined
}

/** The same for one directory that is to become a disk of a site beside `others`. */
export function whyDiskClashes(siteDirectory: string, directory: string, others: readonly string[]): string | undefined {
  const [disk, known] = [look(directory), others.map(look)]
  const same = known.find((other) => isSame(disk, other))
  if (same !== undefined)
    return `${directory} is a disk of this site already${same.given === directory ? '' : `, ${same.given}`}: choose another directory.`
  return clashWithSite(disk, look(siteDirectory)) ?? clashWithDisks(disk, known)
}

function clashWithSite(disk: Place, site: Place): string | undefined {
  if (isSame(disk, site)) return `${disk.given} is the site's own directory: give each disk a directory of its own.`
  if (isInside(site, disk)) return `The site ${site.given} lies inside the disk ${disk.given}: put it elsewhere, or the disk.`
  const reserved = isInside(disk, site)
    ? disk.real
        .slice(site.real.length)
        .split('/')
        .find((part) => part !== '')
    : undefined
  return reserved !== undefined && RESERVED.includes(reserved)
    ? `${disk.given} is where the site keeps its own files (${reserved}): choose another directory for the disk.`
    : undefined
}

function clashWithDisks(disk: Place, others: readonly Place[]): string | undefined {
  for (const other of others) {
    const words = other.given === disk.given ? disk.given : `${other.given} and ${disk.given} are the same directory`
    if (isSame(disk, other)) return `A disk was given twice: ${words}.`
    const [inner, outer] = isInside(disk, other) ? [disk, other] : [other, disk]
    if (isInside(inner, outer)) return `The disk ${inner.given} lies inside the disk ${outer.given}: disks must lie side by side.`
  }
  return undefined
}

const isSame = (one: Place, other: Place): boolean => one.real === other.real || (one.inode !== undefined && one.inode === other.inode)
const isInside = (inner: Place, outer: Place): boolean => inner.real.startsWith(outer.real === '/' ? '/' : `${outer.real}/`)

/** It need not be there yet. The inode tells of bind mounts. What can't be looked at is taken by its name; the making of it says what is wrong. */
function look(given: string): Place {
  const real = placeOf(given)
  try {
    const { dev, ino } = statSync(real, { bigint: true })
    return { given, real, inode: `${dev}-${ino}` }
  } catch {
    return { given, real, inode: undefined }
  }
}

/** The directories of a site's disks: opened, locked, and found again where the site has been moved. */
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type DirectoryDisk, openDirectoryDisk } from '../../disks/directory-disk.ts'
import { type DiskLocks, describeHeld } from '../../disks/disk-locks.ts'
import { IDENTITY_FILE } from '../../disks/identity.ts'
import type { Clock } from '../../environment.ts'

/** In the order given; undefined where one cannot be opened. */
export async function openDisks(directories: readonly string[], clock: Clock): Promise<(DirectoryDisk | undefined)[]> {
  const opened = await Promise.all(directories.map((directory) => openDirectoryDisk({ directory, identityFile: IDENTITY_FILE, clock })))
  return opened.map((disk) => (disk.ok ? disk.value : undefined))
}

/** Keeps other processes away from the disks. The sentence says which one is in use. */
export async function lockDisks(disks: readonly (DirectoryDisk | undefined)[], locks: DiskLocks): Promise<string | undefined> {
  for (const disk of disks) {
    const locked = await disk?.lock(locks)
    if (disk !== undefined && locked?.ok === false) return describeHeld(disk.directory, locked.error)
  }
  return undefined
}

/** A path that leads below the site's directory as one that begins with it, by whatever links it was given: so the disk moves along with the site. */
export async function belowSite(path: string, siteDirectory: string): Promise<string> {
  try {
    // Not the disk itself: a link to another place stays one. Not at once: looking where a path leads may take as long as a disk hangs.
    const [home, above] = await Promise.all([realpath(siteDirectory), realpath(dirname(path))])
    const place = join(above, basename(path))
    return place.startsWith(`${home}/`) ? join(siteDirectory, place.slice(home.length + 1)) : path
  } catch {
    return path
  }
}

/**
 * A disk below the site's directory moves with it. Of a copy, too, only the copied disks are opened: two sites must never write to the same ones.
 */
export function movedAlong(disk: string, home: string, siteDirectory: string): string {
  // It has moved already, perhaps to a place inside the old one.
  if (disk.startsWith(`${siteDirectory}/`)) return disk
  return disk.startsWith(`${home}/`) ? join(siteDirectory, disk.slice(home.length + 1)) : disk
}

/** Directories without an identity are no disks: an unmounted mount point is an empty directory. */
export async function ofAPool(disks: readonly (DirectoryDisk | undefined)[]): Promise<(DirectoryDisk | undefined)[]> {
  return Promise.all(disks.map(async (disk) => (disk !== undefined && (await disk.readFile(IDENTITY_FILE)).ok ? disk : undefined)))
}

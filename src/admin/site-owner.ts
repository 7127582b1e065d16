/**
 * Whose a site is. Whoever may do everything (root) could open the site of another user, and would leave files behind that the owner cannot open any more: then the
 * server does not start again.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** `siteFile`: the name of the file that makes it a site. Undefined if what this process writes there belongs to whom the site belongs to. */
export function whyNotOwner(directory: string, siteFile: string, userId: number | undefined): string | undefined {
  const owner = ownerOf(join(directory, siteFile))
  if (owner === undefined || userId === undefined || owner === userId) return undefined
  // Some file systems (vfat, NFS, shared folders) give every file to one user, whoever makes it.
  const given = ownerOfNew(join(directory, `.owner-${process.pid}`))
  if (given === undefined || given === owner) return undefined
  return `${directory} belongs to user ${owner}, and this is user ${userId}, whose files that one could not open: run as user ${owner}, for example with sudo -u '#${owner}'.`
}

function ownerOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.uid
}

/** Undefined if none can be made; what that means is said by whoever has to write. */
function ownerOfNew(file: string): number | undefined {
  try {
    closeSync(openSync(file, 'wx', 0o600))
    const owner = ownerOf(file)
    rmSync(file)
    return owner
  } catch {
    return undefined
  }
}

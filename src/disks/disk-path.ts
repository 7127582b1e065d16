/** Paths within a disk: parts joined by '/', each of plain characters, so that none leads outside; '' is the disk's own folder. */
export const PATH_BYTES_MAX = 512

/** Ends the name of a file whose replacement by `writeFile` is not finished. Not listed; the next replacement overwrites it. */
export const UNFINISHED_SUFFIX = '.new'

const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/** Whether `path` names a file or folder below the disk. */
export function isDiskPath(path: string): boolean {
  return path.length <= PATH_BYTES_MAX && path.split('/').every((part) => PART.test(part))
}

/** What is in a directory that should be a site: looked at before anything is opened, so that each mistake has its own sentence. */
import { accessSync, constants, existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fail, ok, type Result } from '../result.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { KEYS_DIRECTORY, SECRET_FILES } from './site-files.ts'

export type SiteLack = {
  readonly kind: 'no-directory' | 'empty' | 'other-files' | 'part-of-a-site' | 'unusable'
  readonly sentence: string
}

/** What a site has in its directory besides the file that makes it one, the keys first. */
const PARTS = [KEYS_DIRECTORY, 'index', 'pool.json', 'exports']

/** `siteFile`: the name of the file that makes it a site. */
export function lookForSite(directory: string, siteFile: string): Result<void, SiteLack> {
  const names = namesOf(directory)
  if (!names.ok) return names
  if (!names.value.includes(siteFile)) return fail(lackOf(directory, names.value, siteFile))
  const closed = [siteFile, ...SECRET_FILES].map((file) => join(directory, file)).find((file) => !isReadable(file))
  return closed === undefined ? ok(undefined) : fail({ kind: 'unusable', sentence: describeForbidden(closed) })
}

function namesOf(directory: string): Result<string[], SiteLack> {
  try {
    return ok(readdirSync(directory))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      const sentence = `${directory} is a link that leads nowhere: mount what it leads to, or name another directory.`
      return fail({ kind: 'unusable', sentence })
    }
    if (code === 'ENOENT') {
      const sentence = `There is no directory ${directory}: make a site with "holdfast init ${directory}".`
      return fail({ kind: 'no-directory', sentence })
    }
    return fail({ kind: 'unusable', sentence: describeUnread(directory, code) })
  }
}

function describeUnread(directory: string, code: string | undefined): string {
  if (code === 'ENOTDIR') return `${directory} is not a directory, or is below a file: a site is the directory that "holdfast init" made.`
  if (code === 'EACCES' || code === 'EPERM') return describeForbidden(directory)
  return describeSystemFailure(directory, 'read', code, { place: 'fixed' })
}

function describeForbidden(path: string): string {
  return `${path} may not be read by this user: run as the user that the site belongs to${ownerOf(path)}.`
}

/** Of the innermost directory that may be looked at. */
function ownerOf(path: string): string {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    try {
      return ` (${at} belongs to user ${statSync(at).uid})`
    } catch {
      // The one above may tell.
    }
  }
  return ''
}

function lackOf(directory: string, names: readonly string[], siteFile: string): SiteLack {
  if (names.length === 0) {
    return { kind: 'empty', sentence: `${directory} is empty, so not a whole site: make one there with "holdfast init ${directory}".` }
  }
  const mistaken = namedInstead(directory, names, siteFile)
  if (mistaken !== undefined) return { kind: 'other-files', sentence: mistaken }
  const parts = PARTS.filter((part) => names.includes(part))
  const disks = names.filter((name) => existsSync(join(directory, name, 'identity.json')) && name !== KEYS_DIRECTORY)
  const there = [...parts, ...disks].slice(0, 3).join(', ')
  if (there === '') {
    const sentence = `${directory} is not a whole site (it has no ${siteFile}): make one with "holdfast init", in an empty directory.`
    return { kind: 'other-files', sentence }
  }
  const sentence = `${directory} is not a whole site: it has ${there}, but no ${siteFile}. Run "holdfast site recover ${directory}", which makes it again from the keys and the disks; a new site could not read what is on these. Only if the making of the site was interrupted is there nothing to recover: then move it away and make it again.`
  return { kind: 'part-of-a-site', sentence }
}

/** What is easily named in the place of a site. */
function namedInstead(directory: string, names: readonly string[], siteFile: string): string | undefined {
  if (names.includes('preamble') && names.includes('manifest'))
    return `${directory} is the folder of a bundle, not a site: the site comes first, as in "holdfast bundle import SITE DIR".`
  const above = dirname(directory)
  const site = existsSync(join(above, siteFile)) ? `, of the site ${above}: name that one` : ': name the directory of the site'
  if (SECRET_FILES.every((file) => names.includes(basename(file)))) return `${directory} is a folder of keys, not a site${site}.`
  const isDisk = names.includes('identity.json') && names.some((name) => name.startsWith('generation.'))
  if (isDisk)
    return `${directory} is a disk of a site, not a site${site}. (If that is lost: "holdfast site recover SITE --disk ${directory}".)`
  return undefined
}

/** What is missing is said by whoever opens it. */
function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code !== 'EACCES' && code !== 'EPERM'
  }
}

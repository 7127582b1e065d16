/** What people call a site. */
import { basename } from 'node:path'
import { isSiteName, SITE_NAME_LENGTH_MAX } from '../disks/site-name.ts'
import { end } from './cli.ts'

/** A directory may be called anything. */
function defaultName(site: string): string {
  const name = basename(site)
  return isSiteName(name) ? name : 'site'
}

/** Of the site in a directory: `given`, or the directory's own. Ends the command if it is no name. */
export function siteName(site: string, given: string | undefined): string {
  const name = given ?? defaultName(site)
  if (!isSiteName(name)) end(2, `--name takes 1 to ${SITE_NAME_LENGTH_MAX} characters, none of them a control character.`)
  return name
}

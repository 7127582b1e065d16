/** What people call a site. */
import { basename } from 'node:path'
import { end } from './cli.ts'

const NAME_LENGTH_MAX = 100

/** Shown on terminals and in pages: nothing that a terminal would obey, or that turns the writing around. */
const isName = (text: string): boolean =>
  text.trim() !== '' && [...text].length <= NAME_LENGTH_MAX && !/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/u.test(text)

/** A directory may be called anything. */
function defaultName(site: string): string {
  const name = basename(site)
  return isName(name) ? name : 'site'
}

/** Of the site in a directory: `given`, or the directory's own. Ends the command if it is no name. */
export function siteName(site: string, given: string | undefined): string {
  const name = given ?? defaultName(site)
  if (!isName(name)) end(2, `--name takes 1 to ${NAME_LENGTH_MAX} characters, none of them a control character.`)
  return name
}

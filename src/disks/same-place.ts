/** Operators name a disk by any path that leads to it: through a link to the site's directory, or past one. */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** Where a path leads, by whatever links; what is not there, or can't be looked at, is taken by its name. */
export function placeOf(path: string): string {
  const missing: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return join(realpathSync(at), ...missing)
    } catch {
      if (at === dirname(at)) return resolve(path)
      missing.unshift(basename(at))
    }
  }
}

/** The one of `known` that is `path`, or else leads to the same place; `path` itself if there is none. */
export function knownAs(path: string, known: readonly string[]): string {
  if (known.includes(path)) return path
  const place = placeOf(path)
  return known.find((each) => placeOf(each) === place) ?? path
}

/** Folders made one by one, so that it is known which ones are new, and so that it ends wherever a path leads. */
import { constants, mkdirSync, statSync } from 'node:fs'
import { access, mkdir, rmdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail, ok, type Result } from './result.ts'
import { describeSystemFailure } from './system-failure.ts'

/** `code`: as the system calls it. */
export type NotMade = { readonly directory: string; readonly code: string }

/** For the owner alone. */
const PRIVATE = 0o700

/**
 * Makes a directory and those above it that are missing; gives the ones that it made, the outermost first. If one cannot be made, none of them stays.
 * (Node's own recursive mkdir tries for ever where the system answers ENOENT although the folder above is there, as /proc does.)
 */
export async function makeFolders(
  directory: string,
  { mode = PRIVATE }: { readonly mode?: number } = {},
): Promise<Result<string[], NotMade>> {
  const missing: string[] = []
  for (let at = directory; ; at = dirname(at)) {
    const found = await attempt(() => stat(at))
    if (found.ok && found.value.isDirectory()) break
    if (found.ok) return fail({ directory: at, code: 'ENOTDIR' })
    // Below a file everything is ENOTDIR: the one to name is further up.
    const isAbove = found.error === 'ENOENT' || found.error === 'ENOTDIR'
    if (!isAbove || at === dirname(at)) return fail({ directory: at, code: found.error })
    missing.unshift(at)
  }
  const made: string[] = []
  for (const folder of missing) {
    const step = await attempt(() => mkdir(folder, { mode }))
    if (step.ok) made.push(folder)
    // Another process may have made it meanwhile; a link that leads nowhere exists, too.
    else if (step.error !== 'EEXIST' || !(await isDirectory(folder))) {
      await removeFolders(made)
      return fail({ directory: folder, code: step.error })
    }
  }
  return ok(made)
}

/** The same at once, for the owner alone. Throws what the system said. */
export function makeFoldersAtOnce(directory: string): void {
  const missing: string[] = []
  for (let at = directory; statSync(at, { throwIfNoEntry: false }) === undefined && at !== dirname(at); at = dirname(at))
    missing.unshift(at)
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: PRIVATE })
    } catch (error) {
      if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error
    }
  }
}

/** Why this user cannot keep files in a directory that is there; undefined if nothing speaks against it. */
export async function whyNotWritable(directory: string): Promise<string | undefined> {
  const found = await attempt(() => access(directory, constants.R_OK | constants.W_OK | constants.X_OK))
  return found.ok ? undefined : describeSystemFailure(directory, 'written', found.error)
}

/** Removes those that are empty, the innermost (last) first. */
export async function removeFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await attempt(() => rmdir(folder))
}

/** What to tell an operator. */
export function describeNotMade({ directory, code }: NotMade): string {
  switch (code) {
    case 'ENOTDIR':
      return `${directory} is a file, not a directory: choose another place.`
    case 'EEXIST':
      return `${directory} can't be made (EEXIST): it is a link that leads nowhere; mount what it leads to, or choose another place.`
    case 'ENOENT':
      return `${directory} can't be made (ENOENT): the file system there takes no new directories; choose another place.`
    default:
      return describeSystemFailure(directory, 'made', code)
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await attempt(() => stat(path))
  return found.ok && found.value.isDirectory()
}

async function attempt<T>(act: () => Promise<T>): Promise<Result<T, string>> {
  try {
    return ok(await act())
  } catch (error) {
    return fail((error as NodeJS.ErrnoException).code ?? String(error))
  }
}

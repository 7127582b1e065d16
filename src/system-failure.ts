/** What the system said no to, in words for an operator: its code alone ("EROFS") says nothing to most. Source of the codes: errno(3). */

/** Why it failed, what to do, and whether another place would do as well. */
type Words = readonly [why: string, remedy: string, elsewhere?: 'elsewhere']

const FORBIDDEN: Words = ['this user may not do that there', 'run as the user that it belongs to', 'elsewhere']
const GONE: Words = ['its medium is gone', 'attach it again', 'elsewhere']
const BUSY: Words = ['something else is using it', 'try again', 'elsewhere']
const TAKEN: Words = ['something of that name is there already', 'choose another name']

const WORDS: Readonly<Record<string, Words>> = {
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: ['its file system can only be read', 'mount it for writing', 'elsewhere'],
  ENOSPC: ['no space is left there', 'make room', 'elsewhere'],
  EDQUOT: ['the quota of this user is used up there', 'make room', 'elsewhere'],
  EFBIG: ['its file system takes no file of this size', 'take another file system', 'elsewhere'],
  ENOENT: ['there is no such file or directory', 'check the path'],
  ENOTDIR: ['something in its path is a file, not a directory', 'check the path'],
  EISDIR: ['it is a directory, not a file', 'name a file'],
  EEXIST: TAKEN,
  ENOTEMPTY: TAKEN,
  ELOOP: ['a link is in its path that leads in a circle, or must not be one', 'check the path'],
  ENAMETOOLONG: ['its name is too long', 'choose a shorter one'],
  EINVAL: ['its file system does not take that', 'take another file system', 'elsewhere'],
  EBUSY: BUSY,
  ETXTBSY: BUSY,
  EIO: ['its medium fails', 'look at it and at its cable', 'elsewhere'],
  ENXIO: GONE,
  ENODEV: GONE,
  ESTALE: GONE,
  ETIMEDOUT: ['it did not answer in time', 'look at its medium', 'elsewhere'],
  EMFILE: ['too many files are open', 'raise the limit (ulimit -n)'],
  ENFILE: ['too many files are open on this machine', 'try again'],
  ENOMEM: ['the machine has no memory left', 'try again'],
}

/**
 * "PATH can't be written (EROFS): …; do this." `verb`: "written", "read". `error`: as a call of node:fs threw it, or its code. `place` 'fixed': the operator did
 * not choose it, as the site's own files.
 */
export function describeSystemFailure(
  path: string,
  verb: string,
  error: unknown,
  { place = 'chosen' }: { readonly place?: 'chosen' | 'fixed' } = {},
): string {
  const code = typeof error === 'string' ? error : (error as NodeJS.ErrnoException | undefined)?.code
  const said = code ?? (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')
  const [why, remedy, elsewhere] = WORDS[code ?? ''] ?? ['the system says no more', 'see that its disk works', 'elsewhere']
  const choice = place === 'chosen' && elsewhere !== undefined ? ', or choose another place' : ''
  return `${path} can't be ${verb} (${said}): ${why}; ${remedy}${choice}.`
}

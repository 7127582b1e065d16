/** What the pool says to operators: what is wrong and what to do next. */
import type { DiskFault } from './disk.ts'
import type { GenerationSet, Member } from './identity.ts'

export type PoolFault = {
  readonly kind:
    | 'no-pool'
    | 'mixed-pools'
    | 'duplicate-disk'
    | 'newer-format'
    /** Two histories, and no witness that tells which is the one to follow. */
    | 'forked'
    | 'bad-geometry'
    | 'not-empty'
    | 'disk-failed'
    | 'witness-failed'
  readonly sentence: string
}

export const FORKED =
  'The disks hold two histories that went apart when an operator let a part of the pool go on alone: start with the disks of one of them only, and replace the others.'

/** For what reads the view while a start is still finding out what the disks hold. */
export const STARTING = 'It is being found out what the disks hold.'

export const WITNESS_LOST = 'The site directory cannot be written, so nothing more is accepted: see that it has space and its disk works.'

/** What to do about disks that others may have gone on without. Named in one command: to give up one of them alone would decide nothing. */
export function describeChoice(missing: readonly Pick<Member, 'directory' | 'diskId'>[]): string {
  if (missing.length === 0)
    return 'Bring them back; or, if they are lost for good, start with --accept-older: what only they held is lost then.'
  const those = missing.map(named).join(' ')
  return `Bring them back: it goes on by itself then. Or, if they are lost for good, run \`holdfast disk retire SITE ${those}\`, or start with --accept-older: what only they held is lost then.`
}

/** The same of a site that cannot even be opened: no command reaches it, nor does it go on by itself. */
export const choiceUnopened = (sentence: string): string =>
  sentence.replace(
    /: it goes on by itself then\. Or, if they are lost for good, run `.*`, or start/,
    ' and start again. Or, if they are lost for good, start',
  )

/** "a", "a and b", "a, b and c". */
export function joinWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`
}

const named = (member: Pick<Member, 'directory' | 'diskId'>): string => member.directory ?? `disk ${member.diskId.slice(0, 8)}`

export function describeMissing(why: 'later-seen' | 'no-witness', missing: readonly Member[], generation: number): string {
  const them = missing.length === 0 ? 'disks that are not known here' : joinWords(missing.map(named))
  const reason =
    why === 'later-seen'
      ? `other disks went on without these, up to generation ${generation}`
      : 'so many disks are missing that they could have gone on alone, and nothing is left that would know'
  return `Read-only: ${reason}. Missing or out of date: ${them}. ${describeChoice(missing)}`
}

export function describeTooFew(set: number, { dataShards, disks }: GenerationSet): string {
  const lost = disks.filter((member) => member.state !== 'in')
  const left = disks.length - lost.length
  const each = lost.map((member) => (member.reason === undefined ? named(member) : `${named(member)} (${member.reason})`))
  return `Set ${set} needs ${dataShards} disks and has ${left}, so nothing can be written: bring back ${joinWords(each)}. It goes on by itself then, at the latest after a restart.`
}

export function describeFault(fault: DiskFault): string {
  const words: Record<DiskFault, string> = {
    gone: 'its directory is gone, or is another one than at the start',
    timeout: 'it did not answer within two seconds',
    io: 'input/output error',
    full: 'it is full',
    'not-found': 'a file is missing',
    exists: 'a file is there that should not be',
    short: 'a file is too short',
  }
  return words[fault]
}

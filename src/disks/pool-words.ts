/** What the pool says to operators: what is wrong and what to do next. */
import type { DiskFault } from './disk.ts'
import type { GenerationSet, Member } from './identity.ts'
import { joinWords, type ReadOnly, type Remedy } from './read-only.ts'

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
export const STARTING: ReadOnly = { wrong: 'It is being found out what the disks hold.', remedy: { kind: 'said' } }

export const WITNESS_LOST = 'The site directory cannot be written, so nothing more is accepted: see that it has space and its disk works.'

/** What may be done about disks that others may have gone on without. */
export const choiceAbout = (missing: readonly Pick<Member, 'directory' | 'diskId'>[]): Remedy => ({
  kind: 'return-or-give-up',
  disks: missing.map(named),
})

const named = (member: Pick<Member, 'directory' | 'diskId'>): string => member.directory ?? `disk ${member.diskId.slice(0, 8)}`

export function whyMissing(why: 'later-seen' | 'no-witness', missing: readonly Member[], generation: number): ReadOnly {
  const them = missing.length === 0 ? 'disks that are not known here' : joinWords(missing.map(named))
  const reason =
    why === 'later-seen'
      ? `Other disks went on without these, up to generation ${generation}`
      : 'So many disks are missing that they could have gone on alone, and nothing is left that would know'
  return { wrong: `${reason}. Missing or out of date: ${them}.`, remedy: choiceAbout(missing) }
}

export function whyTooFew(set: number, { dataShards, disks }: Pick<GenerationSet, 'dataShards' | 'disks'>): ReadOnly {
  const lost = disks.filter((member) => member.state !== 'in')
  const left = disks.length - lost.length
  const each = lost.map((member) => (member.reason === undefined ? named(member) : `${named(member)} (${member.reason})`))
  const wrong = `Set ${set} needs ${dataShards} disks and has ${left}, so nothing can be written.`
  return { wrong, remedy: { kind: 'return', disks: each } }
}

/** Of a successor: it will not do. */
export const IS_FULL = 'it is full'

export function describeFault(fault: DiskFault): string {
  const words: Record<DiskFault, string> = {
    gone: 'its directory is gone, or is another one than at the start',
    timeout: 'it did not answer within two seconds',
    io: 'input/output error',
    full: IS_FULL,
    'not-found': 'a file is missing',
    exists: 'a file is there that should not be',
    short: 'a file is too short',
  }
  return words[fault]
}

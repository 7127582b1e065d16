/** Why a pool is read-only, and what a start makes of what it decided. */
import type { Random } from '../environment.ts'
import { GenerationChain } from './generation-chain.ts'
import type { Decided } from './pool-open.ts'
import { Roster } from './pool-roster.ts'
import type { Blocked } from './pool-start.ts'
import { STARTING } from './pool-words.ts'
import type { ReadOnly } from './read-only.ts'

export type Hold =
  /** It may begin, or has, and what its disks hold is not brought up yet. */
  | { readonly kind: 'starting'; readonly why: ReadOnly }
  /** The disks here hold less than was seen, or might: an operator, or the others, have to decide. */
  | ({ readonly kind: 'blocked' } & Blocked)
  | { readonly kind: 'too-few-disks'; readonly why: ReadOnly }
  /** The site's folder cannot be written. */
  | { readonly kind: 'no-witness'; readonly why: ReadOnly }

export const starting: Hold = { kind: 'starting', why: STARTING }

export type Standing = { readonly roster: Roster; readonly chain: GenerationChain; readonly hold: Hold; readonly forced: boolean }

export function standingOf(random: Random, { decision, handles }: Decided): Standing {
  const { ruling, sets, blocked, short, forced } = decision
  const hold: Hold =
    blocked !== undefined ? { kind: 'blocked', ...blocked } : short !== undefined ? { kind: 'too-few-disks', why: short } : starting
  return { roster: new Roster({ ...ruling, sets }, handles), chain: new GenerationChain(random, decision), hold, forced }
}

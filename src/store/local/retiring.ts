/**
 * An operator says that disks are lost for good. Where the others have everything that was acknowledged, that is noted in the pool. Where the site is
 * read-only because those disks may hold more, it ends that: what only they held is given up.
 *
 * Where nothing that the index knows is given up, the site goes on at once. Else the index has to be made anew from what is here, and sequences are given out
 * again that readers may remember; so that waits for the next start, and the decision is kept with the site until then.
 */
import type { Pool } from '../../disks/pool.ts'
import { findShort } from '../../disks/pool-start.ts'
import { everySlot, isSuccessor } from '../../disks/pool-view.ts'
import { choiceAbout } from '../../disks/pool-words.ts'
import { describeReadOnly, describeRemedy, joinWords } from '../../disks/read-only.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { Journal } from './journal/journal.ts'
import type { Seen } from './journal/recover.ts'
import type { PendingRetirement } from './site-file.ts'

export type RetireRequest = {
  readonly directories: readonly string[]
  /** How many acknowledged changes may be given up, in the words that an earlier refusal asked for. */
  readonly giveUp?: string
}

export type Retired = {
  readonly when: 'now' | 'at-next-start'
  /** Acknowledged changes that are given up. */
  readonly givenUp: number | 'unknown'
  readonly sentence: string
}

type Parts = {
  readonly pool: Pool
  readonly journal: Pick<Journal, 'lookAtChain'>
  readonly seen: Seen
  readonly savePendingRetirement: (pending: PendingRetirement | undefined) => Promise<boolean>
  readonly activate: () => Promise<Result<unknown, unknown>>
}

type Named = { readonly diskId: string; readonly directory: string }

export async function retireDisks(parts: Parts, asked: RetireRequest): Promise<Result<Retired, string>> {
  const { pool } = parts
  const named: Named[] = []
  for (const directory of asked.directories) {
    const found = find(pool, directory)
    if (!found.ok) return found
    named.push(found.value)
  }
  if (pool.missing !== undefined && !pool.wasReady) return giveUp(parts, named, asked.giveUp)
  if (pool.view.readOnly !== undefined) return fail(`Nothing can be retired now. ${describeReadOnly(pool.view.readOnly)}`)
  const places = everySlot(pool.view).filter(({ diskId }) => named.some((each) => each.diskId === diskId))
  const successors = joinWords(places.filter((slot) => isSuccessor(pool.view, slot)).map(({ directory }) => directory))
  const isCallingOff = places.every((slot) => isSuccessor(pool.view, slot))
  if (successors !== '' && !isCallingOff)
    return fail(`${successors} was to take the place of another disk: call that off in a command of its own.`)
  const retired = await pool.retire(places)
  if (!retired.ok) return fail('It could not be noted on the disks: see "holdfast disk status", and try again.')
  if (isCallingOff) return ok({ when: 'now', givenUp: 0, sentence: `Called off: ${successors} will take no other disk's place.` })
  const replace = 'Put a new one in the place of each: holdfast disk replace SITE OLD-DIR NEW-DIR.'
  return ok({ when: 'now', givenUp: 0, sentence: `${retiredWords(named)} Nothing is lost: the other disks hold everything. ${replace}` })
}

const retiredWords = (named: readonly Named[]): string =>
  `Retired: ${joinWords(named.map(({ directory }) => directory))}. Should ${named.length === 1 ? 'it' : 'they'} turn up, ${named.length === 1 ? 'it counts' : 'they count'} for nothing.`

function find(pool: Pool, directory: string): Result<Named, string> {
  const slots = everySlot(pool.view)
  // The disks that went on alone may have given the same place to another one.
  const missing = pool.missing?.find((member) => member.directory === directory)
  if (missing !== undefined) return ok({ diskId: missing.diskId, directory })
  const slot = slots.find((each) => each.directory === directory)
  if (slot === undefined)
    return fail(`${directory} is no disk of this site; its disks are ${slots.map((each) => each.directory).join(', ')}.`)
  if (slot.state === 'out' || isSuccessor(pool.view, slot)) return ok({ diskId: slot.diskId, directory })
  return fail(
    `${directory} is ${slot.state}: only a disk that is out can be retired. To put another in its place: holdfast disk replace SITE ${directory} NEW-DIR.`,
  )
}

async function giveUp(
  { pool, journal, seen, savePendingRetirement, activate }: Parts,
  named: readonly Named[],
  agreed: string | undefined,
): Promise<Result<Retired, string>> {
  const missing = pool.missing ?? []
  if (missing.length === 0 || !missing.every(({ diskId }) => named.some((each) => each.diskId === diskId)))
    return fail(`Not all disks that may hold more were named, so nothing was changed. ${describeRemedy(choiceAbout(missing))}`)
  const short = findShort(pool.view.sets)
  if (short !== undefined) return fail(`That would leave too few disks to go on. ${describeReadOnly(short)}`)
  const looked = await journal.lookAtChain(seen)
  if (!looked.ok)
    return fail(`The journal is not whole on the disks that are here, so they cannot go on without the others: bring those back.`)
  const { end, agrees } = looked.value
  const givenUp = agrees ? 0 : end.sequence < seen.sequence ? seen.sequence - end.sequence : 'unknown'
  if (givenUp !== 0 && agreed !== String(givenUp)) return fail(describeLoss(givenUp, end.sequence, seen.sequence, named))
  const ids = named.map(({ diskId }) => diskId)
  if (!(await savePendingRetirement({ disks: ids, sequence: end.sequence, chain: end.chain ?? '' })))
    return fail('The site directory cannot be written: see that it has space and its disk works.')
  const here = everySlot(pool.view).flatMap(({ diskId }) => pool.opened(diskId) ?? [])
  const looksAgain = await pool.lookAgain(here, ids)
  const words = retiredWords(named)
  if (givenUp === 0 && looksAgain.ok && (await activate()).ok)
    return ok({ when: 'now', givenUp, sentence: `${words} No change is known to be lost, and the site may be written again.` })
  const loss = givenUp === 0 ? '' : ` ${lossWords(givenUp, end.sequence, seen.sequence)} given up then.`
  const sentence = `${words} The next start goes on from change ${end.sequence}: restart.${loss}`
  pool.block({ why: { wrong: sentence, remedy: { kind: 'said' } }, missing: [] })
  return ok({ when: 'at-next-start', givenUp, sentence })
}

const lossWords = (givenUp: number | 'unknown', found: number, seen: number): string =>
  givenUp === 'unknown'
    ? `What was written since these disks went another way is`
    : givenUp === 1
      ? `Change ${seen} is`
      : `Changes ${found + 1} to ${seen} are`

function describeLoss(givenUp: number | 'unknown', found: number, seen: number, named: readonly Named[]): string {
  const how = `holdfast disk retire SITE ${named.map(({ directory }) => directory).join(' ')} --give-up ${givenUp}`
  const what =
    givenUp === 'unknown'
      ? 'It is not known how much was acknowledged and is not here.'
      : `That loses ${givenUp} acknowledged ${givenUp === 1 ? 'change' : 'changes'}.`
  return `${what} ${lossWords(givenUp, found, seen)} on none of the disks that are here. Nothing was changed. To give that up: ${how}.`
}

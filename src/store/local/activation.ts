/**
 * From a pool that is found to a store that may be written: the journal is recovered, the pool begins, the index is brought up. Until then nothing on the
 * disks or in the index is changed, so that whatever is missing finds everything as it was. At the start of a process, and again, while it serves
 * what can be read, when disks have come back.
 */
import type { Pool } from '../../disks/pool.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import type { EngineInput } from './engine-input.ts'
import { checkOwner, findOrphan } from './examine-journal.ts'
import { Table, tableRange } from './index/keys.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { emptyState, type IndexState, isIndexOf, noteSite, readState } from './index/rows.ts'
import type { Journal } from './journal/journal.ts'
import type { FoundJournal, Seen } from './journal/recover.ts'
import type { JournalFault } from './journal/terms.ts'
import { type Replayed, type ReplayFault, replay } from './replay.ts'
import { pacedReport } from './replay-report.ts'
import { describeEngineFault, isLack, whyHeld } from './site-words.ts'

/** `startsOver`: an operator goes on without the journal that said what the disks hold. */
export type Activated = Replayed & { readonly startsOver: boolean }
/** 'held': it is read-only, and the pool's view says why. */
export type ActivationFault = ReplayFault | { readonly kind: 'held' }

/** The newest start of which the index has an extent. */
export function newestStart(index: OrderedMap): number | undefined {
  const { from, to } = tableRange(Table.extent)
  const [last] = index.reader().rangeBack(from, to, 1)
  return last && Buffer.from(last.key).readUInt32BE(1)
}

/** Undefined if there is no index of this site: it will have to be made anew. */
export function readIndex(index: OrderedMap, site: SiteId): IndexState | undefined {
  try {
    if (!isIndexOf(index.reader(), site)) return undefined
    const state = readState(index.reader())
    // A row that is damaged is garbage, too.
    newestStart(index)
    return state === undefined || state.applied === 0 ? undefined : state
  } catch {
    return undefined
  }
}

/** What the disks must have for the site to go on with them. */
export function seenBy({ seenSequence = 0 }: EngineInput, state: IndexState | undefined): Seen {
  const { applied, chain } = state ?? emptyState()
  if (seenSequence > applied) return { sequence: seenSequence }
  return { sequence: applied, ...(applied > 0 && { chain }) }
}

/** See the head. `when`: the index is made anew only at a start, where nobody reads it yet. */
export async function activate(
  input: EngineInput,
  journal: Journal,
  when: 'at-start' | 'serving',
): Promise<Result<Activated, ActivationFault>> {
  const { pool, index } = input
  if (!pool.mayBegin) return fail({ kind: 'held' })
  const state = readIndex(index, input.site)
  const accepts = when === 'serving' ? undefined : input.acceptOlder === true ? ('anything' as const) : input.pendingRetirement
  let startsOver = false
  const examine = async (found: FoundJournal): Promise<Result<void, JournalFault>> => {
    const owned = await checkOwner(found, input.site)
    const orphan = owned.ok ? await findOrphan(found) : undefined
    startsOver = orphan !== undefined
    return orphan === undefined || accepts !== undefined ? owned : fail({ kind: 'journal-lost', orphan })
  }
  const recovered = await journal.recover({
    seen: seenBy(input, state),
    ...(accepts && { accepts }),
    // An index tells both, and the disks hold what it has seen.
    ...((state === undefined || accepts !== undefined) && { examine }),
    begin: () => pool.begin(),
  })
  if (!recovered.ok) return state === undefined ? recovered : hold(pool, recovered.error)
  const replayed = await bringUp(input, journal, when, state !== undefined && recovered.value.agrees)
  const brought = replayed.ok && !noteSite(index, input.site) ? fail<ReplayFault>({ kind: 'index-failed' }) : replayed
  if (!brought.ok && when === 'serving') {
    const wrong = `${describeEngineFault(brought.error, pool.view).sentence} Restart to go on.`
    pool.block({ why: { wrong, remedy: { kind: 'said' } }, missing: [] })
  }
  return brought.ok ? ok({ ...brought.value, startsOver }) : brought
}

/** There is an index to serve from: what the disks lack is no reason to refuse reads. */
function hold(pool: Pool, fault: JournalFault): Result<never, ActivationFault> {
  if (fault.kind === 'unavailable') return fail({ kind: 'held' })
  if (!isLack(fault)) return fail(fault)
  const out = pool.view.sets.flatMap((set) => set.disks).filter((slot) => slot.state === 'out' && slot.retired === undefined)
  pool.block({ why: whyHeld(fault, out), missing: out.map(({ diskId, directory }) => ({ diskId, directory, state: 'out' })) })
  return fail({ kind: 'held' })
}

async function bringUp(input: EngineInput, journal: Journal, when: 'at-start' | 'serving', fits: boolean): ReturnType<typeof replay> {
  const { index, pool, site, onReplay, clock } = input
  const onProgress = onReplay && pacedReport(clock, onReplay)
  const run = () => replay({ index, journal, site, generation: pool.view.generation, ...(onProgress && { onProgress }) })
  if (!fits) {
    index.clear()
    return run()
  }
  try {
    const replayed = await run()
    if (replayed.ok || !isIndexFault(replayed.error) || when === 'serving') return replayed
  } catch {
    // The rows that records met were no rows of ours.
    if (when === 'serving') return fail({ kind: 'index-failed' })
  }
  index.clear()
  return run()
}

const isIndexFault = (fault: ReplayFault): boolean => fault.kind === 'index-failed'

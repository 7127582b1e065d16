/**
 * The commit thread's work: takes changes in batches, decides and applies each in order within one index transaction that readers cannot see, appends
 * the records to the journal, commits the index, and only then answers. One batch is in flight; the next gathers meanwhile.
 *
 * What must stay true: the index is never ahead of the journal; no answer leaves before what it says is durable, refusals included, since they may
 * rest on changes of the same batch; nothing is decided while the index is behind the journal.
 */

import type { ExtentPlace } from '../../disks/geometry.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import type { Board } from './board.ts'
import { apply } from './changes/apply.ts'
import { type ApplyContext, applyContext, type Decision } from './changes/context.ts'
import { decide, freesSpace } from './changes/decide.ts'
import { encodeRecord } from './changes/record.ts'
import type { ChangeReply, ChangeRequest, Refusal } from './changes/request.ts'
import type { StagedExtent } from './disk-stays.ts'
import type { IndexTransaction, OrderedMap } from './index/ordered-map.ts'
import { emptyState, type IndexState, readEpoch, readState, writeState } from './index/rows.ts'
import type { Journal } from './journal/journal.ts'
import type { Reservation } from './journal/reservation.ts'
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX } from './journal/terms.ts'
import { Lanes, type PendingChange } from './lanes.ts'
import { type Answer, RetryTurns } from './retry-turns.ts'
import { stagedExtent, withStaged } from './staged-shards.ts'

/** A change that does not fit even an empty batch, after room was made for it, never will. */
const EMPTY_BATCHES_MAX = 3
/** Batches may move to new segments this many times, one failing disk after the other, before they are refused. */
const MOVES_MAX = 40
const RETRY_CATCH_UP_MS = 1000

export type CommitterInput = {
  readonly index: OrderedMap
  readonly journal: Pick<Journal, 'begin' | 'append' | 'nextSequence' | 'lastClock' | 'lastChain' | 'room'>
  readonly clock: Clock
  readonly site: SiteId
  /** As the site's file says; the index may know of a newer one. */
  readonly epoch: number
  readonly board: Board
  /** Undefined while the pool may be written. */
  readonly readOnly: () => boolean
  /** The generation of the pool, for the index to remember. */
  readonly generation: () => number
  /** Space beside the journal: 'reserve' if only what frees space may be done. */
  readonly room: () => 'ample' | 'reserve'
  /** The shards of a staged extent that are durable on the disks as they are now. */
  readonly countDurable: (staged: StagedExtent) => number
  /** Whether a disk that counts as in lacks a shard of a staged extent: what refers to it is refused then, and nothing else. */
  readonly lacksShards: (staged: StagedExtent) => boolean
  /** What lost its last owner, durably. */
  readonly onFreed: (places: readonly ExtentPlace[], manifests: readonly number[]) => void
  readonly onHealListGrew: () => void
  /** Brings the index up to the journal after a failed commit. */
  readonly catchUp: () => Promise<Result<unknown, unknown>>
  /** Tells of trouble, in a sentence. */
  readonly onTrouble: (sentence: string) => void
}

type Filled = { readonly answers: Answer[]; readonly context: ApplyContext; readonly rest: readonly PendingChange[] }

export class Committer {
  readonly #input: CommitterInput
  readonly #lanes = new Lanes()
  readonly #turns: RetryTurns
  #running: Promise<void> | undefined
  #closed = false
  /** The index lacks records that are in the journal. */
  #behind = false
  /** Of the batch that is being decided. */
  #epoch = 0
  /** What the last batch could not take any more; goes first. */
  #left: readonly PendingChange[] = []
  /** Changes whose fate nobody knows, since their append failed half-way: what they staged is kept. */
  doubtful = 0

  constructor(input: CommitterInput) {
    this.#input = input
    this.#turns = new RetryTurns(input.clock)
  }

  /** A lane for one thread; `submit` takes its number. */
  addLane(): number {
    return this.#lanes.add()
  }

  submit(lane: number, request: ChangeRequest): Promise<ChangeReply> {
    const refusal = this.#refusal(request)
    if (refusal !== undefined) return Promise.resolve(fail(refusal))
    return new Promise((answer) => {
      if (!this.#lanes.push(lane, { request, bytes: requestBytes(request), answer })) return answer(fail('slow-down'))
      this.#running ??= this.#run()
    })
  }

  /** Resolves when everything that was submitted has been answered; nothing is taken afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
    this.#turns.close()
  }

  #refusal(request: ChangeRequest): Refusal | undefined {
    if (this.#closed || this.#behind) return 'unavailable'
    if (this.#input.readOnly()) return 'read-only'
    return this.lookForRoom() === 'reserve' && !freesSpace(request) ? 'full' : undefined
  }

  /** And lets all threads know. */
  lookForRoom(): 'ample' | 'reserve' {
    const { journal, room, board } = this.#input
    const found = journal.room === 'reserve' ? 'reserve' : room()
    board.noteFull(found === 'reserve')
    return found
  }

  async #run(): Promise<void> {
    // Changes that arrive together go together.
    await undefined
    while (this.#left.length > 0 || this.#lanes.count > 0) {
      const taken = this.#left.length > 0 ? this.#left : this.#lanes.take(BATCH_RECORDS_MAX, BATCH_BYTES_MAX)
      const changes = this.#onDisksAsNow(taken)
      this.#left = []
      if (changes.length === 0) continue
      const outcome = await this.#commit(changes)
      this.#turns.answer(outcome.answers)
      this.#left = outcome.rest
    }
    this.#running = undefined
  }

  /** The changes with no shard counted that went with a disk, without those that a disk which counts as in has not got. */
  #onDisksAsNow(taken: readonly PendingChange[]): PendingChange[] {
    return taken.flatMap((change) => {
      const staged = stagedExtent(change.request)
      if (staged === undefined) return change
      if (this.#input.lacksShards(staged)) {
        change.answer({ ok: false, error: 'unavailable', disksChanged: true })
        return []
      }
      const durable = this.#input.countDurable(staged)
      return durable === staged.durable ? change : { ...change, request: withStaged(change.request, { ...staged, durable }) }
    })
  }

  async #commit(changes: readonly PendingChange[]): Promise<{ answers: readonly Answer[]; rest: readonly PendingChange[] }> {
    const refuseAll = (error: Refusal, doubtful = false) => ({
      answers: changes.map((change) => ({
        change,
        reply: doubtful ? { ok: false as const, error, doubtful: true as const } : fail(error),
      })),
      rest: [],
    })
    const { journal, index } = this.#input
    let empty = 0
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      if (this.#behind) return refuseAll('unavailable')
      const begun = await journal.begin()
      if (!begun.ok) return refuseAll(begun.error)
      const batch = begun.value
      const transaction = index.begin()
      const filled = this.#tryFill(transaction, batch, changes)
      if (filled === undefined) return refuseAll('unavailable')
      if (batch.count === 0) {
        batch.cancel()
        transaction.abort()
        if (filled.answers.length > 0) return filled
        if (++empty < EMPTY_BATCHES_MAX) continue
        return { answers: [{ change: changes[0]!, reply: fail('full') }], rest: changes.slice(1) }
      }
      const appended = await journal.append(batch)
      if (appended.ok) return this.#finish(transaction, filled)
      transaction.abort()
      if (appended.error !== 'moved') {
        this.doubtful += filled.answers.length
        return refuseAll(appended.error, true)
      }
    }
    return refuseAll('unavailable', true)
  }

  /** Undefined if the index holds something impossible: nothing is decided on such ground. */
  #tryFill(transaction: IndexTransaction, batch: Reservation, changes: readonly PendingChange[]): Filled | undefined {
    try {
      return this.#fill(transaction, batch, changes)
    } catch (error) {
      batch.cancel()
      transaction.abort()
      this.#input.onTrouble(
        `A change could not be decided, ${error instanceof Error ? error.message : 'for an unknown reason'}. It is refused.`,
      )
      return undefined
    }
  }

  /** Decides and applies changes in order until the batch is full. */
  #fill(transaction: IndexTransaction, batch: Reservation, changes: readonly PendingChange[]): Filled {
    const { journal, site, clock } = this.#input
    const state = readState(transaction) ?? emptyState()
    const context = applyContext(transaction, state, site)
    const answers: Answer[] = []
    this.#epoch = Math.max(this.#input.epoch, readEpoch(transaction))
    const nowUs = clock.nowMs() * 1000
    for (const [at, change] of changes.entries()) {
      const stamp = Math.max(nowUs, Math.max(state.clock, journal.lastClock, foreignClock(change.request)) + 1)
      const decision = this.#decide(transaction, state, change.request, stamp, batch.nextSequence)
      const added = decision.kind !== 'change' || this.#add(context, batch, decision, stamp)
      if (change.request.kind === 'begin-epoch') this.#epoch = Math.max(this.#epoch, readEpoch(transaction))
      if (added) answers.push({ change, reply: replyOf(decision) })
      else return { answers, context, rest: changes.slice(at) }
    }
    return { answers, context, rest: [] }
  }

  #decide(reader: IndexTransaction, state: IndexState, request: ChangeRequest, clock: number, sequence: number): Decision {
    const { site } = this.#input
    return decide({ reader, state, site, epoch: this.#epoch, clock, sequence, nowUs: this.#input.clock.nowMs() * 1000 }, request)
  }

  /** False if the records do not fit into what is left of the batch. */
  #add(context: ApplyContext, batch: Reservation, decision: Extract<Decision, { kind: 'change' }>, clock: number): boolean {
    const encoded = decision.records.map(({ record, body }) => ({ ...encodeRecord(record), body }))
    if (!batch.fits(encoded)) return false
    for (const [at, { record, body }] of decision.records.entries()) {
      const stamp = clock + at
      const { sequence, place } = batch.add({ ...encoded[at]!, clock: stamp })
      apply(context, { sequence, clock: stamp, record, place, body })
    }
    return true
  }

  /** The records are durable: makes them visible. */
  #finish(
    transaction: IndexTransaction,
    { answers, context, rest }: Filled,
  ): { answers: readonly Answer[]; rest: readonly PendingChange[] } {
    const { journal, board, onFreed, onHealListGrew } = this.#input
    const generation = Math.max(context.state.generation, this.#input.generation())
    writeState(transaction, { ...context.state, generation, chain: journal.lastChain })
    if (!transaction.commit().ok) {
      this.#fallBehind()
      return { answers: answers.map(({ change }) => ({ change, reply: { ok: false, error: 'unavailable', doubtful: true } })), rest }
    }
    if (context.bucketsChanged) board.noteBucketsChanged()
    onFreed(context.freed, context.doomed)
    if (context.healListGrew) onHealListGrew()
    return { answers, rest }
  }

  /** The journal holds what the index does not: nothing is decided until it does. */
  #fallBehind(): void {
    this.#behind = true
    this.#input.onTrouble('The index could not be written. Writes are refused until it has caught up with the journal.')
    const attempt = async (): Promise<void> => {
      if (this.#closed) return
      if ((await this.#input.catchUp()).ok) {
        this.#behind = false
        this.#input.board.noteBucketsChanged()
      } else this.#input.clock.timer(RETRY_CATCH_UP_MS, () => void attempt())
    }
    void attempt()
  }
}

function replyOf(decision: Decision): ChangeReply {
  if (decision.kind === 'refused') return fail(decision.error)
  return decision.unused === true ? { ok: true, value: decision.value, unused: true } : ok(decision.value)
}

function foreignClock(request: ChangeRequest): number {
  if (request.kind === 'begin-epoch') return request.clock
  return request.kind === 'apply-foreign' ? request.operation.position.clock : 0
}

/** About what the records of a request will weigh. */
function requestBytes(request: ChangeRequest): number {
  switch (request.kind) {
    case 'put-object':
      return 512 + request.attributes.length + request.key.length + bodyBytes(request.content)
    case 'put-part':
      return 512 + bodyBytes(request.content)
    case 'complete-upload':
      return 512 + 128 * request.parts.length
    case 'put-documents':
      return request.documents.reduce((bytes, { content }) => bytes + 128 + (content?.length ?? 0), 128)
    case 'apply-foreign':
      return 1024 + request.evidence.length + bodyBytes(request.content)
    default:
      return 512
  }
}
const bodyBytes = (content: { readonly kind: string; readonly body?: Uint8Array } | undefined): number => content?.body?.length ?? 0

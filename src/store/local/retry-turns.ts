/**
 * When those who lost a race for a key hear of it. Writers that read, change and write back with If-Match decide nothing but who was first: of twenty that
 * are refused together and told together, all read and write again together, and nineteen lose again, for ever. So they are told by turns: one when the
 * batch is durable, the next each time that the key has changed once more, so that about two are under way and the others cost nothing.
 *
 * Nobody is told before the change that beat him is durable: he would read the key, see the old ETag, and be refused again; and after a crash he would have been
 * refused for a change that never was. Nobody waits for somebody who does not come back: where no change comes for as long as the one before took, the next is
 * told all the same, and all are after WAIT_STEPS_MAX.
 *
 * If-None-Match loses for good, and what fails though its key did not change in this batch or the one before did not lose by being simultaneous: both
 * are told at once.
 */
import type { Clock } from '../../environment.ts'
import type { ChangeReply, ChangeRequest } from './changes/request.ts'
import type { PendingChange } from './lanes.ts'

export type Answer = { readonly change: PendingChange; readonly reply: ChangeReply }

export const STEP_MS = 10
export const WAIT_STEPS_MAX = 25

type Waiting = { readonly tell: () => void; readonly sinceStep: number }
/** In steps: when somebody was told last, when the key changed last, and how long that took. */
type Queue = { readonly waiting: Waiting[]; toldAt: number; changedAt: number; pace: number }

export class RetryTurns {
  readonly #clock: Clock
  /** By key. Together they are as many as requests that wait for their answers. */
  readonly #queues = new Map<string, Queue>()
  /** Keys that the last batch changed, and whether somebody was told of that. */
  #changedBefore: ReadonlyMap<string, boolean> = new Map()
  #step = 0
  #cancel: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The answers of one batch, in the order in which they were decided, now that they are true. */
  answer(answers: readonly Answer[]): void {
    const changed = new Map<string, boolean>()
    for (const { change, reply } of answers) {
      const key = keyOf(change.request)
      if (key !== undefined && reply.ok) changed.set(key, false)
      const isContended = key !== undefined && (changed.has(key) || this.#changedBefore.has(key) || this.#queues.has(key))
      if (isContended && hasLostRace(change.request, reply)) this.#wait(key, () => change.answer(reply))
      else change.answer(reply)
    }
    for (const key of changed.keys()) changed.set(key, this.#tellNext(key))
    for (const [key, told] of this.#changedBefore) if (!told && !changed.has(key)) this.#tellNext(key)
    this.#changedBefore = changed
    if (this.#queues.size > 0) this.#cancel ??= this.#clock.timer(STEP_MS, () => this.#takeStep())
  }

  /** Tells all. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
    for (const { waiting } of this.#queues.values()) for (const { tell } of waiting) tell()
    this.#queues.clear()
  }

  #wait(key: string, tell: () => void): void {
    const queue = this.#queues.get(key) ?? { waiting: [], toldAt: this.#step, changedAt: this.#step, pace: 1 }
    this.#queues.set(key, queue)
    queue.waiting.push({ tell, sinceStep: this.#step })
  }

  #tellNext(key: string): boolean {
    const queue = this.#queues.get(key)
    if (queue === undefined) return false
    queue.pace = Math.max(1, this.#step - queue.changedAt)
    queue.changedAt = this.#step
    queue.toldAt = this.#step
    queue.waiting.shift()?.tell()
    if (queue.waiting.length === 0) this.#queues.delete(key)
    return true
  }

  #takeStep(): void {
    this.#cancel = undefined
    this.#step++
    for (const [key, queue] of this.#queues) {
      const { waiting } = queue
      const next = waiting.findIndex(({ sinceStep }) => this.#step - sinceStep < WAIT_STEPS_MAX)
      const over = next < 0 ? waiting.length : next
      const isDue = this.#step - queue.toldAt > queue.pace
      const told = waiting.splice(0, Math.max(over, isDue ? 1 : 0))
      if (told.length > 0) queue.toldAt = this.#step
      for (const { tell } of told) tell()
      if (waiting.length === 0) this.#queues.delete(key)
    }
    if (this.#queues.size > 0) this.#cancel = this.#clock.timer(STEP_MS, () => this.#takeStep())
  }
}

/** Of changes of a key's current version. */
function keyOf(request: ChangeRequest): string | undefined {
  const changesKey = request.kind === 'put-object' || request.kind === 'complete-upload' || request.kind === 'delete-object'
  return changesKey ? `${request.bucketId}/${request.key}` : undefined
}

const hasLostRace = (request: ChangeRequest, reply: ChangeReply): boolean =>
  !reply.ok && reply.error === 'precondition-failed' && 'condition' in request && request.condition?.kind === 'etag'

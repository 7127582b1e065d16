/** The bounded queue before the commit thread: one lane per thread that asks, drawn from in turn, so that a busy one does not keep the others waiting. */
import type { ChangeReply, ChangeRequest } from './changes/request.ts'

export type PendingChange = { readonly request: ChangeRequest; readonly bytes: number; readonly answer: (reply: ChangeReply) => void }

export const QUEUED_CHANGES_MAX = 8192
export const QUEUED_BYTES_MAX = 64 * 1024 * 1024

export class Lanes {
  readonly #lanes: PendingChange[][] = []
  #turn = 0
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  add(): number {
    return this.#lanes.push([]) - 1
  }

  /** False if the queue is full. */
  push(lane: number, change: PendingChange): boolean {
    if (this.#count >= QUEUED_CHANGES_MAX || this.#bytes + change.bytes > QUEUED_BYTES_MAX) return false
    this.#lanes[lane]!.push(change)
    this.#count++
    this.#bytes += change.bytes
    return true
  }

  /** Up to `max` changes of about `bytesMax` together (at least one), a few of each lane in turn; in order within a lane. */
  take(max: number, bytesMax: number): PendingChange[] {
    const taken: PendingChange[] = []
    let bytes = 0
    const share = Math.max(1, Math.ceil(max / Math.max(1, this.#lanes.length)))
    while (taken.length < max && this.#count > 0) {
      const lane = this.#lanes[this.#turn++ % this.#lanes.length]!
      let used = 0
      while (used < lane.length && used < share && taken.length < max) {
        const next = lane[used]!
        if (taken.length > 0 && bytes + next.bytes > bytesMax) break
        taken.push(next)
        bytes += next.bytes
        used++
      }
      const stopped = used < lane.length && used < share && taken.length < max
      lane.splice(0, used)
      this.#count -= used
      if (stopped) break
    }
    this.#bytes -= bytes
    return taken
  }
}

/**
 * A world in which everything that happens follows from one number: time, chance, the order in which operations complete, and what a
 * power cut leaves. Nothing here touches the machine; virtual time stands still while code computes.
 *
 * `await world.run(promise)` lets time pass until the promise settles. Between two events every continuation that is ready has run to
 * its next wait, so an event is the smallest step at which the power can fail.
 *
 * A process ends in `powerCut()` (disks lose what was not synced) or `kill()` (kill -9: the kernel's cache stays). Either way nothing that
 * the dead process waited for ever completes, and `run` rejects with ProcessDied. Open the disks again (`disk.reopen()`) and start anew.
 */
import type { Clock, Random } from '../../src/environment.ts'
import { Chance } from './chance.ts'
import { type DiskOptions, SimulatedDisk } from './simulated-disk.ts'

export class ProcessDied extends Error {
  override readonly name = 'ProcessDied'
}

/** What is still to happen to an operation of a disk. */
export type SimulatedEvent = {
  readonly happen: () => void
  /** The process ended first: whether and how far the operation reached the disk. */
  readonly interrupted?: (how: Death) => void
}
export type Death = 'power-cut' | 'kill'

type Scheduled = SimulatedEvent & { readonly atUs: number; readonly order: number; taken: boolean }

/** A simulated hour; whoever needs longer is stuck. */
const RUN_US_MAX = 3_600_000_000
const START_MS = Date.UTC(2030, 0, 1)

export class SimulatedWorld {
  readonly seed: number
  /** For tests: what to do next. Independent of the streams that decide latencies and ids. */
  readonly chance: Chance
  readonly clock: Clock
  readonly random: Random
  readonly disks: SimulatedDisk[] = []
  /** Events that have happened. */
  events = 0
  readonly #schedule: Chance
  readonly #queue: Scheduled[] = []
  #order = 0
  #nowUs = 0
  #wallOffsetMs = START_MS
  #deaths = 0
  #deathAfter: { events: number; how: Death } | undefined

  constructor(seed: number) {
    this.seed = seed
    this.chance = new Chance(seed, 1)
    this.#schedule = new Chance(seed, 2)
    const ids = new Chance(seed, 3)
    this.random = { bytes: (count) => ids.bytes(count) }
    this.clock = {
      nowMs: () => this.#wallOffsetMs + Math.floor(this.#nowUs / 1000),
      timer: (delayMs, then) => this.after(delayMs * 1000, { happen: then }),
    }
  }

  addDisk(directory: string, options: DiskOptions = {}): SimulatedDisk {
    const disk = SimulatedDisk.blank(this, directory, options)
    this.disks.push(disk)
    return disk
  }

  get nowUs(): number {
    return this.#nowUs
  }

  /** Sets the wall clock forward or (negative) back; timers keep their pace. */
  moveWallClock(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** Lets `event` happen after `delayUs`; the returned function takes that back. */
  after(delayUs: number, event: SimulatedEvent): () => void {
    const scheduled: Scheduled = { ...event, atUs: this.#nowUs + delayUs, order: this.#order++, taken: false }
    push(this.#queue, scheduled)
    return () => {
      scheduled.taken = true
    }
  }

  /** How long an operation of a disk takes: mostly short, sometimes long enough that everything else overtakes it. */
  latencyUs(): number {
    const kind = this.#schedule.below(64)
    return kind === 0 ? 2_000 + this.#schedule.below(50_000) : 20 + this.#schedule.below(400)
  }

  /** Power fails everywhere: each disk keeps, loses or tears what was not durable. */
  powerCut(): void {
    this.#die('power-cut')
  }

  /** The process is killed: operations under way are done or not, what was written stays. */
  kill(): void {
    this.#die('kill')
  }

  /** Ends the process `events` events from now, unless `run` is done before. */
  dieAfter(events: number, how: Death): void {
    this.#deathAfter = { events: this.events + events, how }
  }

  /** Takes `dieAfter` back. */
  live(): void {
    this.#deathAfter = undefined
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let settled = false
      let idle = 0
      const untilUs = this.#nowUs + RUN_US_MAX
      const deaths = this.#deaths
      promise.then(
        (value) => {
          settled = true
          resolve(value)
        },
        (error: unknown) => {
          settled = true
          reject(error)
        },
      )
      const stuck = (why: string): void => reject(new Error(`stuck at event ${this.events}: ${why} (seed ${this.seed})`))
      const step = (): void => {
        if (settled) return
        if (this.#deathAfter !== undefined && this.events >= this.#deathAfter.events) this.#die(this.#deathAfter.how)
        const next = this.#deaths === deaths ? this.#next() : undefined
        if (this.#deaths !== deaths) reject(new ProcessDied(`seed ${this.seed}, event ${this.events}`))
        else if (next !== undefined && next.atUs > untilUs) stuck('a simulated hour has passed')
        else if (next !== undefined) {
          idle = 0
          this.#nowUs = Math.max(this.#nowUs, next.atUs)
          this.events += 1
          next.happen()
          afterMicrotasks(this.events, step)
        } else if (++idle > 200) stuck('nothing is left to happen')
        // Real asynchronous work, such as loading WebAssembly, may be under way.
        else setImmediate(step)
      }
      afterMicrotasks(1, step)
    })
  }

  /** Lets virtual time pass. */
  sleep(ms: number): Promise<void> {
    return this.run(new Promise((resolve) => void this.clock.timer(ms, resolve)))
  }

  #next(): Scheduled | undefined {
    for (;;) {
      const next = pop(this.#queue)
      if (next === undefined || !next.taken) return next
    }
  }

  #die(how: Death): void {
    this.#deathAfter = undefined
    this.#deaths += 1
    const lost = this.#queue.splice(0).sort((a, b) => a.order - b.order)
    for (const event of lost) {
      if (!event.taken) event.interrupted?.(how)
      event.taken = true
    }
    for (const disk of this.disks) disk.processDied(how)
  }
}

/**
 * Calls `step` when every continuation that is ready has run. A tick queued by a microtask runs after all microtasks, without a turn of the
 * event loop; every 1,024th time a turn is made, so that the test runner stays alive.
 */
function afterMicrotasks(count: number, step: () => void): void {
  if (count % 1024 === 0) setImmediate(step)
  else queueMicrotask(() => process.nextTick(step))
}

// ---- A binary heap by time, then by order of scheduling ----

const before = (a: Scheduled, b: Scheduled): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order)

function push(heap: Scheduled[], event: Scheduled): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (before(heap[parent]!, event)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = event
}

function pop(heap: Scheduled[]): Scheduled | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
    if (before(last, heap[child]!)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}

/**
 * The operations of one disk on their way through the thread pool of libuv, which is one for the whole process: at most `dataLimit` of
 * the data lane and one of the journal lane are in it at once, so that a slow disk delays nobody else and uploads do not delay the journal.
 *
 * An operation that is not back in time answers 'timeout' and ends the trust in the disk. Its thread stays taken until the kernel gives it
 * back, so its place in the lane does too. Time is counted in eighths of the limit, by a timer that begins anew after each: when the whole
 * process stood still (SIGSTOP, a paused machine), only one eighth has passed, and completed operations are seen before the next.
 *
 * The queue is as long as its callers are many: each waits for its operations, and their number is bounded where requests are accepted.
 */
import type { Clock } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { DiskFault, Lane } from './disk.ts'

export type DiskQueueOptions = { readonly clock: Clock; readonly dataLimit: number; readonly timeLimitMs: number }

/** Node's way to say how a system call went. */
export type SystemError = { readonly code?: string | undefined }
export type Back<T> = (error: SystemError | DiskFault | null, value?: T) => void
/** Starts a system call, or several one after another, and calls back once: with an error, a fault, or the value. */
export type Call<T> = (back: Back<T>) => void

type Job = {
  readonly lane: LaneQueue
  readonly call: Call<unknown>
  readonly answer: (result: Result<unknown, DiskFault>) => void
  /** Called once, when the call is through or will never be made; not before, though its caller may have an answer by then. */
  readonly over: (() => void) | undefined
  /** It releases something, so it runs on a disk that has failed, too. */
  readonly releases: boolean
  /** An I/O error of it does not end the trust. */
  readonly forgiving: boolean
  ticks: number
  retries: number
  answered: boolean
}
type LaneQueue = { readonly limit: number; running: number; waiting: Job[]; first: number }

const TICKS = 8
const BUSY_RETRIES_MAX = 100
const BUSY_RETRY_MS = 15

export class DiskQueue {
  /** The first fault that ended the trust. */
  failed: DiskFault | undefined
  readonly #options: DiskQueueOptions
  readonly #lanes: Record<Lane, LaneQueue>
  readonly #running = new Set<Job>()
  #watched = false

  constructor(options: DiskQueueOptions) {
    this.#options = options
    this.#lanes = { data: lane(options.dataLimit), journal: lane(1) }
  }

  /** The kernel is through with every call. */
  get quiet(): boolean {
    return this.#running.size === 0
  }

  /** `over` is called once, when the kernel is through with the call or the call will never be made. */
  run<T>(lane: Lane, call: Call<T>, over?: () => void, options?: { readonly forgiving: boolean }): Promise<Result<T, DiskFault>> {
    if (this.failed !== undefined) {
      over?.()
      return Promise.resolve(fail('gone'))
    }
    return new Promise((resolve) => {
      // The call answers with T, and only with its own.
      this.#enqueue(lane, call as Call<unknown>, resolve as Job['answer'], over, {
        releases: false,
        forgiving: options?.forgiving === true,
      })
    })
  }

  /** Runs when its turn comes, whatever happened to the disk; nobody waits for it. */
  release(lane: Lane, call: Call<void>): void {
    this.#enqueue(lane, call as Call<unknown>, () => {}, undefined, { releases: true, forgiving: false })
  }

  /** Ends the trust: what waits answers 'gone', what comes later too. */
  distrust(fault: DiskFault): void {
    this.failed ??= fault
    for (const lane of Object.values(this.#lanes)) {
      const waiting = lane.waiting.slice(lane.first)
      lane.waiting = waiting.filter((job) => job.releases)
      lane.first = 0
      for (const job of waiting) if (!job.releases) this.#drop(job)
    }
  }

  #drop(job: Job): void {
    job.over?.()
    job.answer(fail('gone'))
  }

  #enqueue(name: Lane, call: Call<unknown>, answer: Job['answer'], over: Job['over'], kind: Pick<Job, 'releases' | 'forgiving'>): void {
    const lane = this.#lanes[name]
    const job: Job = { lane, call, answer, over, ...kind, ticks: 0, retries: 0, answered: false }
    if (lane.running < lane.limit) this.#start(job)
    else lane.waiting.push(job)
  }

  #start(job: Job): void {
    job.lane.running += 1
    this.#running.add(job)
    if (!this.#watched) this.#watch()
    this.#call(job)
  }

  #call(job: Job): void {
    job.call((error, value) => {
      if (isBusy(error) && ++job.retries <= BUSY_RETRIES_MAX && !job.answered) {
        this.#options.clock.timer(BUSY_RETRY_MS, () => this.#call(job))
        return
      }
      this.#running.delete(job)
      job.lane.running -= 1
      job.over?.()
      this.#answer(job, error, value)
      this.#startNext(job.lane)
    })
  }

  #answer(job: Job, error: SystemError | DiskFault | null, value: unknown): void {
    if (job.answered) return
    job.answered = true
    const fault = error === null ? undefined : typeof error === 'string' ? error : diskFault(error)
    if (fault === 'io' && typeof error !== 'string' && !job.forgiving) this.distrust(fault)
    // What a disk says that failed meanwhile counts for nothing.
    if (fault === undefined && this.failed !== undefined) job.answer(fail('gone'))
    else job.answer(fault === undefined ? ok(value) : fail(fault))
  }

  #startNext(lane: LaneQueue): void {
    const job = lane.waiting[lane.first]
    if (job === undefined) return
    lane.first += 1
    if (lane.first === lane.waiting.length || lane.first > 1000) {
      lane.waiting = lane.waiting.slice(lane.first)
      lane.first = 0
    }
    this.#start(job)
  }

  #watch(): void {
    this.#watched = true
    this.#options.clock.timer(this.#options.timeLimitMs / TICKS, () => {
      this.#watched = false
      let waitsFor = 0
      for (const job of this.#running) {
        if (++job.ticks < TICKS) waitsFor += 1
        else if (!job.answered) {
          job.answered = true
          const fault = this.failed === undefined ? 'timeout' : 'gone'
          this.distrust('timeout')
          job.answer(fail(fault))
        }
      }
      if (waitsFor > 0 && !this.#watched) this.#watch()
    })
  }
}

const lane = (limit: number): LaneQueue => ({ limit, running: 0, waiting: [], first: 0 })

/** The process is short of something for a moment; the disk is not to blame. */
function isBusy(error: SystemError | DiskFault | null): boolean {
  if (error === null || typeof error === 'string') return false
  return error.code === 'EMFILE' || error.code === 'ENFILE' || error.code === 'ENOMEM' || error.code === 'EAGAIN' || error.code === 'EINTR'
}

function diskFault(error: SystemError): DiskFault {
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
    // Still short after all retries: as good as full, and the disk stays trusted.
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'EAGAIN':
    case 'EINTR':
      return 'full'
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
      return 'not-found'
    case 'EEXIST':
    case 'ENOTEMPTY':
      return 'exists'
    default:
      return 'io'
  }
}

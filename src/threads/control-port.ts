/** The engine's `SiteControl`, asked from the main thread. */
import type { MessagePort } from 'node:worker_threads'
import type { DisksGivenUp, EngineStatus, HealProgress, ReplaceRequest, ScrubRefusal, ScrubReport, SiteControl } from '../admin/control.ts'
import type { Result } from '../result.ts'

type ScrubOptions = { readonly bytesPerSecond?: number }

type Ask =
  | { readonly number: number; readonly call: 'scrub'; readonly options: ScrubOptions }
  /** Nobody waits for what was asked under this number any more. */
  | { readonly number: number; readonly call: 'stop' }
  | { readonly number: number; readonly call: 'status' }
  | { readonly number: number; readonly call: 'replace-disk'; readonly request: ReplaceRequest }
  | { readonly number: number; readonly call: 'retire-disks'; readonly directories: readonly string[]; readonly giveUp: string | undefined }
  | { readonly number: number; readonly call: 'begin-epoch'; readonly epoch: number; readonly clock: number }
type Answer = { readonly number: number } & (
  | { readonly progress: HealProgress }
  | { readonly value: unknown }
  | { readonly thrown: string }
)

export class ControlPort implements SiteControl {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #nextNumber = 0

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (answer: Answer) => this.#waiting.get(answer.number)?.(answer))
  }

  status(): Promise<EngineStatus> {
    return this.#ask<EngineStatus>((number) => ({ number, call: 'status' }))
  }

  replaceDisk(request: ReplaceRequest, progress: (step: HealProgress) => void): Promise<Result<void, string>> {
    return this.#ask<Result<void, string>>((number) => ({ number, call: 'replace-disk', request }), progress)
  }

  scrub(options: ScrubOptions, progress: (step: HealProgress) => void, signal: AbortSignal): Promise<Result<ScrubReport, ScrubRefusal>> {
    return this.#ask<Result<ScrubReport, ScrubRefusal>>((number) => {
      signal.addEventListener('abort', () => this.#send({ number, call: 'stop' }))
      return { number, call: 'scrub', options }
    }, progress)
  }

  retireDisks(directories: readonly string[], giveUp: string | undefined): Promise<Result<DisksGivenUp, string>> {
    return this.#ask<Result<DisksGivenUp, string>>((number) => ({ number, call: 'retire-disks', directories, giveUp }))
  }

  beginEpoch(epoch: number, clock: number): Promise<Result<void, unknown>> {
    return this.#ask<Result<void, unknown>>((number) => ({ number, call: 'begin-epoch', epoch, clock }))
  }

  #ask<T>(make: (number: number) => Ask, progress?: (step: HealProgress) => void): Promise<T> {
    const number = this.#nextNumber++
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, (answer) => {
        if ('progress' in answer) {
          progress?.(answer.progress)
          return
        }
        this.#waiting.delete(number)
        if ('thrown' in answer) reject(new Error(answer.thrown))
        else resolve(answer.value as T)
      })
      this.#send(make(number))
    })
  }

  #send(ask: Ask): void {
    this.#port.postMessage(ask)
  }
}

/** The commit thread's side. */
export function serveControl(port: MessagePort, control: SiteControl): void {
  const send = (answer: Answer): void => port.postMessage(answer)
  const underWay = new Map<number, AbortController>()
  const run = (ask: Exclude<Ask, { readonly call: 'stop' }>, signal: AbortSignal): Promise<unknown> => {
    const progress = (progress: HealProgress): void => send({ number: ask.number, progress })
    switch (ask.call) {
      case 'status':
        return control.status()
      case 'scrub':
        return control.scrub(ask.options, progress, signal)
      case 'replace-disk':
        return control.replaceDisk(ask.request, progress)
      case 'retire-disks':
        return control.retireDisks(ask.directories, ask.giveUp)
      case 'begin-epoch':
        return control.beginEpoch(ask.epoch, ask.clock)
    }
  }
  port.on('message', (ask: Ask) => {
    const { number } = ask
    if (ask.call === 'stop') {
      underWay.get(number)?.abort()
      return
    }
    const stop = new AbortController()
    underWay.set(number, stop)
    run(ask, stop.signal)
      .finally(() => underWay.delete(number))
      .then(
        (value) => send({ number, value }),
        (error: unknown) => send({ number, thrown: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      )
  })
}

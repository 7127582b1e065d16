/** Changes of who is in, one after the other: what is asked while one is under way goes into the next one together. */
import { fail, type Result } from '../result.ts'
import type { Draft } from './pool-roster.ts'
import type { PoolView } from './pool-view.ts'

export type ChangeFault = 'too-few-disks' | 'read-only'
export type Refused = ChangeFault | 'not-possible'

/** Changes the members as they will be; a fault takes back nothing, so it decides first. */
export type Edit = (draft: Draft) => Refused | undefined

/** Why a generation is written even if the members stay as they are: it is the first, or a disk has lost its copy of it. */
export type Purpose = 'begins' | 'again'

type Change = { readonly edit: Edit; readonly purpose: Purpose | undefined; readonly answer: (result: Result<PoolView, Refused>) => void }

export class PoolChanges {
  readonly #begin: () => Draft
  readonly #settle: (draft: Draft, asked: ReadonlySet<Purpose>) => Promise<Result<PoolView, ChangeFault>>
  readonly #waiting: Change[] = []
  #working = false

  /** `settle`: makes a draft durable. */
  constructor(begin: () => Draft, settle: (draft: Draft, asked: ReadonlySet<Purpose>) => Promise<Result<PoolView, ChangeFault>>) {
    this.#begin = begin
    this.#settle = settle
  }

  get underWay(): boolean {
    return this.#working
  }

  add(edit: Edit, purpose?: Purpose): Promise<Result<PoolView, Refused>> {
    return new Promise((answer) => {
      this.#waiting.push({ edit, answer, purpose })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    // What is asked in the same turn goes into one generation.
    await undefined
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0)
      const draft = this.#begin()
      const accepted = batch.filter((change) => {
        const fault = change.edit(draft)
        if (fault !== undefined) change.answer(fail(fault))
        return fault === undefined
      })
      const result = await this.#settle(draft, new Set(accepted.flatMap(({ purpose }) => purpose ?? [])))
      for (const change of accepted) change.answer(result)
    }
    this.#working = false
  }
}

/** Work that must not be done twice at a time: each begins when the one before has ended, in the order in which they came. */
export class Turns {
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  /** Whether whoever comes now has to wait. */
  get taken(): boolean {
    return this.#waiting > 0
  }

  /** Undefined if `signal` was aborted before its turn came: nothing was done. */
  async take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
    const before = this.#last
    const { promise: over, resolve: end } = Promise.withResolvers<void>()
    this.#last = over
    this.#waiting += 1
    try {
      await before
      return signal?.aborted === true ? undefined : await work()
    } finally {
      this.#waiting -= 1
      end()
    }
  }
}

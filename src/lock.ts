/** Lets one at a time go on, in the order of asking. */
export class Lock {
  #last: Promise<void> = Promise.resolve()
  #asked = 0

  /** Whether whoever asks now has to wait. */
  get isTaken(): boolean {
    return this.#asked > 0
  }

  /** Resolves to what ends the turn; that is called once. */
  async take(): Promise<() => void> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    this.#asked += 1
    await before
    return () => {
      this.#asked -= 1
      resolve()
    }
  }
}

/** Lets one at a time go on, in the order of asking. */
export class Lock {
  #last: Promise<void> = Promise.resolve()

  /** Resolves to what ends the turn. */
  async take(): Promise<() => void> {
    const before = this.#last
    let end = (): void => {}
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    await before
    return end
  }
}

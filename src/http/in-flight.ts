/** The requests that a server has taken and not yet answered. */
export class InFlight {
  private count = 0
  private whenIdle: (() => void) | undefined

  begin(): void {
    this.count += 1
  }

  end(): void {
    this.count -= 1
    if (this.count === 0) this.whenIdle?.()
  }

  /** Resolves when all are answered, or after `graceMs`. */
  async settle(graceMs: number): Promise<void> {
    if (this.count === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs)
      this.whenIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

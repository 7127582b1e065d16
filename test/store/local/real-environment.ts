import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../../../src/environment.ts'

export const realClock: Clock = {
  nowMs: () => Date.now(),
  timer(delayMs, then) {
    const timer = setTimeout(then, delayMs)
    return () => clearTimeout(timer)
  },
}
export const realRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) }

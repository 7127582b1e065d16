import { expect, test } from 'vitest'
import type { ExtentPlace } from '../../src/disks/geometry.ts'
import { RUNS_MAX } from '../../src/disks/run-room.ts'
import { Chance } from '../sim/chance.ts'
import { ExtentSet, same } from './extent-set.ts'

const UPLOADS = 3 * RUNS_MAX

test.each([
  [2, 2, 11],
  [3, 1, 12],
  [1, 0, 13],
])(
  '%i+%i: far more uploads at once than there is room for come back whole, and those broken off leave nothing (seed %i)',
  async (k, m, seed) => {
    const set = new ExtentSet(k, m, seed)
    const chance = new Chance(seed)
    const contents = Array.from({ length: UPLOADS }, (_, i) => set.content(chance.below(4_500_000)).subarray(i))
    const upload = async (content: Uint8Array, counter: number): Promise<ExtentPlace | undefined> => {
      const writer = set.extents.create(0, 3, counter)
      const breaksOffAt = counter % 3 === 0 ? chance.below(content.length + 1) : Number.POSITIVE_INFINITY
      for (let from = 0; from < content.length; ) {
        if (from >= breaksOffAt) {
          await writer.abort()
          return undefined
        }
        const bytes = 1 + chance.below(700_000)
        const written = writer.write(content.subarray(from, from + bytes))
        from += bytes
        // Some are broken off while they wait.
        if (from < breaksOffAt || chance.below(2) === 0) await written
      }
      const finished = await writer.finish()
      if (!finished.ok) throw new Error(finished.error)
      return finished.value.place
    }
    const places = await set.world.run(Promise.all(contents.map(upload)))
    for (const [i, place] of places.entries()) {
      if (place !== undefined) expect(same(await set.read(place), contents[i]!), `upload ${i}`).toBe(true)
    }
    const whole = places.filter((place) => place !== undefined)
    expect(whole.length).toBeGreaterThan(UPLOADS / 2)
    expect(set.files().length).toBe(whole.length * (k + m))
    // There is room again.
    const next = set.content(3_000_000)
    expect(same(await set.read(await set.store(next)), next)).toBe(true)
  },
)

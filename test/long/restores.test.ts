/** Two sites that write, delete, exchange and are restored from older copies, in any order: in the end both have the same, and nothing that both had had is lost. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { listing, newPath, type TestSite, twoSites, value } from '../federation/sites.ts'

/** A small generator, so that a seed is a story. Source: Marsaglia, "Xorshift RNGs". */
function dice(seed: number): (sides: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return (sides) => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % sides
  }
}

/** Whether it was taken; a refusal is part of the story. */
async function carried(from: TestSite, to: TestSite, options: { readonly full: boolean } = { full: false }): Promise<string> {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const exported = await from.export(to, out, options)
  if (!exported.ok) return exported.error.kind
  if (exported.value.bundle === null) return 'nothing'
  const imported = await to.import(out, { receiptFile })
  // What the sentence asks for.
  if (!imported.ok && ['content-needed', 'gap'].includes(imported.error.kind) && !options.full) return carried(from, to, { full: true })
  if (!imported.ok) return imported.error.kind
  const acknowledged = await from.acknowledge(readFileSync(receiptFile, 'utf8'))
  return acknowledged.ok ? 'taken' : acknowledged.error.kind
}

class Story {
  readonly roll: (sides: number) => number
  readonly sites: readonly [TestSite, TestSite]
  readonly told: string[] = []
  readonly #copies = new Map<TestSite, string>()
  readonly #removed = new Set<string>()
  /** Versions that both sites had at some time. */
  readonly #shared = new Set<string>()
  readonly #restored = new Set<TestSite>()

  constructor(seed: number, a: TestSite, b: TestSite) {
    this.roll = dice(seed)
    this.sites = [a, b]
  }

  async step(): Promise<void> {
    const at = this.roll(2)
    const site = this.sites[at]!
    const other = this.sites[1 - at]!
    const name = `${site.name}: `
    const key = `k${this.roll(4)}`
    const bucket = this.roll(2) === 0 ? 'kept' : 'plain'
    const what = this.roll(20)
    if (what < 8) {
      await site.put(bucket, key, `${this.told.length} of ${site.name}`)
      this.told.push(`${name}put ${bucket}/${key}`)
    } else if (what < 10) {
      await site.remove(bucket, key)
      this.told.push(`${name}delete ${bucket}/${key}`)
    } else if (what < 12) await this.#removeVersion(site, bucket)
    else if (what < 13) {
      this.#copies.set(site, await site.copied())
      this.told.push(`${name}copied`)
    } else if (what < 14) await this.#restore(site)
    else if (what < 15 && this.#restored.delete(site)) {
      value(await site.newEpoch())
      this.told.push(`${name}new epoch`)
    } else {
      this.told.push(`${name}sends: ${await carried(site, other)}`)
      await this.#noteShared()
    }
  }

  async end(): Promise<void> {
    for (const site of this.#restored) {
      value(await site.newEpoch())
      this.told.push(`${site.name}: new epoch`)
    }
    const [a, b] = this.sites
    for (let round = 0; round < 8; round++) {
      const [there, back] = [await carried(a, b), await carried(b, a)]
      this.told.push(`round ${round}: ${there}, ${back}`)
      // A site may learn only here that there was a later epoch of it, before it was restored.
      for (const [site, said] of [
        [a, back],
        [b, there],
      ] as const)
        if (said === 'ahead-of-us' || said === 'stopped') value(await site.newEpoch())
      for (const [site, said] of [
        [a, there],
        [b, back],
      ] as const)
        if (said === 'conflicting-history' || said === 'earlier-epoch' || said === 'stopped') value(await site.newEpoch())
      if (there === 'nothing' && back === 'nothing') break
    }
    expect(await listing(a)).toEqual(await listing(b))
    const now = new Set(await this.#versions(a))
    expect([...this.#shared].filter((version) => !now.has(version) && !this.#removed.has(version))).toEqual([])
  }

  async #removeVersion(site: TestSite, bucket: string): Promise<void> {
    const all = (await this.#versions(site)).filter((version) => version.startsWith(`${bucket}/`))
    const chosen = all[this.roll(Math.max(1, all.length))]
    if (chosen === undefined) return
    const [, key = '', versionId = ''] = chosen.split('/')
    await site.remove(bucket, key, versionId)
    this.#removed.add(chosen)
    this.told.push(`${site.name}: delete version ${chosen}`)
  }

  async #restore(site: TestSite): Promise<void> {
    const copy = this.#copies.get(site)
    if (copy === undefined) return
    await site.restore(copy)
    this.#restored.add(site)
    // What the other one does not have is gone with what this one had.
    const left = new Set(await this.#versions(this.sites.find((each) => each !== site)!))
    for (const version of this.#shared) if (!left.has(version)) this.#shared.delete(version)
    this.told.push(`${site.name}: restored`)
  }

  async #noteShared(): Promise<void> {
    const [a, b] = this.sites
    const there = new Set(await this.#versions(b))
    // Null versions give way to others; those of the versioned bucket stay until they are removed by name.
    for (const version of await this.#versions(a)) if (version.startsWith('kept/') && there.has(version)) this.#shared.add(version)
  }

  async #versions(site: TestSite): Promise<string[]> {
    return (await listing(site)).flatMap((line) => {
      const [, bucket, fields] = /^([a-z]+)\/(\[.*)$/.exec(line) ?? []
      if (fields === undefined) return []
      const [key, versionId] = JSON.parse(fields) as [string, string]
      return [`${bucket}/${key}/${versionId}`]
    })
  }
}

const SEEDS = (process.env.HOLDFAST_SEEDS ?? '1,4,6').split(',').map(Number)

test.each(SEEDS)(
  'story %i ends with the same at both sites, and with all that both had had',
  async (seed) => {
    const { a, b } = await twoSites()
    await a.make('kept', 'enabled')
    await a.make('plain')
    await carried(a, b)
    const story = new Story(seed, a, b)
    try {
      for (let step = 0; step < 50; step++) await story.step()
      await story.end()
    } catch (error) {
      throw new Error(`seed ${seed}:\n${story.told.join('\n')}`, { cause: error })
    } finally {
      await a.close()
      await b.close()
    }
  },
  120_000,
)

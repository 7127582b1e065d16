/** Another site that removes versions here, and the operator who brings them back or gives them up. */
import { ok, type Result } from '../../src/result.ts'
import type { HiddenVersion } from '../../src/store/federation-store.ts'
import type { Origin } from '../../src/store/operation.ts'
import type { Store } from '../../src/store/store.ts'
import type { Bucket, Position, SiteId } from '../../src/store/terms.ts'
import type { Chance } from './chance.ts'
import { afterRemoving, type Fact, type KeyState, type ModelKey, placeOf, type StoreModel } from './store-model.ts'

const PEER = 'e'.repeat(32) as SiteId

type Settle = (key: ModelKey, after: KeyState, call: () => Promise<Result<KeyState, unknown>>) => Promise<void>

export class StorePeer {
  readonly #model: StoreModel
  readonly #store: Store
  readonly #chance: Chance
  readonly #bucketOf: (key: ModelKey) => Bucket['id']
  readonly #settle: Settle

  constructor(input: { model: StoreModel; store: Store; chance: Chance; bucketOf: (key: ModelKey) => Bucket['id']; settle: Settle }) {
    this.#model = input.model
    this.#store = input.store
    this.#chance = input.chance
    this.#bucketOf = input.bucketOf
    this.#settle = input.settle
  }

  async remove(key: ModelKey): Promise<void> {
    const fact = key.state.length === 0 ? undefined : this.#chance.pick(key.state)
    const version = fact && (await this.#store.findVersion(this.#bucketOf(key), key.key, fact.versionId))
    if (fact?.versionId === undefined || version === undefined) return
    const { versionId } = fact
    const number = ++this.#model.peerOperations
    // Its stamp counts for nothing here, and must not be far ahead of a clock that was set back.
    const position: Position = { clock: number, site: PEER, sequence: number }
    const change = { kind: 'delete-version', key: key.key, versionId, target: version.position } as const
    const place = placeOf(version.position)
    this.#model.removed.set(place, fact)
    const after = afterRemoving(key.state, versionId)
    await this.#settle(key, after, async () => {
      const applied = await this.#store.federation.applyForeign({
        bucketId: this.#bucketOf(key),
        from: `${PEER}/1` as Origin,
        operation: { number, position, frontier: {}, change },
        digest: new Uint8Array(48).fill(number),
        evidence: new Uint8Array(0),
      })
      if (applied.ok) this.#model.hidden.add(place)
      return applied.ok ? ok(after) : applied
    })
  }

  async giveBack(key: ModelKey): Promise<void> {
    const hidden = await this.#hidden(key)
    const fact = hidden && this.#model.removed.get(placeOf(hidden.position))
    // Two null versions at once are what merge.test.ts is about.
    if (hidden === undefined || fact === undefined || (hidden.wasNull && key.state.some(({ versionId }) => versionId === 'null'))) return
    const bucketId = this.#bucketOf(key)
    let newer = 0
    for (const { versionId } of key.state) {
      const other = await this.#store.findVersion(bucketId, key.key, versionId)
      if (other === undefined) return
      if (isNewer(other.position, hidden.position)) newer += 1
    }
    const back: Fact = { ...fact, versionId: hidden.wasNull ? 'null' : undefined }
    const after = [...key.state.slice(0, newer), back, ...key.state.slice(newer)]
    this.#model.hidden.delete(placeOf(hidden.position))
    await this.#settle(key, after, async () => {
      const returned = await this.#store.federation.returnVersion(hidden, this.#chance.oneIn(2) ? 'on-top' : 'in-old-place')
      if (!returned.ok) return returned
      if (!returned.value) throw new Error(`${key.bucket}/${key.key}: what is hidden cannot be brought back`)
      const listed = await this.#store.listVersions({ bucketId, prefix: key.key, delimiter: '', after: '', max: 1000 })
      const ids = listed.entries.filter((entry) => entry.key === key.key).map(({ versionId }) => versionId)
      return ok(after.map((each, i) => ({ ...each, versionId: ids[i] })))
    })
  }

  async forget(key: ModelKey): Promise<void> {
    const hidden = await this.#hidden(key)
    if (hidden === undefined) return
    this.#model.hidden.delete(placeOf(hidden.position))
    await this.#store.federation.dropHidden([hidden])
  }

  async #hidden(key: ModelKey): Promise<HiddenVersion | undefined> {
    const all = await this.#store.federation.listHidden(undefined, 1000)
    const ofKey = all.filter((one) => one.bucketId === this.#bucketOf(key) && one.key === key.key)
    return ofKey.length === 0 ? undefined : this.#chance.pick(ofKey)
  }
}

const isNewer = (a: Position, b: Position): boolean =>
  a.clock !== b.clock ? a.clock > b.clock : a.site !== b.site ? a.site > b.site : a.sequence > b.sequence

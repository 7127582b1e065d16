/** A site in a world of its own with clients at work, for cases that are told step by step. */
import { expect } from 'vitest'
import { describeReadOnly } from '../../src/disks/read-only.ts'
import type { Bucket, SiteId } from '../../src/store/terms.ts'
import { contents } from './history.ts'
import { SimulatedEnclave } from './simulated-enclave.ts'
import { checkStore } from './store-check.ts'
import { makeBuckets, StoreClients } from './store-clients.ts'
import { type ModelBucket, StoreModel } from './store-model.ts'

/** A site, its clients, and the model of what they were told. */
export class Case {
  readonly enclave: SimulatedEnclave
  readonly model: StoreModel
  readonly buckets: ReadonlyMap<ModelBucket, Bucket>

  private constructor(enclave: SimulatedEnclave, buckets: ReadonlyMap<ModelBucket, Bucket>, model = new StoreModel()) {
    this.enclave = enclave
    this.buckets = buckets
    this.model = model
  }

  /** A site that runs and holds what the model says. */
  static at(enclave: SimulatedEnclave, model: StoreModel, buckets: ReadonlyMap<ModelBucket, Bucket>): Case {
    return new Case(enclave, buckets, model)
  }

  static async of(seed: number, disks: number, parity: number, site?: SiteId): Promise<Case> {
    const enclave = await SimulatedEnclave.make({ seed, disks, parity, ...(site && { site }) })
    const buckets = await enclave.run(makeBuckets(enclave.store))
    if (buckets === undefined) throw new Error('no buckets could be made')
    return new Case(enclave, buckets)
  }

  /** Clients work; answers how many changes went well. 'may-fail': what they read may be unavailable. */
  async work(operations = 30, how?: 'may-fail'): Promise<number> {
    const { enclave, model, buckets } = this
    const clients = new StoreClients({ model, store: enclave.store, world: enclave.world, buckets })
    clients.mayFail = how === 'may-fail'
    await enclave.run(clients.work(3, operations))
    return clients.counts.done
  }

  async check(label: string, where = this.enclave): Promise<void> {
    const doubts = where === this.enclave ? 'resolved' : 'kept'
    await where.run(checkStore(where.store, this.model, this.buckets, { label, doubts }))
  }

  async endAndStart(how: 'power-cut' | 'kill', present?: readonly number[]): Promise<void> {
    this.enclave.die(how)
    this.model.release()
    await this.enclave.restart(present === undefined ? {} : { present })
  }

  /** All that is listed and named is as acknowledged, and every content that can be read; answers how many cannot for want of disks. */
  async checkServed(label: string, model = this.model): Promise<number> {
    return this.enclave.run(checkStore(this.enclave.store, model, this.buckets, { label, doubts: 'kept', mayLack: true }))
  }

  /** Every change is refused as of a site that may only be read. */
  async expectRefused(): Promise<void> {
    const { store } = this.enclave
    const bucketId = this.buckets.get('kept')!.id
    const attributes = { etag: 'e', headers: {}, userMetadata: [], tags: [] }
    for (const bytes of [10, 300_000]) {
      const writer = store.stage(bytes)
      await this.enclave.run(Promise.resolve(writer.write(new Uint8Array(bytes))))
      const staged = await this.enclave.run(writer.finish())
      const content = staged.ok ? ({ kind: 'staged', staged: staged.value } as const) : undefined
      const put = content === undefined ? staged : await this.enclave.run(store.putObject({ bucketId, key: 'new', attributes, content }))
      expect(put).toMatchObject({ ok: false, error: 'read-only' })
    }
    expect(await this.enclave.run(store.deleteObject({ bucketId, key: 'a0' }))).toMatchObject({ ok: false, error: 'read-only' })
  }

  /** Everything that is on the disks and in the index, to be compared. */
  bytes(): unknown {
    return contents(this.enclave)
  }

  get readOnly(): string | undefined {
    const { readOnly } = this.enclave.engine.pool.view
    return readOnly && describeReadOnly(readOnly)
  }
}

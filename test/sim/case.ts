/** A site in a simulated world with clients at work: what cases with a name of their own begin with. */
import type { Bucket } from '../../src/store/terms.ts'
import { SimulatedEnclave } from './simulated-enclave.ts'
import { checkStore } from './store-check.ts'
import { makeBuckets, StoreClients } from './store-clients.ts'
import { type ModelBucket, StoreModel } from './store-model.ts'

/** A site, its clients, and the model of what they were told. */
export class Case {
  readonly enclave: SimulatedEnclave
  readonly model = new StoreModel()
  readonly buckets: ReadonlyMap<ModelBucket, Bucket>

  private constructor(enclave: SimulatedEnclave, buckets: ReadonlyMap<ModelBucket, Bucket>) {
    this.enclave = enclave
    this.buckets = buckets
  }

  static async of(seed: number, disks: number, parity: number): Promise<Case> {
    const enclave = await SimulatedEnclave.make({ seed, disks, parity })
    const buckets = await enclave.run(makeBuckets(enclave.store))
    if (buckets === undefined) throw new Error('no buckets could be made')
    return new Case(enclave, buckets)
  }

  /** Clients work; answers how many changes went well. */
  async work(operations = 30): Promise<number> {
    const { enclave, model, buckets } = this
    const clients = new StoreClients({ model, store: enclave.store, world: enclave.world, buckets })
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
}

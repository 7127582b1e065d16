/** Clients that use a store as S3 would, at the same time, and keep the model up to date with what they are told. */
import type { Clock } from '../../src/environment.ts'
import { ok, type Result } from '../../src/result.ts'
import type { ContentSource, Store } from '../../src/store/store.ts'
import type { Bucket, BucketName, ObjectAttributes, ObjectVersion, StoreFault, Tags } from '../../src/store/terms.ts'
import type { Chance } from './chance.ts'
import {
  afterDelete,
  afterMaking,
  afterRemoving,
  BUCKETS,
  type Content,
  contentBytes,
  contentOf,
  current,
  type Fact,
  type KeyState,
  type ModelBucket,
  type ModelKey,
  md5,
  type Piece,
  pieceBytes,
  type StoreModel,
  told,
} from './store-model.ts'
import { StorePeer } from './store-peer.ts'
import type { SimulatedWorld } from './world.ts'

/** Refusals that say for certain that nothing happened. */
const CERTAIN = new Set<unknown>([
  'slow-down',
  'read-only',
  'precondition-failed',
  'no-such-key',
  'no-such-version',
  'no-such-bucket',
  'source-gone',
])

export class StoreClients {
  readonly #model: StoreModel
  readonly #store: Store
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #buckets: ReadonlyMap<ModelBucket, Bucket>
  readonly #peer: StorePeer
  /** Changes that were answered with success, and those refused or left open. */
  readonly counts = { done: 0, refused: 0, open: 0, read: 0, unread: 0 }
  /** Where reads may fail for the time being. */
  mayFail = false

  constructor(input: { model: StoreModel; store: Store; world: SimulatedWorld; buckets: ReadonlyMap<ModelBucket, Bucket> }) {
    this.#model = input.model
    this.#store = input.store
    this.#clock = input.world.clock
    this.#chance = input.world.chance
    this.#buckets = input.buckets
    this.#peer = new StorePeer({
      ...{ model: input.model, store: input.store, chance: this.#chance },
      bucketOf: (key) => this.#bucketId(key),
      settle: (key, after, call) => this.#settle(key, after, call),
    })
  }

  /** So many clients, so many operations each. */
  async work(clients: number, operations: number): Promise<void> {
    const one = async (): Promise<void> => {
      for (let i = 0; i < operations; i++) await this.#operation()
    }
    await Promise.all(Array.from({ length: clients }, one))
  }

  async #operation(): Promise<void> {
    if (this.#chance.oneIn(25)) return this.#readSlowly()
    const key = this.#take()
    // All keys are taken or open: let others go on.
    if (key === undefined) return this.#wait()
    const lease = this.#store.lease()
    await this.#change(key)
    lease.release()
    key.busy = false
  }

  #take(): ModelKey | undefined {
    const free = this.#model.keys.filter((key) => !key.busy && key.doubt === undefined)
    if (free.length === 0) return undefined
    const key = this.#chance.pick(free)
    key.busy = true
    return key
  }

  #change(key: ModelKey): Promise<void> {
    const kind = this.#chance.below(25)
    if (kind < 8) return this.#put(key)
    if (kind < 11) return this.#read(key)
    if (kind < 13) return this.#delete(key)
    if (kind < 15) return this.#deleteVersion(key)
    if (kind < 16) return this.#putTags(key)
    if (kind < 18) return this.#copy(key)
    if (kind < 21) return this.#peer.remove(key)
    if (kind < 23) return this.#peer.giveBack(key)
    if (kind < 24) return this.#peer.forget(key)
    return this.#multipart(key)
  }

  // ---- The operations ----

  async #put(key: ModelKey): Promise<void> {
    const content = contentOf([this.#piece()])
    const staged = await this.#stage(content)
    if (staged === undefined) return
    const attributes = this.#attributes(content, this.#chance.oneIn(4) ? [['made', 'with']] : [])
    await this.#make(key, content, attributes, () =>
      this.#store.putObject({ bucketId: this.#bucketId(key), key: key.key, attributes, content: { kind: 'staged', staged } }),
    )
  }

  async #copy(key: ModelKey): Promise<void> {
    const from = this.#take()
    if (from === undefined) return
    const fact = current(from.state)
    const version = fact?.kind === 'object' ? await this.#store.findVersion(this.#bucketId(from), from.key, fact.versionId) : undefined
    if (fact?.kind === 'object' && version?.kind === 'object') {
      const attributes = { ...this.#attributes(fact.content, []), etag: fact.etag }
      const content: ContentSource = { kind: 'shared', of: version, from: 0, to: version.bytes }
      await this.#make(key, fact.content, attributes, () =>
        this.#store.putObject({ bucketId: this.#bucketId(key), key: key.key, attributes, content }),
      )
    }
    from.busy = false
  }

  async #multipart(key: ModelKey): Promise<void> {
    const bucketId = this.#bucketId(key)
    const pieces = Array.from({ length: 1 + this.#chance.below(3) }, () => this.#piece())
    const content = contentOf(pieces)
    const attributes = this.#attributes(content, [])
    const created = await this.#store.createUpload({ bucketId, key: key.key, ...attributes })
    if (!created.ok) return
    const { uploadId } = created.value
    const parts: { number: number; etag: string; bytes: number }[] = []
    for (const [i, piece] of pieces.entries()) {
      const staged = await this.#stage(contentOf([piece]))
      if (staged === undefined) return
      const part = { number: i + 1, etag: md5(pieceBytes(piece)), bytes: piece.bytes }
      const put = await this.#store.putPart({ bucketId, key: key.key, uploadId, ...part, content: { kind: 'staged', staged } })
      if (!put.ok) return
      parts.push(part)
    }
    if (this.#chance.oneIn(6)) {
      await this.#store.abortUpload(bucketId, key.key, uploadId)
      return
    }
    const etag = `${attributes.etag}-${parts.length}`
    await this.#make(key, content, { ...attributes, etag }, () =>
      this.#store.completeUpload({ bucketId, key: key.key, uploadId, parts, etag }),
    )
  }

  async #delete(key: ModelKey): Promise<void> {
    const after = afterDelete(this.#model.versioning[key.bucket], key.state)
    await this.#settle(key, after, async () => {
      const deleted = await this.#store.deleteObject({ bucketId: this.#bucketId(key), key: key.key })
      if (!deleted.ok) return deleted
      return ok(deleted.value.kind === 'marker-made' ? told(after, deleted.value.versionId!) : after)
    })
  }

  async #deleteVersion(key: ModelKey): Promise<void> {
    const { state } = key
    if (state.length === 0) return
    const { versionId } = this.#chance.pick(state)
    if (versionId === undefined) throw new Error('a version without an id')
    const after = afterRemoving(state, versionId)
    await this.#settle(key, after, async () => {
      const deleted = await this.#store.deleteObject({ bucketId: this.#bucketId(key), key: key.key, versionId })
      return deleted.ok ? ok(after) : deleted
    })
  }

  async #putTags(key: ModelKey): Promise<void> {
    const [newest, ...older] = key.state
    if (newest?.kind !== 'object') return
    const tags: Tags = [['n', String(this.#chance.below(1000))]]
    const after: KeyState = [{ ...newest, tags: JSON.stringify(tags) }, ...older]
    await this.#settle(key, after, async () => {
      const put = await this.#store.putTags({ bucketId: this.#bucketId(key), key: key.key, tags })
      return put.ok ? ok(after) : put
    })
  }

  /** What is read while others write and disks fail is what the model says, to the byte. */
  async #read(key: ModelKey): Promise<void> {
    const fact = current(key.state)
    const version = await this.#store.findVersion(this.#bucketId(key), key.key, undefined)
    if (fact?.kind !== version?.kind) throw new Error(`${key.bucket}/${key.key} is ${version?.kind}, not ${fact?.kind}`)
    if (fact?.kind !== 'object' || version?.kind !== 'object') return
    if (version.versionId !== fact.versionId || version.etag !== fact.etag) throw new Error(`${key.bucket}/${key.key} is another version`)
    const from = this.#chance.oneIn(2) ? 0 : this.#chance.below(version.bytes + 1)
    const to = this.#chance.oneIn(2) ? version.bytes : from + this.#chance.below(version.bytes - from + 1)
    const read = await readAll(this.#store, version, from, to)
    if (read.ok) {
      this.counts.read += 1
      const expected = contentBytes(fact.content).subarray(from, to)
      if (Buffer.compare(read.value, expected) !== 0) throw new Error(`${key.bucket}/${key.key}: bytes ${from} to ${to} are wrong`)
    } else {
      this.counts.unread += 1
      if (!this.mayFail) throw new Error(`${key.bucket}/${key.key} cannot be read: ${read.error}`)
    }
  }

  /** What was there when a request began is read to its end as it was, whatever becomes of it meanwhile. */
  async #readSlowly(): Promise<void> {
    const { bucket, key } = this.#chance.pick(this.#model.keys)
    const lease = this.#store.lease()
    const version = await this.#store.findVersion(this.#buckets.get(bucket)!.id, key, undefined)
    if (version?.kind === 'object') {
      const read = await readAll(this.#store, version, 0, version.bytes, () => this.#wait())
      const sum = version.userMetadata.find(([name]) => name === 'sum')?.[1]
      if (read.ok && md5(read.value) !== sum) throw new Error(`${bucket}/${key}: what is read slowly is not what was there`)
      if (!read.ok && !this.mayFail) throw new Error(`${bucket}/${key} cannot be read slowly: ${read.error}`)
      this.counts[read.ok ? 'read' : 'unread'] += 1
    }
    lease.release()
  }

  // ---- What they have in common ----

  #make(
    key: ModelKey,
    content: Content,
    attributes: ObjectAttributes,
    call: () => Promise<Result<{ readonly versionId: string }, unknown>>,
  ): Promise<void> {
    const fact: Fact = { kind: 'object', versionId: undefined, etag: attributes.etag, content, tags: JSON.stringify(attributes.tags) }
    const after = afterMaking(this.#model.versioning[key.bucket], key.state, fact)
    return this.#settle(key, after, async () => {
      const made = await call()
      return made.ok ? ok(told(after, made.value.versionId)) : made
    })
  }

  async #settle(key: ModelKey, after: KeyState, call: () => Promise<Result<KeyState, unknown>>): Promise<void> {
    key.doubt = after
    const result = await call()
    if (result.ok) {
      this.counts.done += 1
      key.state = result.value
      key.doubt = undefined
    } else if (CERTAIN.has(result.error)) {
      this.counts.refused += 1
      key.doubt = undefined
    } else this.counts.open += 1
  }

  async #stage(content: Content) {
    const writer = this.#store.stage(this.#chance.oneIn(2) ? content.bytes : undefined)
    const bytes = contentBytes(content)
    const step = 1 + this.#chance.below(200_000)
    // Not one that would take hours.
    const isSlow = this.#chance.oneIn(12) && step * 100 >= bytes.length
    for (let at = 0; at < bytes.length; at += step) {
      await writer.write(bytes.slice(at, at + step))
      if (isSlow) await this.#wait()
    }
    const staged = await writer.finish()
    if (isSlow) await this.#wait()
    return staged.ok ? staged.value : undefined
  }

  /** Long enough, at times, for a disk to fail and be healed meanwhile. */
  #wait(): Promise<void> {
    return new Promise((resolve) => void this.#clock.timer(this.#chance.below(this.#chance.pick([100, 8000])), resolve))
  }

  #attributes(content: Content, tags: Tags): ObjectAttributes {
    const sum = md5(contentBytes(content))
    return { etag: sum, headers: { contentType: 'application/octet-stream' }, userMetadata: [['sum', sum]], tags }
  }

  #piece(): Piece {
    const sizes = [
      0,
      this.#chance.below(200),
      this.#chance.below(10_000),
      128 * 1024 + this.#chance.below(3) - 1,
      this.#chance.below(400_000),
    ]
    return { seed: this.#chance.u32(), bytes: this.#chance.oneIn(3) ? this.#chance.pick(sizes) : this.#chance.below(5000) }
  }

  #bucketId(key: ModelKey): Bucket['id'] {
    return this.#buckets.get(key.bucket)!.id
  }
}

export async function readAll(
  store: Store,
  version: ObjectVersion,
  from: number,
  to: number,
  between: () => Promise<void> | undefined = () => undefined,
): Promise<Result<Uint8Array, StoreFault>> {
  const reader = store.read(version, from, to)
  const chunks: Uint8Array[] = []
  try {
    for (;;) {
      const chunk = await reader.read()
      if (!chunk.ok) return chunk
      if (chunk.value === undefined) return ok(Buffer.concat(chunks))
      chunks.push(chunk.value)
      await between()
    }
  } finally {
    reader.close()
  }
}

/** The buckets of the model, made unless they are there. Undefined if the store refuses. */
export async function makeBuckets(store: Store): Promise<ReadonlyMap<ModelBucket, Bucket> | undefined> {
  const buckets = new Map<ModelBucket, Bucket>()
  for (const name of BUCKETS) {
    const found = await store.findBucket(name as string as BucketName)
    const made = found === undefined ? await store.createBucket({ name: name as string as BucketName, owner: 'f'.repeat(64) }) : ok(found)
    if (!made.ok) return undefined
    if (name !== 'plain' && !(await store.putVersioning(made.value.id, 'enabled')).ok) return undefined
    buckets.set(name, made.value)
  }
  return buckets
}

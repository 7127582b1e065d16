/**
 * Applies operations in their order, many in flight. Content is staged as it streams by, each byte authenticated when it was read, and belongs to nothing until its
 * operation is applied: stopped anywhere, nothing is half there. Memory: contents that wait in memory for their record, at most IN_FLIGHT_BYTES_MAX.
 */
import type { Result } from '../result.ts'
import type { FederationStore, ForeignFault } from '../store/federation-store.ts'
import type { Store } from '../store/store.ts'
import type { Bucket, StagedContent, StoreFault } from '../store/terms.ts'
import type { BatchOperation } from './batch.ts'
import type { WalkedContent } from './bundle-walk.ts'
import { keyOf } from './operation.ts'
import { Refusal, storeRefusal } from './site.ts'

export const IN_FLIGHT_MAX = 128
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024
/** Larger contents go to the disks as they come; smaller ones may wait in memory for their record. */
const WAITING_BYTES_MAX = 256 * 1024

export type Applied = { readonly kind: 'applied' | 'already' | 'from-the-future'; readonly concurrent: boolean }

/** A promise inside an object, so that waiting for the one does not wait for the other. */
type Staging = { readonly finished: Promise<Result<StagedContent, StoreFault>> }
type Answer = { readonly answered: Promise<void> }

export class Applier {
  readonly #store: Store
  readonly #peer: string
  readonly #keepRemovedMs: number
  readonly #onApplied: (bucket: Bucket, operation: BatchOperation, applied: Applied) => void
  #inFlight = 0
  #inFlightBytes = 0
  #failure: Refusal | undefined
  #wake: (() => void) | undefined
  /** Ends when everything before was handed to the store. */
  #turn: Promise<void> = Promise.resolve()

  /** `keepRemovedMs`: how long what the peer removes can be brought back. */
  constructor(
    store: Store,
    { name, keepRemovedMs }: { readonly name: string; readonly keepRemovedMs: number },
    onApplied: (bucket: Bucket, operation: BatchOperation, applied: Applied) => void,
  ) {
    this.#store = store
    this.#peer = name
    this.#keepRemovedMs = keepRemovedMs
    this.#onApplied = onApplied
  }

  /** Resolves when the next one may come; a failure shows at a later call. */
  async apply(bucket: Bucket, operation: BatchOperation, content: WalkedContent): Promise<void> {
    const bytes = content.kind === 'here' ? Math.min(content.bytes, WAITING_BYTES_MAX) : 0
    await this.#until(() => this.#inFlight < IN_FLIGHT_MAX && this.#inFlightBytes + bytes <= IN_FLIGHT_BYTES_MAX)
    this.#throwFailure()
    const staged = content.kind === 'here' ? await this.#stage(content) : undefined
    this.#inFlight += 1
    this.#inFlightBytes += bytes
    const handed = this.#turn.then(() => this.#hand(bucket, operation, staged))
    const over = (): void => undefined
    this.#turn = handed.then(over, over)
    void handed
      .then(({ answered }) => answered)
      .then(
        () => this.#done(bytes),
        (error: unknown) => this.#fail(error, bytes),
      )
  }

  /** Resolves when everything is applied. Throws the first failure. */
  async finish(): Promise<void> {
    await this.#until(() => this.#inFlight === 0)
    this.#throwFailure()
  }

  /** After another failure: waits until nothing is under way any more. */
  async abandon(): Promise<void> {
    this.#failure ??= new Refusal(6, 'aborted', 'The import was stopped. Run it again to go on.')
    await this.#until(() => this.#inFlight === 0)
  }

  /** Writes the content; does not wait until it is durable. */
  async #stage(content: Extract<WalkedContent, { kind: 'here' }>): Promise<Staging> {
    const writer = this.#store.stage(content.bytes)
    try {
      for await (const chunk of content.read()) {
        const waiting = writer.write(chunk)
        if (waiting !== undefined) await waiting
      }
    } catch (error) {
      writer.abort()
      throw error
    }
    return { finished: writer.finish() }
  }

  /** Hands one operation to the store, in its turn; does not wait for the answer. */
  async #hand(bucket: Bucket, operation: BatchOperation, staging: Staging | undefined): Promise<Answer> {
    const staged = await staging?.finished
    if (this.#failure !== undefined) {
      if (staged?.ok === true) this.#store.discard(staged.value)
      return { answered: Promise.resolve() }
    }
    const answered = this.#answered(bucket, operation, staged)
    // Whoever waits for it gets the fault; until then it must not count as unhandled.
    answered.catch(() => undefined)
    return { answered }
  }

  async #answered(bucket: Bucket, operation: BatchOperation, staged: Result<StagedContent, StoreFault> | undefined): Promise<void> {
    if (staged?.ok === false) throw this.#refused(bucket, operation, staged.error)
    const applied = await applyOne(this.#store.federation, bucket, operation, staged?.value, this.#keepRemovedMs)
    if (typeof applied === 'string') throw this.#refused(bucket, operation, applied)
    this.#onApplied(bucket, operation, applied)
  }

  #refused(bucket: Bucket, operation: BatchOperation, fault: ForeignFault): Refusal {
    return foreignRefusal(this.#peer, bucket.name, operation, fault)
  }

  #done(bytes: number): void {
    this.#inFlight -= 1
    this.#inFlightBytes -= bytes
    this.#wake?.()
  }

  #fail(error: unknown, bytes: number): void {
    this.#failure ??=
      error instanceof Refusal ? error : new Refusal(1, 'unforeseen', error instanceof Error ? error.message : String(error))
    this.#done(bytes)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Applies one operation, or asks whether it is the one that was applied before. */
export async function applyOne(
  store: FederationStore,
  bucket: Bucket,
  { operation, origin, signedDigest, twin, evidence }: BatchOperation,
  content: StagedContent | undefined,
  keepRemovedMs?: number,
): Promise<Applied | Exclude<ForeignFault, 'from-the-future'>> {
  const applied = await store.applyForeign({
    ...{ bucketId: bucket.id, from: origin, operation, digest: signedDigest, evidence: evidence() },
    ...(content === undefined ? {} : { content }),
    ...(twin === undefined ? {} : { twin }),
    ...(keepRemovedMs === undefined ? {} : { keepRemovedMs }),
  })
  if (applied.ok) return applied.value
  return applied.error === 'from-the-future' ? { kind: 'from-the-future', concurrent: false } : applied.error
}

/** Why an operation was not taken, in words. */
export function foreignRefusal(peer: string, bucket: string, { operation }: BatchOperation, fault: ForeignFault): Refusal {
  const key = keyOf(operation.change)
  const what = `Change ${operation.number} of bucket ${bucket}${key === undefined ? '' : ` (${key})`}`
  switch (fault) {
    case 'conflicting-history':
      return new Refusal(
        5,
        fault,
        `${what} came from ${peer} before, with another content: that site was restored from an older copy or cloned. Begin a new epoch there with "holdfast site new-epoch", and export again.`,
      )
    case 'content-needed':
      return new Refusal(5, fault, `${what} came without its bytes: ask ${peer} for a new export with --full.`)
    case 'no-such-bucket':
      return new Refusal(
        6,
        fault,
        `${what} could not be applied: the bucket was deleted here, and another one has its name. Run it again with --map ${bucket}=OTHER, under which it then comes back.`,
      )
    default:
      return storeRefusal(`${what} could not be applied`, fault)
  }
}

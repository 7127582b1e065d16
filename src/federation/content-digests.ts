/**
 * Content digests, computed when a version is first exported and kept from then on: they are part of what was signed, and stay when the version goes.
 * Format: docs/formats.md#bundle, "Operations", collection `content-digests`.
 */
import { ContentDigest } from '../bundles/merkle.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { type DocumentChange, putDocuments } from './documents.ts'
import type { BucketOrigin } from './words.ts'

const FIRST_EPOCH = 1
const BLOCK_NUMBERS = 1000
const ROW_BYTES = 50

export const EMPTY_DIGEST = new ContentDigest().digest()

/** Digests by operation number, of one bucket; one block of them is held at a time. */
export class ContentDigests {
  readonly #store: FederationStore
  readonly #bucket: BucketOrigin
  #block = -1
  #rows = new Map<number, Buffer>()
  #changed = false

  constructor(store: FederationStore, bucket: BucketOrigin) {
    this.#store = store
    this.#bucket = bucket
  }

  async find(number: number): Promise<string | undefined> {
    await this.#load(number)
    return this.#rows.get(number)?.toString('hex')
  }

  /** To be followed by `save`. */
  async note(number: number, digest: string): Promise<void> {
    await this.#load(number)
    this.#rows.set(number, Buffer.from(digest, 'hex'))
    this.#changed = true
  }

  /** Durable when it resolves. */
  async save(): Promise<void> {
    if (!this.#changed) return
    const base = this.#block * BLOCK_NUMBERS
    const rows = [...this.#rows].sort(([one], [other]) => one - other)
    const content = Buffer.alloc(rows.length * ROW_BYTES)
    for (const [at, [number, digest]] of rows.entries()) {
      content.writeUInt16LE(number - base, at * ROW_BYTES)
      digest.copy(content, at * ROW_BYTES + 2)
    }
    const change: DocumentChange = { collection: 'content-digests', name: this.#name(this.#block), content }
    await putDocuments(this.#store, 'The digests of exported content could not be noted', [change])
    this.#changed = false
  }

  async #load(number: number): Promise<void> {
    const block = Math.floor((number - 1) / BLOCK_NUMBERS)
    if (block === this.#block) return
    await this.save()
    const stored = await this.#store.getDocument('content-digests', this.#name(block))
    const content = Buffer.from(stored ?? [])
    this.#block = block
    this.#rows = new Map()
    for (let at = 0; at + ROW_BYTES <= content.length; at += ROW_BYTES)
      this.#rows.set(block * BLOCK_NUMBERS + content.readUInt16LE(at), content.subarray(at + 2, at + ROW_BYTES))
  }

  #name(block: number): string {
    // Operations keep their numbers when a new epoch begins.
    return `${this.#bucket}/${FIRST_EPOCH}/${String(block).padStart(12, '0')}`
  }
}

/**
 * The operations of an opened bundle, one by one in order, each with its content, checked against what the statement says: exactly those numbers, signed by their
 * origin, contents where they belong. Memory: one operations entry.
 */

import type { ReadEntry } from '../bundles/entry-reader.ts'
import type { PublicIdentity } from '../bundles/identity.ts'
import type { OpenBundle } from '../bundles/read-bundle.ts'
import type { Origin } from '../store/operation.ts'
import { numbers } from '../store/ranges.ts'
import { type Batch, type BatchOperation, decodeBatch, parseGoneLine } from './batch.ts'
import { opened, Refusal } from './site.ts'
import { type StatedBucket, type Statement, sectionsOf } from './statement.ts'

export type WalkedContent =
  /** No put-object. */
  | { readonly kind: 'none' }
  /** The version was deleted at its origin: its bytes do not come. */
  | { readonly kind: 'gone' }
  /** It is said to be here already. */
  | { readonly kind: 'held' }
  /** May be read once, before the next step; else it is passed over. Throws Refusal. */
  | { readonly kind: 'here'; readonly bytes: number; read(): AsyncIterable<Uint8Array> }

/** `origin`: if its operations come back to the site that made them. */
type Section = StatedBucket & { readonly origin?: Origin }

export type WalkStep = {
  readonly stated: Section
  readonly batch: Batch
  readonly operation: BatchOperation
  readonly content: WalkedContent
}

/** `own`: this site's identity. Throws Refusal at the first thing that is not as it should be. */
export async function* walkBundle(bundle: OpenBundle, statement: Statement, own: PublicIdentity): AsyncGenerator<WalkStep> {
  const entries = bundle.entries()[Symbol.asyncIterator]()
  const next = async (): Promise<ReadEntry | undefined> => {
    const item = await entries.next()
    return item.done === true ? undefined : opened(item.value)
  }
  const expected = new Expected(statement)
  try {
    for (let entry = await next(); entry !== undefined; entry = await next()) {
      if (entry.kind !== 'operations') throw malformed()
      const due = expected.peek()
      // What comes back was signed by this site itself.
      const signer = due?.origin === undefined ? bundle.sender : own
      const batch = decodeBatch(entry.lines, signer)
      if (batch === 'forged')
        throw new Refusal(
          5,
          'bad-signature',
          'Changes in this bundle are not signed by the site that is said to have made them: it is forged.',
        )
      if (batch === 'malformed' || batch.origin !== (due?.origin ?? statement.origin)) throw malformed()
      for (const operation of batch.operations) {
        const stated = expected.peek()
        if (stated === undefined || stated.bucket !== batch.bucket || stated.origin !== due?.origin) throw malformed()
        if (expected.next() !== operation.operation.number) throw malformed()
        yield { stated, batch, operation, content: await contentOf(operation, next) }
      }
    }
    if (expected.peek() !== undefined) throw malformed()
  } finally {
    await entries.return?.()
  }
}

/** The numbers that are due, section by section. */
class Expected {
  readonly #sections: Iterator<Section>
  #section: Section | undefined
  #numbers: Iterator<number> = [][Symbol.iterator]()
  #next: number | undefined

  constructor(statement: Statement) {
    this.#sections = sectionsOf(statement)[Symbol.iterator]()
    this.#advance()
  }

  /** The section of the next number; undefined at the end. */
  peek(): Section | undefined {
    return this.#section
  }

  next(): number | undefined {
    const number = this.#next
    this.#advance()
    return number
  }

  #advance(): void {
    for (;;) {
      const next = this.#numbers.next()
      this.#next = next.done === true ? undefined : next.value
      if (next.done !== true) return
      const section = this.#sections.next()
      this.#section = section.done === true ? undefined : section.value
      if (section.done === true) return
      this.#numbers = numbers(section.value.brings)
    }
  }
}

async function contentOf(
  { content, digest, operation: { change } }: BatchOperation,
  next: () => Promise<ReadEntry | undefined>,
): Promise<WalkedContent> {
  if (content === null || change.kind !== 'put-object') return { kind: 'none' }
  if (content === 'gone' || content === 'held') return { kind: content }
  const { bytes } = change
  if (bytes === 0) return { kind: 'here', bytes, read: nothing }
  const entry = await next()
  if (entry?.kind === 'operations' && parseGoneLine(entry.lines) === digest) return { kind: 'gone' }
  if (entry?.kind !== 'content' || entry.digest !== digest || entry.bytes !== bytes) throw malformed()
  return { kind: 'here', bytes, read: () => readAll(entry) }
}

async function* readAll(entry: Extract<ReadEntry, { kind: 'content' }>): AsyncGenerator<Uint8Array> {
  for await (const part of entry.read()) yield opened(part)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

const malformed = (): Refusal =>
  new Refusal(5, 'malformed', 'This bundle is signed, but does not hold what it says: its sender must make it anew.')

/**
 * The operations of an opened bundle, one by one in order, each with its content, checked against what the statement says: exactly those numbers, signed by their
 * origin, contents where they belong. Memory: one operations entry.
 */

import type { ReadEntry } from '../bundles/entry-reader.ts'
import type { OpenBundle } from '../bundles/read-bundle.ts'
import { type Batch, type BatchOperation, decodeBatch, parseGoneLine } from './batch.ts'
import { numbers } from './ranges.ts'
import { opened, Refusal } from './site.ts'
import type { StatedBucket, Statement } from './statement.ts'

export type WalkedContent =
  /** No put-object. */
  | { readonly kind: 'none' }
  /** The version was deleted at its origin: its bytes do not come. */
  | { readonly kind: 'gone' }
  /** May be read once, before the next step; else it is passed over. Throws Refusal. */
  | { readonly kind: 'here'; readonly bytes: number; read(): AsyncIterable<Uint8Array> }

export type WalkStep = {
  readonly stated: StatedBucket
  readonly batch: Batch
  readonly operation: BatchOperation
  readonly content: WalkedContent
}

/** Throws Refusal at the first thing that is not as it should be. */
export async function* walkBundle(bundle: OpenBundle, statement: Statement): AsyncGenerator<WalkStep> {
  const entries = bundle.entries()[Symbol.asyncIterator]()
  const next = async (): Promise<ReadEntry | undefined> => {
    const item = await entries.next()
    return item.done === true ? undefined : opened(item.value)
  }
  const expected = expectedNumbers(statement)
  try {
    for (let entry = await next(); entry !== undefined; entry = await next()) {
      if (entry.kind !== 'operations') throw malformed()
      const batch = decodeBatch(entry.lines, bundle.sender)
      if (batch === 'forged')
        throw new Refusal(
          5,
          'bad-signature',
          'Changes in this bundle are not signed by the site that is said to have made them: it is forged.',
        )
      if (batch === 'malformed' || batch.origin !== statement.origin) throw malformed()
      for (const operation of batch.operations) {
        const due = expected.next()
        if (due.done === true || due.value.stated.bucket !== batch.bucket || due.value.number !== operation.operation.number)
          throw malformed()
        yield { stated: due.value.stated, batch, operation, content: await contentOf(operation, next) }
      }
    }
    if (expected.next().done !== true) throw malformed()
  } finally {
    await entries.return?.()
  }
}

function* expectedNumbers({ buckets }: Statement): Generator<{ readonly stated: StatedBucket; readonly number: number }> {
  for (const stated of buckets) for (const number of numbers(stated.brings)) yield { stated, number }
}

async function contentOf(
  { content, digest, operation: { change } }: BatchOperation,
  next: () => Promise<ReadEntry | undefined>,
): Promise<WalkedContent> {
  if (content === null || change.kind !== 'put-object') return { kind: 'none' }
  if (content === 'gone') return { kind: 'gone' }
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

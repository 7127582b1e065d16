/**
 * Giving back: operations of a peer's earlier epochs that are known here and that it did not sign again under its new one. It has lost them, with a
 * disk or by being restored. They travel as they came, with the peer's own signature. Format: docs/formats.md#epochs.
 */
import { zstdDecompressSync } from 'node:zlib'
import { DIGEST_BYTES } from '../bundles/format.ts'
import { parseJson } from '../bundles/json.ts'
import { inclusionPath } from '../bundles/merkle.ts'
import { SIGNATURE_BYTES } from '../bundles/signature.ts'
import type { OperationReader } from '../store/federation-store.ts'
import { type KeptOperation, type Origin, parseOrigin } from '../store/operation.ts'
import { NO_RANGES, numbers, type Ranges, RangesBuilder } from '../store/ranges.ts'
import type { Bucket } from '../store/terms.ts'
import { BATCH_OPERATIONS_MAX, type ContentState, getBatchHead } from './batch.ts'
import { getJson } from './documents.ts'
import { keyOf, type SignedOperation } from './operation.ts'
import { parseOperation } from './parse-operation.ts'
import type { Peer } from './peers.ts'
import { type FederationSite, Refusal } from './site.ts'
import type { BucketOrigin } from './words.ts'

const SIGNED_BYTES_MAX = 4 * 1024 * 1024

/** `bucket`: as the peer calls it, which may have been merged with another one here. */
export type Lost = { readonly origin: Origin; readonly bucket: BucketOrigin; readonly ranges: Ranges }

/** What may be given back of one bucket. `prefix`: only keys that begin so. */
export async function lostBy(site: FederationSite, peer: Peer, bucket: Bucket, prefix: string | null): Promise<readonly Lost[]> {
  const lost: Lost[] = []
  const held = await site.store.federation.held(bucket.id)
  const earlier = Object.keys(held).filter((name) => {
    const origin = parseOrigin(name)
    return origin?.site === peer.site && origin.epoch < peer.epoch
  }) as Origin[]
  if (earlier.length === 0) return lost
  const reader = site.store.federation.openOperations()
  try {
    for (const origin of earlier.sort()) {
      for (const [named, numbered] of await returnable(site, reader, bucket, origin, held[origin] ?? NO_RANGES, prefix))
        lost.push({ origin, bucket: named, ranges: numbered.ranges })
    }
  } finally {
    await reader.close()
  }
  return lost
}

async function returnable(
  site: FederationSite,
  reader: OperationReader,
  bucket: Bucket,
  origin: Origin,
  held: Ranges,
  prefix: string | null,
): Promise<ReadonlyMap<BucketOrigin, RangesBuilder>> {
  const found = new Map<BucketOrigin, RangesBuilder>()
  let root = ''
  let named: BucketOrigin | undefined
  for (const number of numbers(held)) {
    const kept = await keptOperation(reader, bucket, origin, number)
    const evidence = readEvidence(kept)
    const key = keyOf(kept.operation.change)
    if (prefix !== null && key !== undefined && !key.startsWith(prefix)) continue
    if (evidence.root !== root) {
      const batch = await site.store.federation.getDocument('batches', evidence.root)
      named = batch && getBatchHead(evidence.root, batch).bucket
    }
    root = evidence.root
    if (named === undefined) continue
    const builder = found.get(named) ?? new RangesBuilder()
    builder.add(number)
    found.set(named, builder)
  }
  return found
}

/** Throws Refusal if it cannot be read back. */
export async function keptOperation(reader: OperationReader, bucket: Bucket, origin: Origin, number: number): Promise<KeptOperation> {
  const kept = await reader.foreign(bucket.id, origin, number)
  if (kept === undefined)
    throw new Refusal(6, 'damaged', `Change ${number} of ${origin} in bucket ${bucket.name} cannot be read back. See "holdfast status".`)
  return kept
}

type Evidence = { readonly root: string; readonly index: number; readonly signed: string }

/** The signed text of an operation and its place in its batch, as they were kept. */
function readEvidence({ evidence, operation }: KeptOperation): Evidence {
  const bytes = Buffer.from(evidence)
  const end = bytes.indexOf(10)
  const head = parseJson(bytes.subarray(0, Math.max(0, end)), (fields) => {
    fields.is('format', 1)
    fields.ifThere('path', (name) => fields.json(name))
    return {
      root: fields.hex('root', DIGEST_BYTES),
      index: fields.integer('index', 0, 2 ** 40),
      compressed: fields.json('compressed') === true,
    }
  })
  if (head === undefined) throw new Refusal(1, 'damaged', `What was kept of change ${operation.number} is damaged.`)
  const text = bytes.subarray(end + 1)
  const signed = (head.compressed ? zstdDecompressSync(text, { maxOutputLength: SIGNED_BYTES_MAX }) : text).toString()
  return { root: head.root, index: head.index, signed }
}

/** Batches of which only some operations came have no such document: those cannot be given back. */
const findBatch = (site: FederationSite, root: string) =>
  getJson(site.store.federation, 'batches', root, (fields) => ({
    batch: fields.text('batch', 1_000),
    signature: fields.base64('signature', SIGNATURE_BYTES, SIGNATURE_BYTES),
    leaves: fields.base64('leaves', DIGEST_BYTES, BATCH_OPERATIONS_MAX * DIGEST_BYTES),
  }))

export type ReturnedLine = { readonly signed: SignedOperation; readonly content: ContentState; readonly kept: Evidence }

/** The operation as it was signed, if it is the next of one batch with the others. */
export function asSigned(kept: KeptOperation, others: readonly ReturnedLine[]): Omit<ReturnedLine, 'content'> | undefined {
  const evidence = readEvidence(kept)
  const root = others[0]?.kept.root ?? evidence.root
  const signed = evidence.root === root ? parseOperation(evidence.signed) : undefined
  return signed && { signed, kept: evidence }
}

/** The entry that carries `lines`, which are of one batch, with the signature that they came with. */
export async function encodeReturned(site: FederationSite, lines: readonly ReturnedLine[]): Promise<Buffer> {
  const kept = await findBatch(site, lines[0]!.kept.root)
  if (kept === undefined)
    throw new Refusal(6, 'damaged', 'The signature of changes that are to be given back is not there any more: export again.')
  const count = kept.leaves.length / DIGEST_BYTES
  const leaves = Array.from({ length: count }, (_, at) => kept.leaves.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES))
  const head = { batch: kept.batch, signature: kept.signature.toString('base64') }
  const told = lines.map(({ content, kept: { signed, index } }) => ({
    ...{ content, signed },
    ...(lines.length === count ? {} : { index, path: inclusionPath(leaves, index).map((node) => node.toString('base64')) }),
  }))
  return Buffer.from([head, ...told].map((line) => `${JSON.stringify(line)}\n`).join(''))
}

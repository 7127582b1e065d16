/**
 * Batches: operations of one bucket below one signed root, so that each can be carried on by others and none be forged. Writing, reading from outside,
 * and the evidence that is kept of each operation. Format: docs/formats.md#bundle, "Operations".
 */
import { hash } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { DIGEST_BYTES } from '../bundles/format.ts'
import type { PrivateIdentity, PublicIdentity } from '../bundles/identity.ts'
import { type Fields, parseJson } from '../bundles/json.ts'
import { leafHash, treeRoot, verifyInclusion } from '../bundles/merkle.ts'
import { SIGNATURE_BYTES, sign, verify } from '../bundles/signature.ts'
import type { Origin, Twin } from '../store/operation.ts'
import { type DocumentChange, jsonDocument, readDocument } from './documents.ts'
import type { SignedOperation } from './operation.ts'
import { parseOperation } from './parse-operation.ts'
import { Refusal } from './site.ts'
import { type BucketOrigin, canonicalJson } from './words.ts'

export const BATCH_OPERATIONS_MAX = 1_000
const BATCH_TYPE = 'application/vnd.holdfast.batch.v1+json'
const SIGNED_PLAIN_BYTES_MAX = 64 * 1024

/** Whether the content of a version travels along; 'held': it went before, in an earlier epoch, and was acknowledged. Null: it has none, being no put-object. */
export type ContentState = 'here' | 'gone' | 'held' | null
export type BatchLine = { readonly content: ContentState; readonly signed: string }

/** The entry of a bundle that carries `lines`, all of one bucket, as one batch. */
export function encodeBatch(identity: PrivateIdentity, bucket: BucketOrigin, origin: Origin, lines: readonly BatchLine[]): Buffer {
  const root = treeRoot(lines.map(({ signed }) => leafHash(Buffer.from(signed)))).toString('hex')
  const batch = canonicalJson({ format: 1, bucket, origin, root, size: lines.length })
  const signature = sign(identity, BATCH_TYPE, Buffer.from(batch)).toString('base64')
  return Buffer.from([{ batch, signature }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''))
}

/** What stands where the content `digest` should, if it was deleted while the export waited. */
export const goneLine = (digest: string): Buffer => Buffer.from(`${JSON.stringify({ gone: digest })}\n`)

/** The digest of the content that is gone; undefined if these are other lines. */
export function parseGoneLine(lines: Uint8Array): string | undefined {
  return parseJson(lines, (fields) => fields.hex('gone', DIGEST_BYTES))
}

export type BatchOperation = SignedOperation & {
  readonly content: ContentState
  /** SHA-384 of the signed text. */
  readonly signedDigest: Uint8Array
  /** The number that it had in an earlier epoch, if it is known here by that one. */
  readonly twin?: Twin
  evidence(): Uint8Array
}

export type Batch = {
  readonly bucket: BucketOrigin
  readonly origin: Origin
  readonly operations: readonly BatchOperation[]
  /** Keeps signature and leaves, so that paths can be made again; undefined if only some of the batch came. */
  document(): DocumentChange | undefined
}

export type BatchFault = 'malformed' | 'forged'

/** An operations entry, believed only as far as `signer` signed it. */
export function decodeBatch(entry: Uint8Array, signer: PublicIdentity): Batch | BatchFault {
  const [first, ...rest] = splitLines(entry)
  const head = first && parseJson(first, (fields) => ({ batch: fields.text('batch', 1_000), signature: signatureField(fields) }))
  if (head === undefined || rest.length === 0 || rest.length > BATCH_OPERATIONS_MAX) return 'malformed'
  if (!verify(signer, BATCH_TYPE, Buffer.from(head.batch), head.signature)) return 'forged'
  const signed = readHead(head.batch)
  if (signed === undefined || signed.size < rest.length) return 'malformed'
  const whole = signed.size === rest.length
  const lines = rest.map((line, at) => readLine(line, whole ? at : undefined))
  const leaves = lines.map((line) => (line === undefined ? Buffer.alloc(0) : leafHash(Buffer.from(line.signed))))
  if (whole && !treeRoot(leaves).equals(signed.root)) return 'forged'
  const operations: BatchOperation[] = []
  for (const [at, line] of lines.entries()) {
    const parsed = line && parseOperation(line.signed)
    if (line === undefined || parsed === undefined || parsed.bucket !== signed.bucket || parsed.origin !== signed.origin) return 'malformed'
    if ((parsed.operation.change.kind === 'put-object') !== (line.content !== null)) return 'malformed'
    if (line.content === 'here' && parsed.digest === null) return 'malformed'
    const { index, path } = line
    if (!whole && !verifyInclusion({ leaf: leaves[at]!, index, size: signed.size, path, root: signed.root })) return 'forged'
    operations.push({
      ...parsed,
      content: line.content,
      signedDigest: ownBytes(hash('sha384', line.signed, 'buffer')),
      evidence: () => evidenceOf(signed.root, index, line.signed, whole ? undefined : path),
    })
  }
  const { bucket, origin, root } = signed
  return {
    ...{ bucket, origin, operations },
    document: () =>
      whole
        ? jsonDocument('batches', root.toString('hex'), {
            batch: head.batch,
            signature: Buffer.from(head.signature).toString('base64'),
            leaves: Buffer.concat(leaves).toString('base64'),
          })
        : undefined,
  }
}

/** No more of them than it takes to see that there are too many. */
function* splitLines(entry: Uint8Array): Generator<Uint8Array> {
  for (let from = 0, lines = 0; from < entry.length && lines <= 1 + BATCH_OPERATIONS_MAX; lines++) {
    const end = entry.indexOf(10, from)
    yield entry.subarray(from, end < 0 ? entry.length : end)
    from = end < 0 ? entry.length : end + 1
  }
}

const signatureField = (fields: Fields): Uint8Array => fields.base64('signature', SIGNATURE_BYTES, SIGNATURE_BYTES)

/** Whose a batch is that was kept as document `name`. */
export function getBatchHead(name: string, content: Uint8Array): Pick<Batch, 'origin' | 'bucket'> {
  const head = readHead(
    readDocument('batches', name, content, (fields) => {
      fields.json('signature')
      fields.json('leaves')
      return fields.text('batch', 1_000)
    }),
  )
  if (head === undefined) throw new Refusal(1, 'damaged', `The document batches/${name} of this site is damaged.`)
  return head
}

const readHead = (batch: string) =>
  parseJson(Buffer.from(batch), (fields) => {
    fields.is('format', 1)
    return {
      bucket: fields.text('bucket', 80) as BucketOrigin,
      origin: fields.text('origin', 64) as Origin,
      root: Buffer.from(fields.hex('root', DIGEST_BYTES), 'hex'),
      size: fields.integer('size', 1, 2 ** 40),
    }
  })

type ReadLine = BatchLine & { readonly index: number; readonly path: readonly Uint8Array[] }

/** `index`: that of a line in a whole batch; a line of a part of one says it itself, with its path. */
function readLine(line: Uint8Array, index: number | undefined): ReadLine | undefined {
  return parseJson(line, (fields) => {
    const content = fields.optional('content', (name) => fields.text(name, 4)) ?? null
    if (content !== null && content !== 'here' && content !== 'gone' && content !== 'held') return fields.malformed()
    const signed = fields.text('signed', line.length)
    if (!signed.isWellFormed()) fields.malformed()
    if (index !== undefined) return { content, signed, index, path: [] }
    return { content, signed, index: fields.integer('index', 0, 2 ** 40), path: pathOf(fields) }
  })
}

function pathOf(fields: Fields): readonly Uint8Array[] {
  const listed = fields.json('path')
  if (!Array.isArray(listed) || listed.length > 40) return fields.malformed()
  return (listed as readonly unknown[]).map((item) => {
    const bytes = typeof item === 'string' && item.length === 64 ? Buffer.from(item, 'base64') : Buffer.alloc(0)
    return bytes.length === DIGEST_BYTES ? bytes : fields.malformed()
  })
}

/** What is kept with an applied operation. Its path is made from the batch's document, unless it came with it. */
function evidenceOf(root: Buffer, index: number, signed: string, path: readonly Uint8Array[] | undefined): Uint8Array {
  const text = Buffer.from(signed)
  const compressed = text.length > SIGNED_PLAIN_BYTES_MAX
  const head = {
    ...{ compressed, format: 1, index, root: root.toString('hex') },
    ...(path === undefined ? {} : { path: path.map((node) => Buffer.from(node).toString('base64')) }),
  }
  return ownBytes(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), compressed ? zstdCompressSync(text) : text]))
}

/** In an ArrayBuffer of their own: they go to another thread. */
const ownBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes)

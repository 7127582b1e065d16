/** Taking in bodies: content into the store, documents into memory. */
import { ok, type Result } from '../result.ts'
import type { Store } from '../store/store.ts'
import type { Checksum, ChecksumAlgorithm, StagedContent, StoreFault } from '../store/terms.ts'
import { type S3Failure, s3Fail, s3Failure } from './errors.ts'
import type { Payload } from './payload.ts'
import { parseXml, XML_LIMITS, type XmlElement, type XmlLimits } from './xml.ts'

export type Received = {
  readonly staged: StagedContent
  readonly md5Hex: string
  /** Of the algorithm asked for. FULL_OBJECT. */
  readonly checksum: Checksum
  readonly bytes: number
}

/**
 * Streams the payload into the store. `algorithm` is the checksum to keep: if undefined, the client's own if it stated one, else CRC64NVME. Another
 * one that the client states is verified all the same.
 * What can be known before the body is answered without asking for it.
 * Errors: MissingContentLength, NotImplemented (Transfer-Encoding in its place), EntityTooLarge, IncompleteBody, BadDigest and the like (payload.ts), and the store's faults. After a failure nothing
 * stays staged.
 */
export async function receiveContent(
  store: Store,
  payload: Payload,
  options: { readonly bytesMax: number; readonly algorithm?: ChecksumAlgorithm | undefined },
): Promise<Result<Received, S3Failure>> {
  const { bytes } = payload
  if (bytes === undefined) {
    // Of writes without a length Amazon takes none, and names the header that stands in its place.
    return payload.isTransferEncoded
      ? s3Fail('NotImplemented', { elements: { Header: 'Transfer-Encoding' } })
      : s3Fail('MissingContentLength')
  }
  if (bytes > options.bytesMax) {
    return s3Fail('EntityTooLarge', { elements: { ProposedSize: bytes, MaxSizeAllowed: options.bytesMax } })
  }
  const foreseen = store.foreseenFault()
  if (foreseen !== undefined) return { ok: false, error: storeFailure(foreseen) }
  const algorithm = options.algorithm ?? payload.statedChecksum?.algorithm ?? 'CRC64NVME'
  payload.want({ md5: true, checksum: algorithm })
  const writer = store.stage(bytes)
  if (writer.copies) payload.lend()
  let isFinished = false
  try {
    for (;;) {
      // Before the first byte is asked for, too.
      if (writer.fault !== undefined) return { ok: false, error: storeFailure(writer.fault) }
      const next = await payload.read()
      if (!next.ok) return next
      if (next.value === undefined) break
      const written = writer.write(next.value)
      if (written !== undefined) await written
    }
    isFinished = true
    const staged = await writer.finish()
    if (!staged.ok) return { ok: false, error: storeFailure(staged.error) }
    const { md5Hex, checksum } = payload.digests
    return ok({ staged: staged.value, md5Hex: md5Hex!, checksum: checksum!, bytes })
  } finally {
    if (!isFinished) writer.abort()
  }
}

/** The whole body. MaxMessageLengthExceeded beyond `bytesMax`. */
export async function readWhole(payload: Payload, bytesMax: number): Promise<Result<Uint8Array, S3Failure>> {
  if (payload.bytes !== undefined && payload.bytes > bytesMax) return tooLong(bytesMax)
  const pieces: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const next = await payload.read()
    if (!next.ok) return next
    if (next.value === undefined) return ok(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes))
    bytes += next.value.length
    if (bytes > bytesMax) return tooLong(bytesMax)
    pieces.push(next.value)
  }
}

const tooLong = (bytesMax: number) => s3Fail('MaxMessageLengthExceeded', { elements: { MaxMessageLengthBytes: bytesMax } })

/** The body as XML: MissingRequestBodyError if empty, MalformedXML. */
export async function readXml(payload: Payload, limits: XmlLimits = XML_LIMITS): Promise<Result<XmlElement, S3Failure>> {
  const body = await readWhole(payload, limits.bytesMax)
  if (!body.ok) return body
  return body.value.length === 0 ? s3Fail('MissingRequestBodyError') : parseXml(body.value, limits)
}

/** Amazon's error for a store's fault. */
export function storeFailure(fault: StoreFault): S3Failure {
  switch (fault) {
    case 'slow-down':
      return s3Failure('SlowDown')
    case 'read-only':
      return s3Failure('ServiceUnavailable', { message: 'The store is read-only at the moment. Ask its operator to look at its status.' })
    case 'full':
      return s3Failure('StorageFull')
    case 'unavailable':
      return s3Failure('ServiceUnavailable')
    case 'damaged':
      return s3Failure('InternalError', {
        message: 'The stored bytes cannot be read back. Ask the operator of the store to look at its status.',
      })
  }
}

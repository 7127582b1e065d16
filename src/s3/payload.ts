/**
 * The body of a request as the client meant it: chunk framing removed; signatures, digests and checksums verified by its end.
 * Bytes are hashed once, whoever asked: what the request promises and what the operation wants to know share one set of hashes.
 * Source: Amazon S3 User Guide, "Checking object integrity"; Amazon S3 API Reference, PutObject.
 */
import { type HttpRequest, RequestAborted } from '../http/exchange.ts'
import { ok, type Result } from '../result.ts'
import type { Checksum, ChecksumAlgorithm } from '../store/terms.ts'
import { AwsChunkedDecoder } from './aws-chunked.ts'
import { algorithmOfHeader, CHECKSUM_BYTES, checksumHeader, parseAlgorithm } from './checksum-algorithms.ts'
import { ContentDigests } from './content-digests.ts'
import { type S3Failure, s3Fail } from './errors.ts'
import type { SigningSeed } from './sigv4.ts'

/** What the client says of the checksum of its body: in a header (then with its value) or in a trailer to come. */
export type StatedChecksum = { readonly algorithm: ChecksumAlgorithm; readonly value: string | undefined }

export interface Payload {
  /** Bytes of the content: x-amz-decoded-content-length, else Content-Length; undefined if the request states neither. */
  readonly bytes: number | undefined
  /** The request has a Transfer-Encoding, in the place of its length. */
  readonly isTransferEncoded: boolean
  /** x-amz-checksum-*, or x-amz-trailer naming one; undefined without. */
  readonly statedChecksum: StatedChecksum | undefined
  /** Asks for digests to be computed besides those verified. Before the first read. */
  want(digests: { readonly md5?: true; readonly checksum?: ChecksumAlgorithm }): void
  /** Before the first read: the reader needs no chunk after the next read, so that its memory can serve again. */
  lend(): void
  /**
   * The next bytes, at least one, not to be changed before the end (before the next read, if lent); undefined at the end, when everything stated has been verified.
   * After a failure nothing more comes. Never rejects.
   */
  read(): Promise<Result<Uint8Array | undefined, S3Failure>>
  /** After the end: the checksum that the client stated, in a header or trailer. It was verified. */
  readonly verifiedChecksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined
  /** After the end: what was wanted. */
  readonly digests: { readonly md5Hex: string | undefined; readonly checksum: Checksum | undefined }
  /** When nobody will read on, nor ask for digests that he did not ask for before. */
  close(): void
}

/** What the signature said of the body. */
export type PayloadPromise = {
  /** x-amz-content-sha256 */
  readonly contentSha256: string
  readonly seed: SigningSeed
  /** Whether x-amz-checksum-* is of this body: CompleteMultipartUpload sends that of the object. */
  readonly checksumOf: 'body' | 'object'
  /** PutObject tells the Content-MD5 that did not match in hexadecimal, other operations as it was sent. */
  readonly md5Shown: 'hex' | 'base64'
}

/** A failure if what is stated of the body cannot be right whatever it holds: InvalidDigest, InvalidRequest, MissingContentLength. */
export function createPayload(request: HttpRequest, promise: PayloadPromise): Result<Payload, S3Failure> {
  const { headers } = request
  const checksum = promise.checksumOf === 'body' ? parseStatedChecksum(headers) : ok(undefined)
  if (!checksum.ok) return checksum
  const md5 = headers.get('content-md5')
  if (md5 !== undefined && decodeExactly(md5, CHECKSUM_BYTES.MD5) === undefined) {
    return s3Fail('InvalidDigest', { elements: { 'Content-MD5': md5 } })
  }
  if (!promise.contentSha256.startsWith('STREAMING-')) {
    const bytes = headers.has('content-length') ? request.body.declaredBytes : undefined
    return ok(new RequestPayload(request, promise, { bytes, checksum: checksum.value, md5 }, undefined))
  }
  const decodedLength = headers.get('x-amz-decoded-content-length')
  if (decodedLength === undefined || !/^\d{1,15}$/.test(decodedLength)) return s3Fail('MissingContentLength')
  const bytes = Number(decodedLength)
  const chunks = new AwsChunkedDecoder({
    seed: promise.contentSha256.startsWith('STREAMING-AWS4-') ? promise.seed : undefined,
    trailers: promise.contentSha256.endsWith('-TRAILER') ? trailerNames(headers) : undefined,
    contentBytes: bytes,
  })
  return ok(new RequestPayload(request, promise, { bytes, checksum: checksum.value, md5 }, chunks))
}

const trailerNames = (headers: ReadonlyMap<string, string>): readonly string[] => {
  const names = headers.get('x-amz-trailer')?.toLowerCase().split(',') ?? []
  return names.map((name) => name.trim()).filter((name) => name !== '')
}

function parseStatedChecksum(headers: ReadonlyMap<string, string>): Result<StatedChecksum | undefined, S3Failure> {
  let stated: StatedChecksum | undefined
  for (const [name, value] of headers) {
    if (!name.startsWith('x-amz-checksum-') || NOT_VALUES.has(name)) continue
    const algorithm = algorithmOfHeader(name)
    if (algorithm === undefined) {
      return s3Fail('InvalidRequest', { message: 'The algorithm type you specified in x-amz-checksum- header is invalid.' })
    }
    if (stated !== undefined) return severalChecksums()
    stated = { algorithm, value }
  }
  if (stated?.value !== undefined && decodeExactly(stated.value, CHECKSUM_BYTES[stated.algorithm]) === undefined) {
    return s3Fail('InvalidRequest', { message: `Value for ${checksumHeader(stated.algorithm)} header is invalid.` })
  }
  for (const name of headers.has('x-amz-trailer') ? trailerNames(headers) : []) {
    const algorithm = algorithmOfHeader(name)
    if (algorithm === undefined) {
      return s3Fail('InvalidRequest', { message: 'The value specified in the x-amz-trailer header is not supported' })
    }
    if (stated !== undefined) return severalChecksums()
    stated = { algorithm, value: undefined }
  }
  const wanted = headers.get('x-amz-sdk-checksum-algorithm')
  if (wanted === undefined) return ok(stated)
  const algorithm = parseAlgorithm(wanted)
  if (algorithm === undefined) {
    return s3Fail('InvalidRequest', { message: 'Value for x-amz-sdk-checksum-algorithm header is invalid.' })
  }
  if (stated === undefined && !(algorithm === 'MD5' && headers.has('content-md5'))) {
    return s3Fail('InvalidRequest', {
      message: 'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    })
  }
  if (stated !== undefined && stated.algorithm !== algorithm) {
    return s3Fail('InvalidRequest', { message: 'Value for x-amz-sdk-checksum-algorithm header is invalid.' })
  }
  return ok(stated)
}

const NOT_VALUES: ReadonlySet<string> = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'])

const severalChecksums = () =>
  s3Fail('InvalidRequest', { message: 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.' })

/** Bytes of base64 text; undefined if it is not base64 of that many bytes. */
function decodeExactly(text: string, bytes: number): Buffer | undefined {
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes && decoded.toString('base64') === text ? decoded : undefined
}

type Stated = {
  readonly bytes: number | undefined
  readonly checksum: StatedChecksum | undefined
  /** Content-MD5 */
  readonly md5: string | undefined
}

class RequestPayload implements Payload {
  readonly bytes: number | undefined
  readonly isTransferEncoded: boolean
  readonly statedChecksum: StatedChecksum | undefined
  readonly #request: HttpRequest
  readonly #chunks: AwsChunkedDecoder | undefined
  readonly #stated: Stated
  /** Undefined unless x-amz-content-sha256 holds one. */
  readonly #sha256: string | undefined
  readonly #md5Shown: PayloadPromise['md5Shown']
  readonly #digests: ContentDigests
  #wanted: { readonly md5?: true; readonly checksum?: ChecksumAlgorithm } = {}
  #lent = false
  #decoded: Uint8Array[] = []
  #decodedNext = 0
  #received = 0
  #end: Result<undefined, S3Failure> | undefined

  constructor(request: HttpRequest, promise: PayloadPromise, stated: Stated, chunks: AwsChunkedDecoder | undefined) {
    this.#request = request
    this.#chunks = chunks
    this.#stated = stated
    this.#md5Shown = promise.md5Shown
    this.bytes = stated.bytes
    this.isTransferEncoded = request.headers.has('transfer-encoding')
    this.statedChecksum = stated.checksum
    this.#digests = new ContentDigests(stated.bytes)
    this.#sha256 = promise.contentSha256.length === 64 ? promise.contentSha256.toLowerCase() : undefined
    if (this.#sha256 !== undefined) this.#digests.want('SHA256')
    if (stated.md5 !== undefined) this.#digests.want('MD5')
    if (stated.checksum !== undefined) this.#digests.want(stated.checksum.algorithm)
  }

  want(digests: { readonly md5?: true; readonly checksum?: ChecksumAlgorithm }): void {
    this.#wanted = { ...this.#wanted, ...digests }
    if (digests.md5) this.#digests.want('MD5')
    if (digests.checksum !== undefined) this.#digests.want(digests.checksum)
  }

  lend(): void {
    this.#lent = true
    this.#request.body.lend?.()
  }

  async read(): Promise<Result<Uint8Array | undefined, S3Failure>> {
    if (this.#end !== undefined) return this.#end
    try {
      while (this.#decodedNext === this.#decoded.length) {
        const piece = await this.#request.body.read()
        if (piece === undefined) {
          this.#end = this.#finish()
          return this.#end
        }
        if (this.#chunks === undefined) return this.#give(piece)
        this.#decoded = []
        this.#decodedNext = 0
        const failure = this.#chunks.decode(piece, this.#decoded)
        if (failure !== undefined) {
          this.#end = { ok: false, error: failure }
          return this.#end
        }
      }
      return this.#give(this.#decoded[this.#decodedNext++]!)
    } catch (error) {
      if (!(error instanceof RequestAborted)) throw error
      this.#end = s3Fail('RequestTimeout')
      return this.#end
    }
  }

  get verifiedChecksum(): { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined {
    const { checksum } = this.#stated
    return checksum && { algorithm: checksum.algorithm, value: this.#digests.value(checksum.algorithm).toString('base64') }
  }

  get digests(): { readonly md5Hex: string | undefined; readonly checksum: Checksum | undefined } {
    const { md5, checksum } = this.#wanted
    return {
      md5Hex: md5 === undefined ? undefined : this.#digests.value('MD5').toString('hex'),
      checksum:
        checksum === undefined
          ? undefined
          : { algorithm: checksum, type: 'FULL_OBJECT', value: this.#digests.value(checksum).toString('base64') },
    }
  }

  close(): void {
    this.#digests.close()
  }

  #give(bytes: Uint8Array): Result<Uint8Array, S3Failure> {
    this.#received += bytes.length
    this.#digests.update(bytes, !this.#lent && bytes.length === this.bytes)
    return ok(bytes)
  }

  #finish(): Result<undefined, S3Failure> {
    let statedValue = this.#stated.checksum?.value
    if (this.#chunks !== undefined) {
      const end = this.#chunks.end()
      if ('failure' in end) return { ok: false, error: end.failure }
      if (this.#stated.checksum !== undefined) statedValue ??= end.trailers.get(checksumHeader(this.#stated.checksum.algorithm))
    }
    if (this.bytes !== undefined && this.#received !== this.bytes) {
      return s3Fail('IncompleteBody', { message: 'You did not provide the number of bytes specified by the Content-Length HTTP header' })
    }
    return this.#verifySha256() ?? this.#verifyMd5() ?? this.#verifyChecksum(statedValue) ?? ok(undefined)
  }

  #verifySha256(): Result<never, S3Failure> | undefined {
    if (this.#sha256 === undefined) return undefined
    const computed = this.#digests.value('SHA256').toString('hex')
    if (computed === this.#sha256) return undefined
    return s3Fail('XAmzContentSHA256Mismatch', {
      elements: { ClientComputedContentSHA256: this.#sha256, S3ComputedContentSHA256: computed },
    })
  }

  #verifyMd5(): Result<never, S3Failure> | undefined {
    const { md5 } = this.#stated
    if (md5 === undefined) return undefined
    const computed = this.#digests.value('MD5').toString('base64')
    if (computed === md5) return undefined
    const expected = this.#md5Shown === 'hex' ? Buffer.from(md5, 'base64').toString('hex') : md5
    return s3Fail('BadDigest', { elements: { ExpectedDigest: expected, CalculatedDigest: computed } })
  }

  #verifyChecksum(value: string | undefined): Result<never, S3Failure> | undefined {
    if (this.#stated.checksum === undefined) return undefined
    const { algorithm } = this.#stated.checksum
    if (value === undefined || decodeExactly(value, CHECKSUM_BYTES[algorithm]) === undefined) {
      return s3Fail('InvalidRequest', { message: `Value for ${checksumHeader(algorithm)} trailing header is invalid.` })
    }
    if (this.#digests.value(algorithm).toString('base64') === value) return undefined
    return s3Fail('BadDigest', { message: `The ${algorithm} you specified did not match the calculated checksum.` })
  }
}

/** For requests whose bodies mean nothing (GET, HEAD, DELETE): always at its end. */
export const NO_PAYLOAD: Payload = {
  bytes: 0,
  isTransferEncoded: false,
  statedChecksum: undefined,
  want: () => undefined,
  lend: () => undefined,
  read: () => Promise.resolve(ok(undefined)),
  verifiedChecksum: undefined,
  digests: { md5Hex: undefined, checksum: undefined },
  close: () => undefined,
}

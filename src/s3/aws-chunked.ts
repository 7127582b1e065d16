/**
 * The content coding "aws-chunked": a body in chunks, each with its size and, if signed, a signature chained to the one before; then trailers.
 *
 *   chunk    = size-in-hex [";chunk-signature=" 64 hex] CRLF bytes CRLF
 *   last     = "0" [";chunk-signature=" 64 hex] CRLF *( name ":" value EOL ) ["x-amz-trailer-signature:" 64 hex EOL] CRLF
 *
 * Bytes are handed on as views of what came in, before their chunk's signature is known to be right: who reads must wait for the end.
 * Source: Amazon S3 API Reference, "Transferring Payload in Multiple Chunks", "… with trailing headers".
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { EMPTY_SHA256, type Hasher, makeHasher } from './checksum-algorithms.ts'
import { type S3Failure, s3Failure } from './errors.ts'
import type { SigningSeed } from './sigv4.ts'

export type ChunkFraming = {
  /** Undefined: chunks carry no signatures. */
  readonly seed: SigningSeed | undefined
  /** Whether trailers may follow the last chunk; undefined for a coding without them. */
  readonly trailers: readonly string[] | undefined
  /** x-amz-decoded-content-length. */
  readonly contentBytes: number
}

const HEADER_BYTES_MAX = 128
const TRAILERS_BYTES_MAX = 16 * 1024
/** All chunks but the last have at least this size. */
const CHUNK_BYTES_MIN = 8192
/** What is read beyond the promised length before the upload is given up, to tell a wrong length from broken chunks. */
const EXCESS_BYTES_MAX = 64 * 1024
const LF = 10

type State = 'header' | 'data' | 'after-data' | 'trailers'

export class AwsChunkedDecoder {
  readonly #framing: ChunkFraming
  #state: State = 'header'
  /** A header or trailers that end in a later piece. */
  #carried = ''
  #chunkBytesLeft = 0
  #chunkNumber = 0
  #shortChunk: number | undefined
  #decodedBytes = 0
  #chunkSignature = ''
  #previousSignature: string
  #chunkHash: Hasher | undefined
  #chunkDigest = EMPTY_SHA256

  constructor(framing: ChunkFraming) {
    this.#framing = framing
    this.#previousSignature = framing.seed?.signature ?? ''
  }

  /** Takes the next piece of the body and appends the content in it to `content`. A failure if it breaks the coding or a signature. */
  decode(piece: Uint8Array, content: Uint8Array[]): S3Failure | undefined {
    let at = 0
    while (at < piece.length) {
      if (this.#state === 'data') {
        const end = Math.min(piece.length, at + this.#chunkBytesLeft)
        this.#take(piece.subarray(at, end), content)
        at = end
        if (this.#chunkBytesLeft === 0) {
          const failure = this.#endChunk()
          if (failure !== undefined) return failure
          this.#state = 'after-data'
        }
        continue
      }
      if (this.#state === 'trailers') {
        this.#carried += latin1(piece, at, piece.length)
        return this.#carried.length > TRAILERS_BYTES_MAX ? MALFORMED_TRAILER : undefined
      }
      const lineEnd = piece.indexOf(LF, at)
      this.#carried += latin1(piece, at, lineEnd < 0 ? piece.length : lineEnd)
      if (this.#carried.length > HEADER_BYTES_MAX) return INCOMPLETE
      if (lineEnd < 0) return undefined
      at = lineEnd + 1
      if (!this.#carried.endsWith('\r')) return INCOMPLETE
      const line = this.#carried.slice(0, -1)
      this.#carried = ''
      if (this.#state === 'after-data') {
        if (line !== '') return INCOMPLETE
        this.#state = 'header'
      } else {
        const failure = this.#beginChunk(line)
        if (failure !== undefined) return failure
      }
    }
    return undefined
  }

  /** At the end of the body: what is missing or wrong, or the trailers by lower-case name. */
  end(): { readonly failure: S3Failure } | { readonly trailers: ReadonlyMap<string, string> } {
    // The blank line that ends everything.
    if (this.#state !== 'trailers' || !(this.#carried === '\r\n' || this.#carried.endsWith('\n\r\n'))) return { failure: INCOMPLETE }
    if (this.#decodedBytes !== this.#framing.contentBytes) return { failure: OTHER_LENGTH }
    return this.#readTrailers()
  }

  #beginChunk(line: string): S3Failure | undefined {
    const signed = this.#framing.seed !== undefined
    const found = (signed ? /^([0-9a-fA-F]{1,12});chunk-signature=([0-9a-f]{64})$/ : /^([0-9a-fA-F]{1,12})(?:;.*)?$/).exec(line)
    if (found === null) return INCOMPLETE
    const bytes = Number.parseInt(found[1]!, 16)
    this.#chunkNumber++
    if (bytes > 0 && this.#shortChunk !== undefined) {
      return s3Failure('InvalidChunkSizeError', { elements: { Chunk: this.#chunkNumber - 1, BadChunkSize: this.#shortChunk } })
    }
    if (bytes < CHUNK_BYTES_MIN) this.#shortChunk = bytes
    if (this.#decodedBytes + bytes > this.#framing.contentBytes + EXCESS_BYTES_MAX) return OTHER_LENGTH
    this.#chunkBytesLeft = bytes
    this.#chunkSignature = found[2] ?? ''
    this.#chunkHash = undefined
    this.#chunkDigest = EMPTY_SHA256
    if (bytes > 0) {
      this.#state = 'data'
      return undefined
    }
    this.#state = 'trailers'
    return this.#endChunk()
  }

  #take(bytes: Uint8Array, content: Uint8Array[]): void {
    this.#chunkBytesLeft -= bytes.length
    this.#decodedBytes += bytes.length
    const excess = this.#decodedBytes - this.#framing.contentBytes
    if (excess <= 0) content.push(bytes)
    else if (excess < bytes.length) content.push(bytes.subarray(0, bytes.length - excess))
    if (this.#framing.seed === undefined) return
    if (this.#chunkHash === undefined && this.#chunkBytesLeft === 0) {
      this.#chunkDigest = hash('sha256', bytes, 'hex')
    } else {
      this.#chunkHash ??= makeHasher('SHA256')
      this.#chunkHash.update(bytes)
      if (this.#chunkBytesLeft === 0) this.#chunkDigest = this.#chunkHash.digest().toString('hex')
    }
  }

  #endChunk(): S3Failure | undefined {
    const { seed } = this.#framing
    if (seed === undefined) return undefined
    const toSign = `AWS4-HMAC-SHA256-PAYLOAD\n${seed.dateTime}\n${seed.scope}\n${this.#previousSignature}\n${EMPTY_SHA256}\n${this.#chunkDigest}`
    const failure = checkSignature(seed, toSign, this.#chunkSignature)
    this.#previousSignature = this.#chunkSignature
    return failure
  }

  /** Lines end with CRLF or LF, and empty ones count for nothing: clients differ. The signature is the last. */
  #readTrailers(): { readonly failure: S3Failure } | { readonly trailers: ReadonlyMap<string, string> } {
    const { seed, trailers: expected } = this.#framing
    const lines = this.#carried.split(/\r?\n/).filter((line) => line !== '')
    if (expected === undefined) return lines.length === 0 ? { trailers: new Map() } : { failure: INCOMPLETE }
    const signature = seed === undefined ? '' : /^x-amz-trailer-signature:([0-9a-f]{64})$/.exec(lines.pop() ?? '')?.[1]
    if (signature === undefined) return { failure: INCOMPLETE }
    const trailers = new Map<string, string>()
    for (const line of lines) {
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase()
      if (!expected.includes(name) || trailers.has(name)) return { failure: MALFORMED_TRAILER }
      trailers.set(name, line.slice(colon + 1).trim())
    }
    if (trailers.size !== expected.length) return { failure: MALFORMED_TRAILER }
    if (seed === undefined) return { trailers }
    const signed = [...trailers.keys()].sort().map((name) => `${name}:${trailers.get(name)}\n`)
    const toSign = `AWS4-HMAC-SHA256-TRAILER\n${seed.dateTime}\n${seed.scope}\n${this.#previousSignature}\n${hash('sha256', signed.join(''), 'hex')}`
    const failure = checkSignature(seed, toSign, signature)
    return failure === undefined ? { trailers } : { failure }
  }
}

const INCOMPLETE: S3Failure = s3Failure('IncompleteBody')
const OTHER_LENGTH: S3Failure = s3Failure('IncompleteBody', {
  message: 'You did not provide the number of bytes specified by the Content-Length HTTP header',
})
const MALFORMED_TRAILER: S3Failure = s3Failure('MalformedTrailerError')

const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')

function checkSignature(seed: SigningSeed, toSign: string, given: string): S3Failure | undefined {
  const computed = seed.key.sign(toSign, 'hex')
  const same = computed.length === given.length && timingSafeEqual(Buffer.from(computed, 'latin1'), Buffer.from(given, 'latin1'))
  if (same) return undefined
  return s3Failure('SignatureDoesNotMatch', { elements: { StringToSign: toSign, SignatureProvided: given } })
}

/**
 * The body of a request as the client meant it: chunk framing removed; signatures, digests and checksums verified by its end.
 * Bytes are hashed once, whoever asked: what the request promises and what the operation wants to know share one set of hashes.
 */
import type { Result } from '../result.ts'
import type { StagedContent, Store } from '../store/store.ts'
import type { Checksum, ChecksumAlgorithm } from '../store/terms.ts'
import type { S3Failure } from './errors.ts'
import type { XmlElement, XmlLimits } from './xml.ts'

/** What the client says of the checksum of its body: in a header (then with its value) or in a trailer to come. */
export type StatedChecksum = { readonly algorithm: ChecksumAlgorithm; readonly value: string | undefined }

export interface Payload {
  /** Bytes of the content: x-amz-decoded-content-length, else Content-Length; undefined if the request states neither. */
  readonly bytes: number | undefined
  /** x-amz-checksum-*, or x-amz-trailer naming one; undefined without. */
  readonly statedChecksum: StatedChecksum | undefined
  /** Asks for digests to be computed besides those verified. Before the first read. */
  want(digests: { readonly md5?: true; readonly checksum?: ChecksumAlgorithm }): void
  /** The next bytes, at least one; undefined at the end, when everything stated has been verified. After a failure nothing more comes. */
  read(): Promise<Result<Uint8Array | undefined, S3Failure>>
  /** After the end. */
  readonly digests: { readonly md5Hex: string | undefined; readonly checksum: Checksum | undefined }
}

export type Received = {
  readonly staged: StagedContent
  readonly md5Hex: string
  /** Of the algorithm asked for. FULL_OBJECT. */
  readonly checksum: Checksum
  readonly bytes: number
}

/**
 * Streams the payload into the store. `algorithm`: the checksum to keep; the client's own if it stated one, else CRC64NVME, when undefined. A client that
 * states another one than `algorithm` has its own verified too.
 * Errors: MissingContentLength, EntityTooLarge (with ProposedSize, MaxSizeAllowed), IncompleteBody, BadDigest, InvalidDigest, those of chunked signatures,
 * and the store's faults. On failure nothing stays staged.
 */
export declare function receiveContent(
  store: Store,
  payload: Payload,
  options: { readonly bytesMax: number; readonly algorithm?: ChecksumAlgorithm },
): Promise<Result<Received, S3Failure>>

/** The whole body. MaxMessageLengthExceeded beyond `bytesMax`. */
export declare function readWhole(payload: Payload, bytesMax: number): Promise<Result<Uint8Array, S3Failure>>

/** The body as XML: MissingRequestBodyError if empty, MalformedXML. */
export declare function readXml(payload: Payload, limits?: XmlLimits): Promise<Result<XmlElement, S3Failure>>

/** Amazon's error for a store's fault. */
export declare function storeFailure(fault: import('../store/store.ts').StoreFault): S3Failure

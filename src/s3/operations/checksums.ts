/**
 * Checksums as S3 names them: which algorithms there are, how multipart objects get theirs, and where values stand in headers and XML.
 * Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3", tables of full object and composite checksum types.
 */
import { fail, ok, type Result } from '../../result.ts'
import type { Checksum, ChecksumAlgorithm, Part } from '../../store/terms.ts'
import { CHECKSUM_BYTES, checksumHeader, checksumOf, parseAlgorithm } from '../checksum-algorithms.ts'
import { combineCrcs } from '../crc.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { element, textOf, type XmlElement } from '../xml.ts'

export type ChecksumType = Checksum['type']

/** What a multipart object may have; the first is what it gets when nobody says. */
const MULTIPART_TYPES: Readonly<Record<ChecksumAlgorithm, readonly ChecksumType[]>> = {
  CRC32: ['COMPOSITE', 'FULL_OBJECT'],
  CRC32C: ['COMPOSITE', 'FULL_OBJECT'],
  CRC64NVME: ['FULL_OBJECT'],
  SHA1: ['COMPOSITE'],
  SHA256: ['COMPOSITE'],
  SHA512: ['COMPOSITE'],
  MD5: ['COMPOSITE'],
  XXHASH64: ['COMPOSITE'],
  XXHASH3: ['COMPOSITE'],
  XXHASH128: ['COMPOSITE'],
}
const CHECKSUM_ALGORITHMS = Object.keys(CHECKSUM_BYTES) as readonly ChecksumAlgorithm[]

export { checksumHeader }

/** The headers that carry a value, for the tables of operations. */
export const CHECKSUM_HEADERS: readonly string[] = CHECKSUM_ALGORITHMS.map(checksumHeader)

/** The body of an operation that must be sent with its digest. Error: InvalidRequest if it is not. */
export function digestedPayload(request: S3Request): Result<Payload, S3Failure> {
  const { payload } = request
  if (request.http.headers.has('content-md5') || payload.statedChecksum !== undefined) return ok(payload)
  const message = 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*'
  return fail(s3Failure('InvalidRequest', { message }))
}

/** The header x-amz-checksum-algorithm. Error: InvalidRequest for an algorithm that S3 does not have. */
export function askedAlgorithm(request: S3Request): Result<ChecksumAlgorithm | undefined, S3Failure> {
  const text = request.http.headers.get('x-amz-checksum-algorithm')
  if (text === undefined || text === '') return ok(undefined)
  const algorithm = parseAlgorithm(text)
  if (algorithm !== undefined) return ok(algorithm)
  const valid = [...CHECKSUM_ALGORITHMS].sort().join(', ')
  const message = `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${valid}]`
  return fail(s3Failure('InvalidRequest', { message }))
}

/** The header x-amz-checksum-type. Error: InvalidRequest. */
export function askedType(request: S3Request): Result<ChecksumType | undefined, S3Failure> {
  const text = request.http.headers.get('x-amz-checksum-type')?.toUpperCase()
  if (text === undefined || text === '') return ok(undefined)
  if (text === 'COMPOSITE' || text === 'FULL_OBJECT') return ok(text)
  return fail(s3Failure('InvalidRequest', { message: 'Value for x-amz-checksum-type header is invalid.' }))
}

/** What an upload in parts is made with: algorithm and type, or neither. Errors: InvalidRequest for pairs that do not go together. */
export function uploadChecksum(
  request: S3Request,
): Result<{ readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined, S3Failure> {
  const algorithm = askedAlgorithm(request)
  if (!algorithm.ok) return algorithm
  const type = askedType(request)
  if (!type.ok) return type
  if (algorithm.value === undefined) {
    if (type.value === undefined) return ok(undefined)
    const message = 'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.'
    return fail(s3Failure('InvalidRequest', { message }))
  }
  const allowed = MULTIPART_TYPES[algorithm.value]
  const chosen = type.value ?? allowed[0] ?? 'COMPOSITE'
  if (allowed.includes(chosen)) return ok({ algorithm: algorithm.value, type: chosen })
  const message = `The ${chosen} checksum type cannot be used with the ${algorithm.value.toLowerCase()} checksum algorithm.`
  return fail(s3Failure('InvalidRequest', { message }))
}

/** As replies show it: a composite one ends with the number of parts. */
export const shownValue = (checksum: Checksum, partCount: number): string =>
  checksum.type === 'COMPOSITE' && partCount > 0 ? `${checksum.value}-${partCount}` : checksum.value

export function checksumHeaders(checksum: Checksum | undefined, partCount: number): readonly (readonly [string, string])[] {
  if (checksum === undefined) return []
  return [
    [checksumHeader(checksum.algorithm), shownValue(checksum, partCount)],
    ['x-amz-checksum-type', checksum.type],
  ]
}

/** Of one part of an object whose checksum is made of its parts' own, and so is called composite. */
export const partChecksumHeaders = ({ checksum }: Part): readonly (readonly [string, string])[] =>
  checksum === undefined ? [] : checksumHeaders({ ...checksum, type: 'COMPOSITE' }, 0)

export const checksumElement = (checksum: Checksum | undefined, partCount: number): string =>
  checksum === undefined ? '' : element(`Checksum${checksum.algorithm}`, shownValue(checksum, partCount))

/** Whether text is the base64 of a digest of that algorithm. */
export const isDigest = (algorithm: ChecksumAlgorithm, text: string): boolean => {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === CHECKSUM_BYTES[algorithm] && bytes.toString('base64') === text
}

export type StatedValue = { readonly algorithm: ChecksumAlgorithm; readonly value: string }

/** The one x-amz-checksum-* header of a request whose body it does not describe (Complete). Error: InvalidRequest if there are two. */
export function statedValue(request: S3Request): Result<StatedValue | undefined, S3Failure> {
  let found: StatedValue | undefined
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = request.http.headers.get(checksumHeader(algorithm))
    if (value === undefined) continue
    if (found !== undefined) {
      const message = 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.'
      return fail(s3Failure('InvalidRequest', { message }))
    }
    found = { algorithm, value }
  }
  return ok(found)
}

/** The checksum inside an element of CompleteMultipartUpload's list. Error: InvalidArgument if it holds two, or one that is no digest. */
export function elementChecksum(part: XmlElement): Result<StatedValue | undefined, S3Failure> {
  let found: StatedValue | undefined
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = textOf(part, `Checksum${algorithm}`)
    if (value === undefined) continue
    if (found !== undefined || !isDigest(algorithm, value)) {
      const message = 'Invalid Base64 or multiple checksums present in request'
      return fail(s3Failure('InvalidArgument', { message, elements: { ArgumentName: 'Checksum', ArgumentValue: value } }))
    }
    found = { algorithm, value }
  }
  return ok(found)
}

/**
 * The checksum of an object made of parts, from theirs; undefined when a part has none of this algorithm.
 * FULL_OBJECT: the CRC that the joined bytes have. COMPOSITE: the digest of the parts' digests one behind the other.
 */
export function joinedChecksum(parts: readonly Part[], algorithm: ChecksumAlgorithm, type: ChecksumType): Checksum | undefined {
  const digests: Buffer[] = []
  for (const part of parts) {
    if (part.checksum?.algorithm !== algorithm) return undefined
    digests.push(Buffer.from(part.checksum.value, 'base64'))
  }
  if (type === 'COMPOSITE') return { algorithm, type, value: checksumOf(algorithm, Buffer.concat(digests)).toString('base64') }
  if (algorithm !== 'CRC32' && algorithm !== 'CRC32C' && algorithm !== 'CRC64NVME') return undefined
  const [first, ...others] = digests
  if (first === undefined) return undefined
  const joined = combineCrcs(
    algorithm,
    first,
    others.map((crc, index) => ({ crc, bytes: parts[index + 1]?.bytes ?? 0 })),
  )
  return { algorithm, type, value: Buffer.from(joined).toString('base64') }
}

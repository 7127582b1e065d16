/** The list of parts in CompleteMultipartUpload: reading it, and holding it against what was uploaded. */
import { fail, ok, type Result } from '../../result.ts'
import type { Part, Upload } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { childrenOf, textOf, type XmlElement, type XmlLimits } from '../xml.ts'
import { bareEtag, invalidArgument, PARTS_MAX } from './arguments.ts'
import { elementChecksum, type StatedValue } from './checksums.ts'
import { PART_BYTES_MIN } from './uploads.ts'

export type ClaimedPart = { readonly number: number; readonly etag: string; readonly checksum: StatedValue | undefined }

/** 10,000 parts, each with a number, an ETag and a checksum. */
export const COMPLETE_LIMITS: XmlLimits = { bytesMax: 4 << 20, depthMax: 8, elementsMax: PARTS_MAX * 5 }

/** Errors: MalformedXML, InvalidArgument, InvalidPartOrder. */
export function parseParts(root: XmlElement, uploadId: string): Result<readonly ClaimedPart[], S3Failure> {
  const rows = root.name === 'CompleteMultipartUpload' ? childrenOf(root, 'Part') : []
  if (rows.length === 0 || rows.length > PARTS_MAX) return fail(s3Failure('MalformedXML'))
  const claimed: ClaimedPart[] = []
  let before = 0
  for (const row of rows) {
    const text = textOf(row, 'PartNumber')?.trim()
    const etag = textOf(row, 'ETag')
    if (text === undefined || etag === undefined || etag === '' || !/^[+-]?\d{1,9}$/.test(text)) return fail(s3Failure('MalformedXML'))
    const number = Number(text)
    if (number < 1) return fail(invalidArgument('PartNumber', text, 'PartNumber must be >= 1'))
    if (number <= before) return fail(s3Failure('InvalidPartOrder', { elements: { UploadId: uploadId } }))
    const checksum = elementChecksum(row)
    if (!checksum.ok) return checksum
    claimed.push({ number, etag: bareEtag(etag), checksum: checksum.value })
    before = number
  }
  return ok(claimed)
}

/** The parts claimed, as they are stored. Errors: InvalidPart, EntityTooSmall, InvalidRequest and BadDigest (checksums). */
export function matchParts(
  claimed: readonly ClaimedPart[],
  uploaded: ReadonlyMap<number, Part>,
  upload: Upload,
): Result<readonly Part[], S3Failure> {
  const parts: Part[] = []
  for (const claim of claimed) {
    const part = uploaded.get(claim.number)
    if (part === undefined || part.etag !== claim.etag) return fail(invalidPart(claim, upload))
    const checked = matchChecksum(claim, part, upload)
    if (!checked.ok) return checked
    parts.push(part)
  }
  for (const part of parts.slice(0, -1)) {
    if (part.bytes >= PART_BYTES_MIN) continue
    const elements = { ProposedSize: part.bytes, MinSizeAllowed: PART_BYTES_MIN, PartNumber: part.number, ETag: part.etag }
    return fail(s3Failure('EntityTooSmall', { elements }))
  }
  return ok(parts)
}

const invalidPart = (claim: ClaimedPart, upload: Upload): S3Failure =>
  s3Failure('InvalidPart', { elements: { UploadId: upload.uploadId, PartNumber: claim.number, ETag: claim.etag } })

/**
 * A composite checksum is made of the parts' own, so all must be named. An upload made without an algorithm keeps a checksum of its own choice
 * of each part, and no part is there with another.
 */
function matchChecksum(claim: ClaimedPart, part: Part, upload: Upload): Result<undefined, S3Failure> {
  const expected = upload.checksumAlgorithm
  const { checksum } = claim
  if (checksum === undefined) {
    if (expected === undefined || upload.checksumType === 'FULL_OBJECT') return ok(undefined)
    const message = `The upload was created using a ${expected.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${claim.number} in the request.`
    return fail(s3Failure('InvalidRequest', { message }))
  }
  if (checksum.algorithm === part.checksum?.algorithm)
    return checksum.value === part.checksum.value ? ok(undefined) : fail(invalidPart(claim, upload))
  if (expected === undefined) return fail(invalidPart(claim, upload))
  const message = `The ${checksum.algorithm.toLowerCase()} you specified for part ${claim.number} did not match what we received.`
  return fail(s3Failure('BadDigest', { message }))
}

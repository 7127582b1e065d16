/** The header Range. Sources: RFC 9110, section 14; Amazon S3 API Reference, GetObject ("Amazon S3 doesn't support retrieving multiple ranges"). */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Failure, s3Failure } from '../errors.ts'

/** Bytes `from` to `to` (exclusive). */
export type ByteRange = { readonly from: number; readonly to: number }

/**
 * What a Range header asks for of an object of `bytes` bytes; undefined where it is no single range of bytes, and the whole is sent.
 * Error: InvalidRange if it begins behind the end.
 */
export function rangeOf(header: string, bytes: number): Result<ByteRange | undefined, S3Failure> {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header.trim())
  const first = match?.[1] ?? ''
  const last = match?.[2] ?? ''
  if (match === null || (first === '' && last === '')) return ok(undefined)
  if (first === '') {
    const suffixBytes = Number(last)
    if (suffixBytes === 0) return fail(unsatisfiable(header, bytes))
    // The last bytes of nothing are all there is of it.
    if (bytes === 0) return ok(undefined)
    return ok({ from: Math.max(0, bytes - suffixBytes), to: bytes })
  }
  const from = Number(first)
  const until = last === '' ? Number.POSITIVE_INFINITY : Number(last)
  if (until < from) return ok(undefined)
  if (from >= bytes) return fail(unsatisfiable(header, bytes))
  return ok({ from, to: Math.min(until + 1, bytes) })
}

const unsatisfiable = (header: string, bytes: number): S3Failure =>
  s3Failure('InvalidRange', {
    elements: { RangeRequested: header, ActualObjectSize: bytes },
    headers: [['content-range', `bytes */${bytes}`]],
  })

export const contentRange = (range: ByteRange, bytes: number): string => `bytes ${range.from}-${range.to - 1}/${bytes}`

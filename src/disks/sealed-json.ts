/**
 * Sealed JSON: one line of JSON, one line with its SHA-256, padding. Format: docs/formats.md#disk-identity.
 * The digest finds damage, not forgery: whoever may write the file may write the digest.
 */
import { hash } from 'node:crypto'
import { fail, ok, type Result } from '../result.ts'

export type SealFault =
  | 'damaged'
  /** It is sealed JSON of another kind. */
  | 'other-format'
  /** A newer software wrote it. */
  | 'newer-version'

export type JsonObject = Readonly<Record<string, unknown>>

const SEAL_LINE = /^sha256 ([0-9a-f]{64})$/

/** Padded to `bytes` if given; undefined if it does not fit. */
export function seal(format: string, version: number, body: JsonObject, bytes?: number): Uint8Array | undefined {
  const line = `${JSON.stringify({ format, version, ...body })}\n`
  const text = Buffer.from(`${line}sha256 ${hash('sha256', line)}\n`)
  if (bytes === undefined) return new Uint8Array(text)
  if (text.length > bytes) return undefined
  const padded = new Uint8Array(bytes).fill(0x20)
  padded.set(text)
  if (text.length < bytes) padded[bytes - 1] = 0x0a
  return padded
}

/** The object in a sealed file of this format, up to this version, of at most `bytesMax`. */
export function unseal(format: string, version: number, bytes: Uint8Array, bytesMax: number): Result<JsonObject, SealFault> {
  if (bytes.length > bytesMax) return fail('damaged')
  const lineEnd = bytes.indexOf(0x0a)
  const sealEnd = bytes.indexOf(0x0a, lineEnd + 1)
  if (lineEnd < 0 || sealEnd < 0) return fail('damaged')
  const stated = SEAL_LINE.exec(Buffer.from(bytes.subarray(lineEnd + 1, sealEnd)).toString('latin1'))?.[1]
  if (stated === undefined || hash('sha256', bytes.subarray(0, lineEnd + 1)) !== stated) return fail('damaged')
  const body = parseObject(Buffer.from(bytes.subarray(0, lineEnd)).toString('utf8'))
  if (body === undefined) return fail('damaged')
  if (body.format !== format) return fail('other-format')
  if (typeof body.version !== 'number' || !Number.isInteger(body.version) || body.version < 1) return fail('damaged')
  return body.version > version ? fail('newer-version') : ok(body)
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return isObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The query string of a request: decoded for operations, and in the canonical form that signatures cover.
 * Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header", task 1.
 */
import { ok, type Result } from '../result.ts'
import { type S3Failure, s3Fail } from './errors.ts'

export type Query = {
  /** Decoded once; a name sent twice keeps its first value. */
  readonly values: ReadonlyMap<string, string>
  readonly raw: string
}

/** More than any S3 operation has, and small enough that nobody can make us sort. */
const PARAMETERS_MAX = 100

const EMPTY: Query = { values: new Map(), raw: '' }

/** InvalidURI if it is not UTF-8 percent-encoded, or has too many parameters. */
export function parseQuery(raw: string): Result<Query, S3Failure> {
  if (raw === '') return ok(EMPTY)
  const values = new Map<string, string>()
  const pairs = raw.split('&')
  if (pairs.length > PARAMETERS_MAX) return s3Fail('InvalidURI')
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeComponent(equals < 0 ? pair : pair.slice(0, equals), 'blank')
    const value = equals < 0 ? '' : decodeComponent(pair.slice(equals + 1), 'blank')
    if (name === undefined || value === undefined) return s3Fail('InvalidURI')
    if (!values.has(name)) values.set(name, value)
  }
  return ok({ values, raw })
}

/** The parameters encoded anew, sorted, without `X-Amz-Signature`. */
export function canonicalQuery(raw: string): string {
  if (raw === '') return ''
  const pairs: string[] = []
  for (const pair of raw.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = canonicalComponent(equals < 0 ? pair : pair.slice(0, equals))
    if (name === 'X-Amz-Signature') continue
    pairs.push(`${name}=${equals < 0 ? '' : canonicalComponent(pair.slice(equals + 1))}`)
  }
  // '=' sorts behind '-' and digits, so whole pairs would order "a-b=" before "a="; U+0001 sorts before all.
  if (pairs.length > 1) pairs.sort((a, b) => compare(a.replace('=', '\u0001'), b.replace('=', '\u0001')))
  return pairs.join('&')
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const PLAIN = /^[A-Za-z0-9\-._~]*$/
const canonicalComponent = (text: string): string =>
  PLAIN.test(text) ? text : reencode(text.includes('+') ? text.replaceAll('+', '%20') : text, /%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~]/g)

/** A path encoded as signatures have it: everything but unreserved characters and '/' percent-encoded, once; "//" and "/../" stay. */
export const canonicalPath = (rawPath: string): string =>
  /^[A-Za-z0-9\-._~/]*$/.test(rawPath) ? rawPath : reencode(rawPath, /%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~/]/g)

function reencode(text: string, special: RegExp): string {
  return text.replace(special, (found, hex: string | undefined) => {
    if (hex === undefined) return encodeByte(found.charCodeAt(0))
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return PLAIN.test(char) ? char : `%${hex.toUpperCase()}`
  })
}

/** Raw text holds bytes as latin1, so a character is a byte. */
const encodeByte = (byte: number): string => `%${(byte & 255).toString(16).toUpperCase().padStart(2, '0')}`

/** Percent-decoded, as UTF-8; undefined if it is malformed. `plus`: whether '+' stands for a blank (in queries) or for itself (in paths). */
export function decodeComponent(raw: string, plus: 'blank' | 'literal'): string | undefined {
  const text = plus === 'blank' && raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is asked for
  if (!text.includes('%') && /^[\u0000-\u007f]*$/.test(text)) return text
  try {
    return decodeURIComponent(text.replace(/[\u0080-\u00ff]/g, (char) => encodeByte(char.charCodeAt(0))))
  } catch {
    return undefined
  }
}

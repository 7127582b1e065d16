/** Reading what a request says: numbers, version ids, ETags, encodings; and the errors Amazon answers when they make no sense. */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { S3Request } from '../operation.ts'

/** Source: Amazon S3 API Reference, "Error responses": InvalidArgument names the argument and its value. */
export const invalidArgument = (argument: string, value: string, message: string): S3Failure =>
  s3Failure('InvalidArgument', { message, elements: { ArgumentName: argument, ArgumentValue: value } })

/** As Amazon names parameters in some errors: 'max-keys' is 'maxKeys'. */
const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** Error: InvalidArgument for what is no integer from 0 to 2,147,483,647. */
function count(name: string, text: string): Result<number, S3Failure> {
  if (!/^[+-]?\d{1,19}$/.test(text) || Number(text) > 2_147_483_647)
    return fail(invalidArgument(name, text, `Provided ${name} not an integer or within integer range`))
  const value = Number(text)
  if (value >= 0) return ok(value)
  return fail(invalidArgument(camelCase(name), text, `Argument ${camelCase(name)} must be an integer between 0 and 2147483647`))
}

/** How many rows are asked for ('max-keys', 'max-parts', 'max-uploads'): 1,000 when left out, and never more; 0 is allowed. Error: InvalidArgument. */
export function rowsMax(name: string, text: string | undefined): Result<number, S3Failure> {
  if (text === undefined || text === '') return ok(1000)
  const value = count(name, text)
  return value.ok ? ok(Math.min(value.value, 1000)) : value
}

export const PARTS_MAX = 10_000

/** A part number in a parameter. Error: InvalidArgument. */
export function partNumber(text: string): Result<number, S3Failure> {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > PARTS_MAX)
    return fail(invalidArgument('partNumber', text, `Part number must be an integer between 1 and ${PARTS_MAX}, inclusive`))
  return ok(value)
}

/** A part number to go on after; 0 when left out. Error: InvalidArgument. */
export const partNumberMarker = (name: string, text: string | undefined): Result<number, S3Failure> =>
  text === undefined || text === '' ? ok(0) : count(name, text)

/** Longer than any version id that we or others make; foreign ones are kept verbatim. */
const VERSION_ID_BYTES_MAX = 1024

/** The parameter versionId, which replies repeat in a header. Error: InvalidArgument if it is empty or cannot be an id. */
export function namedVersion(request: S3Request): Result<string | undefined, S3Failure> {
  const versionId = request.query.get('versionId')
  if (versionId === undefined) return ok(undefined)
  if (versionId === '') return fail(invalidArgument('versionId', '', 'Version id cannot be the empty string'))
  if (versionId.length > VERSION_ID_BYTES_MAX || !/^[\x21-\x7e]+$/.test(versionId))
    return fail(invalidArgument('versionId', versionId, 'Invalid version id specified'))
  return ok(versionId)
}

/** An ETag without its quotes. S3 takes them with and without. */
export const bareEtag = (text: string): string => {
  const trimmed = text.trim()
  return trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"') ? trimmed.slice(1, -1) : trimmed
}

/** The parameter encoding-type. Error: InvalidArgument for anything but 'url'. */
export function encodingType(request: S3Request): Result<boolean, S3Failure> {
  const text = request.query.get('encoding-type')
  if (text === undefined) return ok(false)
  if (text === 'url') return ok(true)
  return fail(invalidArgument('encoding-type', text, 'Invalid Encoding Method specified in Request'))
}

const PLAIN = /^[A-Za-z0-9_.\-*/]*$/
const LEFT_BY_JAVASCRIPT = /[!'()~]/g

/** A key or prefix as Amazon writes it with encoding-type=url: form encoding, as Java does it ('+' for a blank, '*' left alone), that leaves '/' alone. */
export function urlEncoded(text: string): string {
  if (PLAIN.test(text)) return text
  return encodeURIComponent(text)
    .replace(LEFT_BY_JAVASCRIPT, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/')
}

/** A date in a header: any of the three HTTP forms. Undefined if it is none: such a condition counts as absent (RFC 9110, 13.1.3). */
export function headerDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

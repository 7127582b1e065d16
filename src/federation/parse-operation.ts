/**
 * Operations from outside. Their signature was verified before, yet a peer is trusted with its own changes only, not with our memory: every field is checked against
 * the limits that S3 has, and nothing but the canonical form is taken. Format: docs/formats.md#bundle, "Operations".
 */
import { CONTENT_BYTES_MAX } from '../bundles/format.ts'
import { type Fields, type Json, parseJson } from '../bundles/json.ts'
import { type Change, type Frontier, type Operation, parseOrigin } from '../store/operation.ts'
import { parseRanges, type Ranges } from '../store/ranges.ts'
import type { BucketName, Checksum, ChecksumAlgorithm, ContentHeaders, Part, Position, Tags, UserMetadata } from '../store/terms.ts'
import { RANGES_MAX } from './documents.ts'
import type { SignedOperation } from './operation.ts'
import { type BucketOrigin, canonicalJson, parsePosition } from './words.ts'

const KEY_BYTES_MAX = 1024
const VERSION_ID_BYTES_MAX = 1024
const CONFIGURATION_CHARACTERS_MAX = 512 * 1024
const PARTS_MAX = 10_000
const TAGS_MAX = 50
const TAG_CHARACTERS_MAX = 16 * 1024
/** Names and values together. Source: Amazon S3 User Guide, "Working with object metadata". */
const METADATA_CHARACTERS_MAX = 2048
/** All together: as much as a request can have. */
const HEADERS_CHARACTERS_MAX = 8 * 1024
/** What is shown in headers of replies could else begin headers of its own, or end them: each character is sent as a byte. */
const VERSION_ID = /^[\x20-\x7e]+$/
const HEADER_VALUE = /^[\t\x20-\xff]*$/
/** Source: RFC 9110, 5.6.2, "token". */
const METADATA_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/
const METADATA_VALUE = /^[\0-\xff]*$/
const HEADERS: ReadonlySet<string> = new Set<keyof ContentHeaders>([
  ...(['contentType', 'cacheControl', 'contentDisposition', 'contentEncoding'] as const),
  ...(['contentLanguage', 'expires', 'websiteRedirectLocation'] as const),
])
const ALGORITHMS: ReadonlySet<string> = new Set<ChecksumAlgorithm>([
  ...(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512', 'MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128'] as const),
])

/** Undefined if it is not an operation, or not in its canonical form. */
export function parseOperation(text: string): SignedOperation | undefined {
  if (!text.isWellFormed()) return undefined
  const read = parseJson(Buffer.from(text), (fields): SignedOperation => {
    fields.is('format', 1)
    const origin = parseOrigin(fields.text('origin', 64)) ?? fields.malformed()
    const bucket = fields.text('bucket', 80)
    if (parsePosition(bucket) === undefined) fields.malformed()
    const number = fields.integer('number', 1, Number.MAX_SAFE_INTEGER)
    const position = positionField(fields, 'position')
    // An operation is stamped by the site that made it.
    if (position.site !== origin.site) fields.malformed()
    const frontier = frontierOf(fields.json('frontier')) ?? fields.malformed()
    const { change, digest } = fields.object('change', readChange)
    const was = fields.ifThere('was', (name) => formerName(fields.text(name, 80), origin) ?? fields.malformed())
    const operation = { number, position, frontier, change, ...(was && { was }) }
    return { bucket: bucket as BucketOrigin, origin: origin.origin, operation, digest }
  })
  return read !== undefined && canonicalJson(JSON.parse(text)) === text ? read : undefined
}

/** What an operation was called in an earlier epoch of its site. */
function formerName(text: string, now: { readonly site: string; readonly epoch: number }): Operation['was'] {
  const [, name, digits] = /^(.*)\/([1-9][0-9]{0,15})$/.exec(text) ?? []
  const before = parseOrigin(name)
  const number = Number(digits)
  const isBefore = before !== undefined && before.site === now.site && before.epoch < now.epoch && Number.isSafeInteger(number)
  return isBefore ? { origin: before.origin, number } : undefined
}

const positionField = (fields: Fields, name: string): Position => parsePosition(fields.text(name, 80)) ?? fields.malformed()

function frontierOf(value: Json): Frontier | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const frontier: Record<string, Ranges> = {}
  for (const [name, listed] of Object.entries(value)) {
    const ranges = parseRanges(listed, RANGES_MAX)
    if (parseOrigin(name) === undefined || ranges === undefined) return undefined
    frontier[name] = ranges
  }
  return frontier as Frontier
}

type ReadChange = { readonly change: Change; readonly digest: string | null }

function readChange(fields: Fields): ReadChange {
  const kind = fields.text('kind', 32)
  const plain = (change: Change): ReadChange => ({ change, digest: null })
  switch (kind) {
    case 'create-bucket':
      return plain({ kind, name: fields.text('name', 63) as BucketName })
    case 'delete-bucket':
      return plain({ kind })
    case 'put-versioning': {
      const versioning = fields.text('versioning', 16)
      return versioning === 'enabled' || versioning === 'suspended' ? plain({ kind, versioning }) : fields.malformed()
    }
    case 'put-configuration': {
      const json = fields.optional('json', (name) => fields.text(name, CONFIGURATION_CHARACTERS_MAX)) ?? null
      return plain({ kind, name: fields.text('name', 64), json })
    }
    case 'put-object':
      return readPutObject(fields)
    case 'put-marker':
      return plain({ kind, key: key(fields), versionId: versionId(fields), replaces: replaced(fields) })
    case 'delete-version':
      return plain({ kind, key: key(fields), versionId: versionId(fields), target: positionField(fields, 'target') })
    case 'put-tags':
      return plain({ kind, key: key(fields), target: positionField(fields, 'target'), tags: tagsOf(fields) })
    default:
      return fields.malformed()
  }
}

function readPutObject(fields: Fields): ReadChange {
  const checksum = fields.optional('checksum', (name) =>
    fields.object(name, (one) => checksumOf(one.text('algorithm', 16), one.text('type', 16), one.text('value', 128)) ?? one.malformed()),
  )
  const change: Change = {
    kind: 'put-object',
    key: key(fields),
    versionId: versionId(fields),
    replaces: replaced(fields),
    attributes: {
      etag: fields.text('etag', 64),
      headers: headersOf(fields.json('headers')) ?? fields.malformed(),
      userMetadata: metadataOf(fields.json('metadata')) ?? fields.malformed(),
      tags: tagsOf(fields),
      ...(checksum && { checksum }),
    },
    bytes: fields.integer('bytes', 0, CONTENT_BYTES_MAX),
    parts: partsOf(fields.json('parts')) ?? fields.malformed(),
  }
  const digest = fields.optional('digest', (name) => fields.hex(name, 48)) ?? null
  // The place of labels: none exist yet, and one that we would pass over in silence must not come in.
  if (fields.json('label') !== null) fields.malformed()
  const { parts } = change
  if (parts.length > 0 && parts.reduce((sum, part) => sum + part.bytes, 0) !== change.bytes) fields.malformed()
  return { change, digest }
}

function key(fields: Fields): string {
  const text = fields.text('key', KEY_BYTES_MAX)
  return text !== '' && Buffer.byteLength(text) <= KEY_BYTES_MAX && !text.includes('\0') ? text : fields.malformed()
}

function versionId(fields: Fields): string {
  const text = fields.text('version', VERSION_ID_BYTES_MAX)
  return VERSION_ID.test(text) ? text : fields.malformed()
}

const replaced = (fields: Fields): Position | null => fields.optional('replaces', (name) => positionField(fields, name)) ?? null

const tagsOf = (fields: Fields): Tags => pairs(fields.json('tags'), TAGS_MAX) ?? fields.malformed()

function pairs(value: Json, max: number): readonly (readonly [string, string])[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined
  const sound = (value as readonly Json[]).every(
    (pair) =>
      Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string' && text.length <= TAG_CHARACTERS_MAX),
  )
  return sound ? (value as unknown as readonly (readonly [string, string])[]) : undefined
}

function headersOf(value: Json): ContentHeaders | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  let characters = 0
  for (const [name, text] of Object.entries(value)) {
    if (!HEADERS.has(name) || typeof text !== 'string' || !HEADER_VALUE.test(text)) return undefined
    characters += text.length
  }
  return characters <= HEADERS_CHARACTERS_MAX ? (value as ContentHeaders) : undefined
}

function metadataOf(value: Json): UserMetadata | undefined {
  const listed = pairs(value, METADATA_CHARACTERS_MAX)
  const characters = listed?.reduce((sum, [name, text]) => sum + name.length + text.length, 0) ?? 0
  const sound =
    listed?.every(([name, text]) => METADATA_NAME.test(name) && METADATA_VALUE.test(text)) && characters <= METADATA_CHARACTERS_MAX
  return sound ? listed : undefined
}

function checksumOf(algorithm: unknown, type: unknown, value: unknown): Checksum | undefined {
  const sound =
    typeof algorithm === 'string' &&
    ALGORITHMS.has(algorithm) &&
    (type === 'FULL_OBJECT' || type === 'COMPOSITE') &&
    typeof value === 'string' &&
    /^[A-Za-z0-9+/]{1,126}={0,2}$/.test(value)
  return sound ? { algorithm: algorithm as ChecksumAlgorithm, type, value } : undefined
}

function partsOf(value: Json): readonly Part[] | undefined {
  if (!Array.isArray(value) || value.length > PARTS_MAX) return undefined
  const parts: Part[] = []
  for (const listed of value as readonly Json[]) {
    const part = Array.isArray(listed) ? partOf(listed as readonly Json[]) : undefined
    if (part === undefined || part.number <= (parts.at(-1)?.number ?? 0)) return undefined
    parts.push(part)
  }
  return parts
}

function partOf(listed: readonly Json[]): Part | undefined {
  const [number, bytes, etag, modifiedMs, ...rest] = listed
  const whole = (item: Json | undefined, max: number): item is number =>
    Number.isSafeInteger(item) && (item as number) >= 0 && (item as number) <= max
  if (!whole(number, PARTS_MAX) || number < 1 || !whole(bytes, CONTENT_BYTES_MAX)) return undefined
  if (typeof etag !== 'string' || etag.length > 64 || !whole(modifiedMs, Number.MAX_SAFE_INTEGER)) return undefined
  if (rest.length === 0) return { number, bytes, etag, modifiedMs }
  const checksum = rest.length === 3 ? checksumOf(rest[0], rest[1], rest[2]) : undefined
  return checksum && { number, bytes, etag, modifiedMs, checksum }
}
